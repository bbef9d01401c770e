//! A plan for Redis or Valkey: primaries that each hold a share of the partitions, with replicas.

use anyhow::Result;

use super::limit::{Limit, nearest};
use super::load::{Done, Load};
use super::losing::{Answering, rows as losing};
use super::measured::{Measured, Second};
use super::nodes::{following, needed};
use super::options::Wanted;
use super::plan::{Plan, Row};
use super::said::{bytes, bytes_a_second, count, rate, share};

/// Partitions for each primary, and the most that a store can have.
const PARTITIONS: u16 = 32;
const MOST_PRIMARIES: u16 = 1_024 / PARTITIONS;

const NAME: &str = "redis";

/// As few primaries as fit, or those with which least is lacking.
pub(crate) fn plan(measured: &Measured, wanted: &Wanted) -> Result<Plan> {
    let mut best = of(measured, wanted, 1)?;
    for primaries in 2..=MOST_PRIMARIES {
        if best.fits() {
            break;
        }
        let plan = of(measured, wanted, primaries)?;
        if nearest(&plan.limits).used < nearest(&best.limits).used {
            best = plan;
        }
    }
    Ok(best)
}

/// What a node follows of all primaries: each tells its share of the events.
fn all_of(second: Second, primaries: f64) -> Second {
    Second {
        events: second.events * primaries,
        polls: second.polls,
        server_us: second.server_us,
        node_us: second.node_us * primaries,
        sent: second.sent * primaries,
        received: second.received * primaries,
    }
}

fn of(measured: &Measured, wanted: &Wanted, primaries: u16) -> Result<Plan> {
    let load = Load::of(wanted);
    let several = f64::from(primaries);
    let at_one = following(&measured.follows(NAME), load.events() / several);
    let nodes = needed(measured, NAME, &load, wanted, &all_of(at_one, several))?;
    let done = Done::by(measured, NAME, &load, wanted, nodes.count)?;
    let size = measured.size(NAME)?;
    let memory = (load.rows() * size.session() + load.events_kept() * size.event) / several;
    let working = done.sum(|cost| cost.server_us) / several;
    let telling = nodes.count * at_one.server_us;
    let log = done.sum(|cost| cost.disk) / several;
    let out =
        done.sum(|cost| cost.received) / several + nodes.count * at_one.received + log * wanted.replicas;
    let incoming = done.sum(|cost| cost.sent) / several + nodes.count * at_one.sent;
    let mut limits = vec![
        Limit::new("memory of a primary", memory, wanted.room(wanted.memory)),
        Limit::new("processor time of a primary", working + telling, wanted.time(1.0)),
        Limit::new("network of a primary", out.max(incoming), wanted.wire()),
        Limit::new("disk of a primary", log, wanted.disk * 1e6 * wanted.load),
    ];
    limits.extend(nodes.limits.iter().cloned());
    let answering = Answering {
        servers: several,
        capacity: several * 1e6 / measured.cost(NAME, "check")?.server_us,
        used: (working + telling) / 1e6,
    };
    let rows: Vec<Row> = vec![
        ("primaries", count(several)),
        ("replicas", count(several * wanted.replicas)),
        ("partitions to plan", count(several * f64::from(PARTITIONS))),
        ("memory of each", bytes(memory)),
        ("processor time of each: calls", share(working / 1e6)),
        ("processor time of each: telling the nodes", share(telling / 1e6)),
        ("network of each, out", bytes_a_second(out)),
        ("appended to the file of each", bytes_a_second(log)),
        ("store calls a second", rate(done.calls())),
    ];
    Ok(Plan {
        stores: 1.0,
        losing: losing(wanted, &load, &nodes, &answering),
        servers: several * (1.0 + wanted.replicas),
        calls: done.calls(),
        load,
        nodes,
        rows,
        limits,
        less: "",
    })
}
