//! Being told, and telling others, that there is news: only to be quick. What is told in vain or
//! not at all harms nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use futures_util::future::poll_fn;
use tenure::store::StoreError;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{self, Sent};
use crate::pool::{PATIENCE, begin};

/// For how long what happens is told at once: a notification costs all writers a lock.
const COALESCED: Duration = Duration::from_millis(5);

/// How often a connection on which nothing happens is tried.
const TRIED: Duration = Duration::from_secs(10);

/// How long to wait before connecting anew, at first and at the most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A connection that listens.
pub(crate) struct Listener {
    signals: Arc<Signals>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Signals {
    /// Others wrote, or may have.
    woken: Notify,
    /// Others are to be told.
    tell: Notify,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Listener {
    /// Listens on a channel from now on, and connects anew when the connection breaks.
    pub(crate) fn start(config: Config, tls: MakeRustlsConnect, channel: String) -> Self {
        let signals = Arc::<Signals>::default();
        let task = tokio::spawn(keep_listening(config, tls, channel, Arc::clone(&signals)));
        Self { signals, task }
    }

    /// Tells the others soon.
    pub(crate) fn tell(&self) {
        self.signals.tell.notify_one();
    }

    /// Resolves when another told something.
    pub(crate) async fn woken(&self) {
        self.signals.woken.notified().await;
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

async fn keep_listening(config: Config, tls: MakeRustlsConnect, channel: String, signals: Arc<Signals>) {
    let mut wait = BACKOFF.0;
    loop {
        match listen(&config, &tls, &channel, &signals, &mut wait).await {
            Ok(()) => tracing::debug!("the connection that listens has ended"),
            Err(error) => tracing::debug!(%error, "the connection that listens broke"),
        }
        // What was told meanwhile was missed.
        signals.woken.notify_one();
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Listens until the connection ends.
async fn listen(
    config: &Config,
    tls: &MakeRustlsConnect,
    channel: &str,
    signals: &Arc<Signals>,
    wait: &mut Duration,
) -> Result<(), StoreError> {
    let failed = |e: tokio_postgres::Error| error::of(&e, Sent::Nothing);
    let connected = timeout(PATIENCE, config.connect(tls.clone())).await;
    let (client, mut connection) = connected.map_err(|_| error::no_answer(Sent::Nothing))?.map_err(failed)?;
    let ours = Arc::new(AtomicI32::new(0));
    let (heard, own) = (Arc::clone(signals), Arc::clone(&ours));
    let mut driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            match message {
                // What this node wrote it knows.
                AsyncMessage::Notification(told) if told.process_id() != own.load(Ordering::Relaxed) => {
                    heard.woken.notify_one();
                }
                _ => {}
            }
        }
    });
    let done = serve(&client, channel, signals, wait, &ours, &mut driver).await;
    driver.abort();
    done
}

async fn serve(
    client: &Client,
    channel: &str,
    signals: &Signals,
    wait: &mut Duration,
    ours: &AtomicI32,
    driver: &mut JoinHandle<()>,
) -> Result<(), StoreError> {
    let failed = |e: tokio_postgres::Error| error::of(&e, Sent::Nothing);
    let listening = async {
        begin(client).await?;
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await?;
        ours.store(row.try_get(0)?, Ordering::Relaxed);
        client.batch_execute(&format!("LISTEN {channel}")).await
    };
    timeout(PATIENCE, listening).await.map_err(|_| error::no_answer(Sent::Nothing))?.map_err(failed)?;
    *wait = BACKOFF.0;
    signals.woken.notify_one();
    let notify = format!("NOTIFY {channel}");
    loop {
        let sql = tokio::select! {
            _ = &mut *driver => return Ok(()),
            () = signals.tell.notified() => {
                sleep(COALESCED).await;
                notify.as_str()
            }
            () = sleep(TRIED) => "SELECT 1",
        };
        let done = timeout(PATIENCE, client.batch_execute(sql)).await;
        done.map_err(|_| error::no_answer(Sent::Nothing))?.map_err(failed)?;
    }
}
