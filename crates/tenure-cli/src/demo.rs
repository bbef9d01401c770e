//! The demo: a shop with sample people over the same sessions as the API.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, ensure};
use tenure::{Realm, Sessions};
use tenure_server::Limits;
use tenure_shop::pages::PEOPLE;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api_key::Told;
use crate::config::Settings;
use crate::exit::Blame;
use crate::listen::listen;
use crate::output;
use crate::signals::stopped;

/// Sample people with known passwords are for this machine only.
pub(crate) fn must_be_local(listen: SocketAddr) -> Result<()> {
    ensure!(
        listen.ip().is_loopback(),
        "--demo has sample people with known passwords, so it listens on this machine only: leave \
         --listen out, or give a loopback address such as 127.0.0.1:8700"
    );
    Ok(())
}

/// How many sessions are looked at in one step.
const BATCH: usize = 500;

/// Fills the store with sample people, unless it holds sessions of others.
pub(crate) async fn prepare(sessions: &Sessions) -> Result<()> {
    let others = sessions.in_realm(Realm::default(), sessions.cookie().clone(), sessions.policy().clone())?;
    let mut after = None;
    loop {
        let page = others.page(after, BATCH).await?;
        if !page.sessions.is_empty() {
            let refused = "this store holds sessions of other people: --demo takes a store of its own, such \
                           as embedded:./tenure-data/demo";
            return Err(anyhow!(refused)).blame_usage();
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    tenure_shop::fill(sessions).await?;
    Ok(())
}

/// Takes the port after the API's; any free one when the API took any.
pub(crate) async fn take_port(settings: &Settings, api: SocketAddr) -> Result<TcpListener> {
    let port = match settings.listen.port() {
        0 => 0,
        port => port.checked_add(1).unwrap_or_default(),
    };
    listen(SocketAddr::new(api.ip(), port)).await
}

/// Says what there is to see.
pub(crate) fn welcome(api: SocketAddr, shop: SocketAddr, key: &Told) -> Result<()> {
    output::say(format!("\nThe demo shop is at http://{shop}. Sign in as"))?;
    for person in &PEOPLE {
        output::say(format!("  {:8} password {}", person.name, person.password))?;
    }
    output::say(format!(
        "and look at Devices there. The same sessions over the API:\n  \
         TENURE_API_KEY=… tenure sessions list --server http://{api}\n\
         with the API key {key}.\n"
    ))?;
    Ok(())
}

/// Serves the shop until told to stop; what does not finish in time is cut.
pub(crate) async fn serve(
    listener: TcpListener,
    sessions: &Sessions,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let shop = tenure_shop::serve(listener, sessions, stopped(stop.clone()));
    let late = async {
        stopped(stop).await;
        tokio::time::sleep(Limits::default().stop).await;
    };
    tokio::select! {
        done = shop => done,
        () = late => {
            tracing::warn!("connections to the shop did not finish in time and are cut");
            Ok(())
        }
    }
}
