//! A plan for the embedded store: one process, which is node and store in one.

use anyhow::Result;

use super::limit::Limit;
use super::load::{Done, Load};
use super::measured::Measured;
use super::nodes::{Nodes, check};
use super::options::Wanted;
use super::plan::{Plan, Row};
use super::said::{bytes, bytes_a_second, rate, share};

const NAME: &str = "embedded";

pub(crate) fn plan(measured: &Measured, wanted: &Wanted) -> Result<Plan> {
    let load = Load::of(wanted);
    let done = Done::by(measured, NAME, &load, wanted, 1.0)?;
    let size = measured.size(NAME)?;
    let (check_us, check_bytes) = check(measured, wanted)?;
    let time = load.requests * check_us + done.sum(|cost| cost.client_us);
    let near = load.active * measured.near()?;
    let disk = load.rows() * size.session() + load.events_kept() * size.event;
    let wrote = done.sum(|cost| if cost.of == "check" { 0.0 } else { cost.disk });
    // One thread writes: the share of a second that it takes for all of them, as fast as it was measured.
    let writing = done.sum(|cost| if cost.of == "check" { 0.0 } else { 1.0 / cost.per_second });
    let wire = load.requests * check_bytes;
    let limits = vec![
        Limit::new("cores of the machine", time, wanted.time(wanted.node_cores)),
        Limit::new("the one writer", writing, wanted.load),
        Limit::new("memory of the machine", near, wanted.room(wanted.node_memory)),
        Limit::new("network of the machine", wire, wanted.wire()),
        Limit::new("disk of the machine", wrote, wanted.disk * 1e6 * wanted.load),
    ];
    let rows: Vec<Row> = vec![
        ("on disk", bytes(disk)),
        ("of the one writer's time", share(writing)),
        ("written to disk", bytes_a_second(wrote)),
        ("store calls a second", rate(done.calls())),
    ];
    let nodes = Nodes { count: 1.0, cores: time / 1e6, near, wire, limits: Vec::new() };
    // With the process all is gone but the file: nothing is answered until it is started again.
    Ok(Plan {
        stores: 1.0,
        losing: Vec::new(),
        servers: 0.0,
        calls: done.calls(),
        load,
        nodes,
        rows,
        limits,
        less: "",
    })
}
