//! A plan for PostgreSQL: one primary, with standbys.

use anyhow::Result;

use super::limit::Limit;
use super::load::{Done, Load};
use super::losing::{Answering, rows as losing};
use super::measured::{Cost, Measured};
use super::nodes::{following, needed};
use super::options::Wanted;
use super::plan::{Plan, Row};
use super::said::{bytes, bytes_a_second, cores, count, rate};

/// Bytes of a page, and seconds between two checkpoints (`checkpoint_timeout`).
const PAGE: f64 = 8_192.0;
const CHECKPOINT: f64 = 300.0;

/// Connections of a node: those that work, two that follow, one that listens.
const CONNECTIONS: f64 = 19.0;

const NAME: &str = "postgres";

pub(crate) fn plan(measured: &Measured, wanted: &Wanted) -> Result<Plan> {
    let load = Load::of(wanted);
    let follow = following(&measured.follows(NAME), load.events());
    let nodes = needed(measured, NAME, &load, wanted, &follow)?;
    let done = Done::by(measured, NAME, &load, wanted, nodes.count)?;
    let size = measured.size(NAME)?;
    let pages = Pages { all: load.rows() * size.rows / PAGE, a_row: size.rows / PAGE };
    let hot = pages.with(wanted.active) * PAGE + load.rows() * size.indexes;
    let disk = load.rows() * size.session() + load.events_kept() * size.event;
    let log = written(&done, pages.with(wanted.active));
    let (working, telling) = (done.sum(|cost| cost.server_us), nodes.count * follow.server_us);
    let out = done.sum(|cost| cost.received) + nodes.count * follow.received + log * wanted.replicas;
    let incoming = done.sum(|cost| cost.sent) + nodes.count * follow.sent;
    let mut limits = vec![
        Limit::new("memory of the primary", hot, wanted.room(wanted.memory)),
        Limit::new("cores of the primary", working + telling, wanted.time(wanted.cores)),
        Limit::new("network of the primary", out.max(incoming), wanted.wire()),
        Limit::new("disk of the primary", log, wanted.disk * 1e6 * wanted.load),
    ];
    limits.extend(nodes.limits.iter().cloned());
    let answering = Answering {
        servers: 1.0,
        capacity: wanted.cores * 1e6 / measured.cost(NAME, "check")?.server_us,
        used: (working + telling) / 1e6 / wanted.cores,
    };
    let rows: Vec<Row> = vec![
        ("primary and standbys", count(1.0 + wanted.replicas)),
        ("on disk, without the write-ahead log", bytes(disk)),
        ("of it in use, to be in memory", bytes(hot)),
        ("cores at work: calls", cores(working / 1e6)),
        ("cores at work: telling the nodes", cores(telling / 1e6)),
        ("write-ahead log", bytes_a_second(log)),
        ("the same, between two checkpoints", bytes(log * CHECKPOINT)),
        ("network, out", bytes_a_second(out)),
        ("connections", count(nodes.count * CONNECTIONS)),
        ("store calls a second", rate(done.calls())),
    ];
    Ok(Plan {
        stores: 1.0,
        losing: losing(wanted, &load, &nodes, &answering),
        servers: 1.0 + wanted.replicas,
        calls: done.calls(),
        load,
        nodes,
        rows,
        limits,
        less: "",
    })
}

/// The pages that sessions lie in.
struct Pages {
    all: f64,
    /// The part of a page that a session takes.
    a_row: f64,
}

impl Pages {
    /// Those in which one of so large a share of all sessions lies, spread evenly.
    fn with(&self, share: f64) -> f64 {
        self.all * (1.0 - (1.0 - share).powf(1.0 / self.a_row))
    }
}

/// Bytes of the write-ahead log in a second. The first write to a page after a checkpoint has all of the
/// page in it: of so many that fall on pages at random, one for each page that is hit at all.
fn written(done: &Done<'_>, pages: f64) -> f64 {
    let falling = (done.often("change") + done.often("touch")) * CHECKPOINT;
    let first = if falling > 0.0 { pages * (1.0 - (-falling / pages).exp()) / falling } else { 0.0 };
    done.sum(|cost| {
        let whole = cost.disk_first.unwrap_or(cost.disk);
        // Others go through indexes too, whose pages they have for themselves.
        let share = if is_of_a_row(cost) { first } else { 1.0 };
        cost.disk + share * (whole - cost.disk).max(0.0)
    })
}

fn is_of_a_row(cost: &Cost) -> bool {
    matches!(cost.of.as_str(), "change" | "touch")
}
