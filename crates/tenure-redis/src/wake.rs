//! Waking other nodes when something happened: only a hint, so that they ask earlier.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tenure::store::StoreError;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::calls::Calls;

/// How long to wait for more before telling it.
const TOGETHER: Duration = Duration::from_millis(5);

/// How long a listener that lost its connection waits.
const PAUSE: Duration = Duration::from_millis(500);

/// How often to look where the primaries are, and whether one still listens where others speak.
const LOOK: Duration = Duration::from_secs(2);

/// Tells others, and hears of them.
pub(crate) struct Wake {
    happened: Arc<Notify>,
    heard: Arc<Notify>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Wake {
    /// Starts both.
    pub(crate) fn start(calls: &Arc<Calls>) -> Self {
        let (happened, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let teller = tokio::spawn(tell(Arc::clone(calls), Arc::clone(&happened)));
        let listener = tokio::spawn(listen(Arc::clone(calls), Arc::clone(&heard)));
        let watcher = tokio::spawn(watch(Arc::clone(calls)));
        Self { happened, heard, tasks: Mutex::new(vec![teller, listener, watcher]) }
    }

    /// Something happened.
    pub(crate) fn tell(&self) {
        self.happened.notify_one();
    }

    /// Resolves when something may have happened.
    pub(crate) async fn woken(&self) {
        self.heard.notified().await;
    }

    pub(crate) fn close(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.close();
    }
}

async fn tell(calls: Arc<Calls>, happened: Arc<Notify>) {
    loop {
        happened.notified().await;
        tokio::time::sleep(TOGETHER).await;
        if let Err(error) = calls.publish().await {
            tracing::debug!(%error, "other nodes were not woken");
        }
    }
}

/// Looks now and then where the primaries are: one that is cut off from the others does not say that
/// it is none any more.
async fn watch(calls: Arc<Calls>) {
    while calls.servers.moves() {
        tokio::time::sleep(LOOK).await;
        calls.look_again().await;
    }
}

async fn listen(calls: Arc<Calls>, heard: Arc<Notify>) {
    loop {
        let error = match hear(&calls, &heard).await {
            Ok(()) => "it was closed".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::debug!(error, "the connection that wakes this node is gone");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(calls: &Calls, heard: &Notify) -> Result<(), StoreError> {
    let listening = || calls.servers.listening(calls.keys.meta_slot());
    let (client, address) = listening()?;
    let gone = |error: redis::RedisError| StoreError::Unavailable(format!("{address}: {}", error.category()));
    let subscribing = async {
        let mut connection = client.get_async_pubsub().await?;
        connection.subscribe(calls.keys.channel()).await?;
        Ok(connection)
    };
    let subscribed = tokio::time::timeout(calls.servers.settings.timeout, subscribing).await;
    let silent = |_| StoreError::Unavailable(format!("{address} does not answer in time"));
    let mut connection = subscribed.map_err(silent)?.map_err(gone)?;
    // What was told before was not heard.
    heard.notify_one();
    let mut messages = connection.on_message();
    loop {
        match tokio::time::timeout(LOOK, messages.next()).await {
            Ok(Some(_)) => heard.notify_one(),
            Ok(None) => return Ok(()),
            // A primary that others took the place of may stay silent for long.
            Err(_) if listening()?.1 != address => return Ok(()),
            Err(_) => {}
        }
    }
}
