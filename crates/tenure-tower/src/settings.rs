//! What a layer was told.

use std::any::TypeId;
use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use tenure::Sessions;

use crate::adopt::Adopt;

type ClientIp = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) sessions: Sessions,
    pub(crate) sign_in_at: Option<String>,
    pub(crate) home_at: Option<String>,
    pub(crate) passive: Arc<dyn Fn(&Parts) -> bool + Send + Sync>,
    pub(crate) client_ip: Arc<ClientIp>,
    pub(crate) adopt: Option<Adopt>,
    pub(crate) area: Option<TypeId>,
}
