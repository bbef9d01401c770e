//! A store, and two ways to it: by sessions that have all in memory, and by some that keep nothing there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use tenure::store::{Context, Engine, Opened, Store, StoreError};
use tenure::{Active, Check, MasterKey, SessionId, Sessions};
use tenure_bench::engines::{Engines, Kind};

/// Room in memory for all sessions that are looked at.
const ROOM: usize = 2 << 30;

/// Nobody else changes anything, so memory is trusted for as long as it all takes. Nothing is followed
/// and nothing swept meanwhile: that is measured apart.
const TRUSTED: Duration = Duration::from_secs(6 * 3_600);

/// An open store.
pub(crate) struct Home {
    pub(crate) store: Arc<dyn Store>,
    /// Has in memory what it has seen.
    pub(crate) sessions: Sessions,
    /// Asks the store each time.
    pub(crate) asking: Sessions,
}

impl Home {
    /// By way of a port.
    pub(crate) async fn open(engines: &Engines, kind: Kind, port: u16) -> Self {
        let Opened { store, master_key } = engines.store_at(kind, port).await;
        let over = |cache_bytes| {
            let kept = Kept(Arc::clone(&store), master_key.clone());
            let builder = Sessions::builder(kept).bound(TRUSTED).cache_bytes(cache_bytes);
            async move { builder.without_background().open().await.expect("sessions over an open store") }
        };
        let (sessions, asking) = (over(ROOM).await, over(0).await);
        Self { store, sessions, asking }
    }

    /// The session of a token, which is in memory from then on.
    pub(crate) async fn active(&self, token: &[u8]) -> Active {
        let verdict = self.sessions.check(token, &Check::signed_in().touch(false)).await;
        verdict.expect("an answer").into_active().expect("it is alive")
    }
}

/// The session that a token is of.
pub(crate) fn id_in(token: &[u8]) -> SessionId {
    let raw = BASE64URL_NOPAD.decode(&token[4..]).expect("a token");
    SessionId::from_bytes(raw[1..17].try_into().expect("16 bytes"))
}

/// A store that is open already.
struct Kept(Arc<dyn Store>, MasterKey);

#[async_trait]
impl Engine for Kept {
    async fn open(self: Box<Self>, _: Context) -> Result<Opened, StoreError> {
        Ok(Opened { store: self.0, master_key: self.1 })
    }
}
