//! What the routes share.

use std::sync::Arc;

use tenure::Sessions;

use crate::keys::ApiKeys;
use crate::limits::Limits;
use crate::mover::Mover;

/// What every handler works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) sessions: Sessions,
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) limits: Limits,
    pub(crate) mover: Option<Mover>,
}
