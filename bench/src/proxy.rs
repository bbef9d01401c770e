//! A way to a server that counts what goes along it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// How much of a stream is passed on at once.
const PIECE: usize = 64 << 10;

/// Passes connections on to a port of loopback, for as long as it lives.
pub struct Proxy {
    _runtime: Runtime,
    port: u16,
    counts: Arc<Counts>,
}

/// What went through: bytes of the streams, without the heads of their packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// From clients to the server.
    pub sent: u64,
    /// From the server to clients.
    pub received: u64,
    /// How often a client spoke after the server had.
    pub trips: u64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    trips: AtomicU64,
}

impl Passed {
    /// What went through since then.
    pub fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            trips: self.trips - before.trips,
        }
    }
}

impl Proxy {
    /// Before the server at this port.
    pub fn before(server: u16) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let counts = Arc::<Counts>::default();
        runtime.spawn(accept(listener, server, Arc::clone(&counts)));
        Self { _runtime: runtime, port, counts }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What went through so far.
    pub fn passed(&self) -> Passed {
        let read = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let Counts { sent, received, trips } = &*self.counts;
        Passed { sent: read(sent), received: read(received), trips: read(trips) }
    }
}

async fn accept(listener: TcpListener, server: u16, counts: Arc<Counts>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let server_spoke = Arc::new(AtomicBool::new(true));
        let (counted, spoke) = (Arc::clone(&counts), Arc::clone(&server_spoke));
        tokio::spawn(pass(from_client, to_server, move |bytes| {
            counted.sent.fetch_add(bytes, Ordering::Relaxed);
            counted.trips.fetch_add(u64::from(spoke.swap(false, Ordering::Relaxed)), Ordering::Relaxed);
        }));
        let counted = Arc::clone(&counts);
        tokio::spawn(pass(from_server, to_client, move |bytes| {
            counted.received.fetch_add(bytes, Ordering::Relaxed);
            server_spoke.store(true, Ordering::Relaxed);
        }));
    }
}

/// Passes a stream on to its end.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: impl Fn(u64)) {
    let mut piece = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        count(read as u64);
        if to.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
}
