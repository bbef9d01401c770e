//! A real engine for each test, nodes over it, and a road between them that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tenure::{Active, Builder, Check, Ending, MasterKey, Sessions, SignIn, UserId, Verdict};
use tenure::{Actor, Blame, EndReason, Error, SessionToken};
use tenure_postgres::Postgres;
use tenure_redis::Redis;
use tenure_servers::Patience;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The engines that nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Redis,
}

/// An empty store on a server that all tests of this program share.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    kind: Kind,
    name: String,
}

impl Place {
    pub(crate) fn of(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { kind, name: format!("nodes_{}", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> u16 {
        match self.kind {
            Kind::Postgres => tenure_servers::Postgres::shared().port(),
            Kind::Redis => tenure_servers::Redis::shared().port(),
        }
    }

    /// What makes a node.
    pub(crate) fn builder(&self) -> Builder {
        self.builder_by(self.port())
    }

    fn builder_by(&self, port: u16) -> Builder {
        let key = MasterKey::from_hex(&"5a".repeat(32)).unwrap();
        match self.kind {
            Kind::Postgres => {
                let url = tenure_servers::Postgres::shared().url();
                let url = url.replace(&format!(":{}/", self.port()), &format!(":{port}/"));
                Sessions::builder(Postgres::at(url).schema(&self.name).partitions(64).master_key(key))
            }
            Kind::Redis => {
                let url = format!("redis://127.0.0.1:{port}");
                Sessions::builder(Redis::at(url).prefix(&self.name).master_key(key))
            }
        }
    }

    /// A node that reaches the server at this port.
    pub(crate) async fn node_by(&self, port: u16) -> Sessions {
        self.builder_by(port).open().await.unwrap()
    }

    pub(crate) async fn node(&self) -> Sessions {
        self.node_by(self.port()).await
    }
}

/// A road to a server that can be cut: what comes then waits, as with a network that loses packets. Or
/// it breaks: of what comes next half arrives, and then all connections end.
pub(crate) struct Road {
    pub(crate) port: u16,
    state: Arc<RoadState>,
}

#[derive(Default)]
struct RoadState {
    cut: AtomicBool,
    /// Counts how often it broke.
    broken: AtomicU32,
}

impl Road {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let road = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&road.state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, Arc::clone(&state)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&state)));
            }
        });
        road
    }

    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn breaks(&self) {
        self.state.broken.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: Arc<RoadState>,
) {
    let whole = state.broken.load(Ordering::SeqCst);
    let mut piece = vec![0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        while state.cut.load(Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let broke = state.broken.load(Ordering::SeqCst) != whole;
        let arrives = if broke { read / 2 } else { read };
        if to.write_all(&piece[..arrives]).await.is_err() || broke {
            return;
        }
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn logout() -> Ending {
    Ending::new(EndReason::Logout, Actor::user())
}

pub(crate) async fn sign_in(sessions: &Sessions, name: &str) -> SessionToken {
    sessions.sign_in(None, SignIn::password(user(name))).await.unwrap().token
}

pub(crate) async fn check(sessions: &Sessions, token: &SessionToken) -> Result<Verdict, Error> {
    sessions.check(token.expose().as_bytes(), &Check::signed_in()).await
}

/// The session of a token.
pub(crate) async fn active(sessions: &Sessions, token: &SessionToken) -> Active {
    check(sessions, token).await.unwrap().into_active().unwrap()
}

/// What is answered once the store answers; until then nobody but the store is to blame.
pub(crate) async fn answered<T>(mut ask: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let mut patience = Patience::default();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert_eq!(error.blame(), Blame::Store, "{error}");
                tokio::time::sleep(patience.pause(error)).await;
            }
        }
    }
}

/// A check that is answered once the store answers.
pub(crate) async fn checked(sessions: &Sessions, token: &SessionToken) -> Verdict {
    answered(async || check(sessions, token).await).await
}

/// How many rounds: more of them with `TENURE_SOAK=1`.
pub(crate) fn soaked(usual: usize, soak: usize) -> usize {
    if std::env::var_os("TENURE_SOAK").is_some_and(|on| on == "1") { soak } else { usual }
}
