//! What the routes share.

use std::sync::Arc;

use tenure::Sessions;

use crate::keys::ApiKeys;
use crate::limits::Limits;

/// What every handler works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) sessions: Sessions,
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) limits: Limits,
}
