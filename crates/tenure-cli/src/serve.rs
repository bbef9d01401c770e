//! Serving: opening what there is, wiring it up, and stopping cleanly.

use std::time::Duration;

use anyhow::{Context, Result};
use tenure::Sessions;
use tenure_server::{Destination, Limits, Mover, Server, ServerOptions};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::ServeArgs;
use crate::config::Settings;
use crate::exit::{Blame, Exit};
use crate::listen::listen;
use crate::signals::{self, stopped};
use crate::store_url::StoreUrl;
use crate::{api_key, demo, log, output, store};

/// How long closing the store may take: with the time for running requests, less than 10 s.
const CLOSING: Duration = Duration::from_millis(1_500);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(args: Box<ServeArgs>) -> Result<Exit> {
    log::begin().blame_usage()?;
    let mut settings = Settings::read(*args).blame_usage()?;
    if settings.demo {
        demo::must_be_local(settings.listen).blame_usage()?;
    }
    let stop = signals::stop()?;
    let mover = mover(&settings);
    let mut listener = None;
    loop {
        let sessions = store::open(&settings).await?;
        let served = run(&settings, &sessions, &mut listener, &mover, stop.clone()).await;
        let closed = tokio::time::timeout(CLOSING, sessions.close()).await;
        let moved = served?;
        let Some(address) = moved else {
            closed.context("the store did not close in time")??;
            tracing::info!("stopped");
            return Ok(Exit::Done);
        };
        settings.store = address.parse()?;
        tracing::warn!(store = %settings.store, "sessions have moved: from the next start on, serve them with --store");
    }
}

/// Finds stores by their addresses, with the keys that are at hand.
fn mover(settings: &Settings) -> Mover {
    let settings = settings.clone();
    Mover::new(move |address| {
        let url: StoreUrl = address.parse().map_err(|error: anyhow::Error| error.to_string())?;
        if settings.demo || url == StoreUrl::Memory {
            return Err("name a store that stays; that of the demo does not move".into());
        }
        Ok(Destination { engine: store::destination(&settings, &url), name: url.to_string() })
    })
}

/// Serves until it is told to stop, or until sessions have moved: then it gives where to. The listener
/// stays, so that whoever connects meanwhile is answered from the new store.
async fn run(
    settings: &Settings,
    sessions: &Sessions,
    kept: &mut Option<std::net::TcpListener>,
    mover: &Mover,
    stop: watch::Receiver<bool>,
) -> Result<Option<String>> {
    if settings.demo {
        demo::prepare(sessions).await?;
    }
    let is_first = kept.is_none();
    let listener = match kept.take() {
        Some(listener) => listener,
        None => listen(settings.listen).await?.into_std()?,
    };
    *kept = Some(listener.try_clone()?);
    let listener = TcpListener::from_std(listener)?;
    let at = listener.local_addr()?;
    let shop = match settings.demo {
        true => Some(demo::take_port(settings, at).await?),
        false => None,
    };
    let (api_keys, told) = api_key::load_or_make(settings, sessions)?;
    if !at.ip().is_loopback() {
        tracing::warn!(%at, "plain HTTP beyond this machine: put a proxy with TLS before it");
    }
    if is_first {
        output::say(format!("api http://{at}"))?;
    }
    let options = ServerOptions { api_keys, limits: Limits::default(), mover: Some(mover.clone()) };
    let server = Server::new(sessions.clone(), options);
    let mut address = None;
    let end = async {
        tokio::select! {
            // Nobody new is let in.
            () = stopped(stop.clone()) => drop(kept.take()),
            to = mover.moved() => address = Some(to),
        }
    };
    match shop {
        None => server.run(listener, end).await?,
        Some(shop) => {
            let shop_at = shop.local_addr()?;
            output::say(format!("shop http://{shop_at}"))?;
            demo::welcome(at, shop_at, &told)?;
            tokio::try_join!(server.run(listener, end), demo::serve(shop, sessions, stop.clone()))?;
        }
    }
    Ok(address)
}
