//! What several requests have in common.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use tenure::{Changes, Device};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A session token as a back end passes it on. Nothing about it is believed yet.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Presented(Zeroizing<String>);

impl Presented {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What the visitor's request tells of its device.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceSeen)]
pub(crate) struct DeviceSeen {
    /// Its `User-Agent` header; 512 bytes of it are kept.
    pub(crate) user_agent: Option<String>,
    /// The visitor's address, as the back end knows it.
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    pub(crate) ip: Option<IpAddr>,
}

impl DeviceSeen {
    pub(crate) fn device(&self) -> Device {
        Device::from_request(self.user_agent.as_deref(), self.ip)
    }
}

/// Values by key, as changes that set them.
pub(crate) fn setting(values: BTreeMap<String, serde_json::Value>) -> Changes {
    values.into_iter().fold(Changes::default(), |changes, (key, value)| changes.set(key, value))
}
