//! Serving: opening what there is, wiring it up, and stopping cleanly.

use std::time::Duration;

use anyhow::{Context, Result};
use tenure::Sessions;
use tenure_server::{Limits, Server, ServerOptions};
use tokio::sync::watch;

use crate::args::ServeArgs;
use crate::config::Settings;
use crate::exit::{Blame, Exit};
use crate::listen::listen;
use crate::signals::{self, stopped};
use crate::{api_key, demo, log, output, store};

/// How long closing the store may take: with the time for running requests, less than 10 s.
const CLOSING: Duration = Duration::from_millis(1_500);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(args: Box<ServeArgs>) -> Result<Exit> {
    log::begin().blame_usage()?;
    let settings = Settings::read(*args).blame_usage()?;
    if settings.demo {
        demo::must_be_local(settings.listen).blame_usage()?;
    }
    let stop = signals::stop()?;
    let sessions = store::open(&settings).await?;
    let served = run(&settings, &sessions, stop).await;
    let closed = tokio::time::timeout(CLOSING, sessions.close()).await;
    served?;
    closed.context("the store did not close in time")??;
    tracing::info!("stopped");
    Ok(Exit::Done)
}

async fn run(settings: &Settings, sessions: &Sessions, stop: watch::Receiver<bool>) -> Result<()> {
    if settings.demo {
        demo::prepare(sessions).await?;
    }
    let listener = listen(settings.listen).await?;
    let at = listener.local_addr()?;
    let shop = match settings.demo {
        true => Some(demo::take_port(settings, at).await?),
        false => None,
    };
    let (api_keys, told) = api_key::load_or_make(settings, sessions)?;
    if !at.ip().is_loopback() {
        tracing::warn!(%at, "plain HTTP beyond this machine: put a proxy with TLS before it");
    }
    output::say(format!("api http://{at}"))?;
    let server = Server::new(sessions.clone(), ServerOptions { api_keys, limits: Limits::default() });
    let api = server.run(listener, stopped(stop.clone()));
    let Some(listener) = shop else {
        return Ok(api.await?);
    };
    let shop_at = listener.local_addr()?;
    output::say(format!("shop http://{shop_at}"))?;
    demo::welcome(at, shop_at, &told)?;
    tokio::try_join!(api, demo::serve(listener, sessions, stop))?;
    Ok(())
}
