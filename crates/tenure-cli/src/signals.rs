//! Being told to stop.

use anyhow::{Context, Result};
use tokio::sync::watch;

/// Waits for SIGTERM or SIGINT in the background, and lets everybody know who listens.
pub(crate) fn stop() -> Result<watch::Receiver<bool>> {
    let (tell, told) = watch::channel(false);
    let signal = Signals::new().context("cannot listen for signals")?;
    tokio::spawn(async move {
        signal.wait().await;
        tracing::info!("stopping: running requests finish");
        tell.send_replace(true);
    });
    Ok(told)
}

/// Until `told` says so.
pub(crate) async fn stopped(mut told: watch::Receiver<bool>) {
    // A sender that is gone will never say so, and means the same.
    told.wait_for(|stop| *stop).await.ok();
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn wait(self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
