//! How many nodes there have to be.

use anyhow::Result;

use super::limit::Limit;
use super::load::{Done, Load};
use super::measured::{Measured, Second};
use super::options::{Routing, Wanted};

/// More nodes than this in one deployment are not looked for.
const MOST: u16 = 1_000;

/// The nodes of a plan, one more than has to be.
pub(crate) struct Nodes {
    pub(crate) count: f64,
    /// What is used of each while one is missing.
    pub(crate) cores: f64,
    pub(crate) near: f64,
    pub(crate) wire: f64,
    pub(crate) limits: Vec<Limit>,
}

/// What one node follows at `events` a second: on a straight line between what was measured, and beyond
/// that on the line of the last two.
pub(crate) fn following(measured: &[Second], events: f64) -> Second {
    let after = measured.iter().position(|second| second.events > events);
    let at = after.unwrap_or(measured.len() - 1).max(1);
    let (low, high) = (measured[at - 1], measured[at]);
    let share = (events - low.events) / (high.events - low.events);
    let on_line = |of: fn(&Second) -> f64| (of(&low) + share * (of(&high) - of(&low))).max(0.0);
    Second {
        events,
        // A question follows the answer to the last: there are not more of them than there were.
        polls: on_line(|second| second.polls).min(high.polls.max(low.polls)),
        server_us: on_line(|second| second.server_us),
        node_us: on_line(|second| second.node_us),
        sent: on_line(|second| second.sent),
        received: on_line(|second| second.received),
    }
}

/// So many nodes that what they have to do fits when one of them is missing. `follow` is what each
/// follows, of all servers together.
pub(crate) fn needed(
    measured: &Measured,
    engine: &str,
    load: &Load,
    wanted: &Wanted,
    follow: &Second,
) -> Result<Nodes> {
    let with = |count: u16| of(measured, engine, load, wanted, follow, f64::from(count));
    // The more there are, the less each has to do.
    let enough = |nodes: &Nodes| nodes.limits.iter().all(|limit| limit.fits() || !is_helped(limit));
    let (mut low, mut high) = (1, MOST);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if enough(&with(middle)?) {
            high = middle;
        } else {
            low = middle;
        }
    }
    with(high)
}

const FOLLOWS: &str = "what a node can follow";
const NEAR: &str = "memory of a node, which has all";

/// Whether more nodes make a difference to it.
fn is_helped(limit: &Limit) -> bool {
    limit.what != FOLLOWS && limit.what != NEAR
}

fn of(
    measured: &Measured,
    engine: &str,
    load: &Load,
    wanted: &Wanted,
    follow: &Second,
    count: f64,
) -> Result<Nodes> {
    let done = Done::by(measured, engine, load, wanted, count)?;
    let bearing = count - 1.0;
    let (check_us, check_bytes) = check(measured, wanted)?;
    let time = (load.requests * check_us + done.sum(|cost| cost.client_us)) / bearing + follow.node_us;
    let calls = done.sum(|cost| cost.sent + cost.received);
    let wire = (load.requests * check_bytes + calls) / bearing + follow.sent + follow.received;
    let (held, name) = match wanted.routing {
        Routing::Any => (load.active, NEAR),
        Routing::Session => (load.active / bearing, "memory of a node"),
    };
    let near = held * measured.near()?;
    Ok(Nodes {
        count,
        cores: time / 1e6,
        near,
        wire,
        limits: vec![
            Limit::new("cores of the nodes", time, wanted.time(wanted.node_cores)),
            Limit::new(name, near, wanted.room(wanted.node_memory)),
            Limit::new("network of a node", wire, wanted.wire()),
            // The log is read by one task.
            Limit::new(FOLLOWS, follow.node_us, wanted.time(1.0)),
        ],
    })
}

/// Processor time of a check from memory and its bytes on the wire. A node that is an application has
/// been asked over HTTP for something else.
pub(crate) fn check(measured: &Measured, wanted: &Wanted) -> Result<(f64, f64)> {
    match wanted.node_checks {
        Some(checks) => Ok((wanted.time(wanted.node_cores) / checks, 0.0)),
        None => measured.verify(),
    }
}
