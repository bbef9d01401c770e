//! Tables: on a terminal, and in the book.

use std::fmt::Write;

use anyhow::Result;

use super::fitting::{largest, plan};
use super::limit::nearest;
use super::load::Load;
use super::measured::{Cost, DONE, Line, Measured};
use super::options::{Routing, Wanted};
use super::plan::{Engine, Plan, Row};
use super::said::{bytes, bytes_a_second, cores, count, micros, rate, seconds, share};

/// Figures in columns. The first column and the head are words.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// For a terminal, each column as wide as it has to be.
    pub(crate) fn for_terminal(&self) -> String {
        let wide = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(wide).collect();
        let mut text = String::new();
        for row in [&self.head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let aligned =
                    if column == 0 { format!("{cell:width$}") } else { format!("  {cell:>width$}") };
                line += &aligned;
            }
            writeln!(text, "{}", line.trim_end()).expect("writing to a string does not fail");
        }
        text
    }

    /// For the book.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: String =
            (0..self.head.len()).map(|column| if column == 0 { "|---" } else { "|---:" }).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{rule}|\n{rows}", line(&self.head))
    }
}

/// A name, and a figure for each of several plans.
fn across<T>(name: &str, of: &[T], said: impl Fn(&T) -> String) -> Vec<String> {
    [name.to_owned()].into_iter().chain(of.iter().map(said)).collect()
}

fn head(first: &str, wanted: &[Wanted]) -> Vec<String> {
    across(first, wanted, |wanted| count(wanted.sessions))
}

/// What comes in, whatever the engine.
pub(crate) fn incoming(wanted: &[Wanted]) -> Table {
    let loads: Vec<Load> = wanted.iter().map(Load::of).collect();
    let row = |name, said: &dyn Fn(&Load) -> String| across(name, &loads, said);
    Table {
        head: head("live sessions", wanted),
        rows: vec![
            row("active at the busiest hour", &|load| count(load.active)),
            row("requests a second", &|load| rate(load.requests)),
            row("changes of data a second", &|load| rate(load.changes)),
            row("sign-ins a second, and as many ends", &|load| rate(load.begins)),
            row("people who come, a second", &|load| rate(load.visits)),
            row("events a second", &|load| rate(load.events())),
            row("rows, with those of the last day's ends", &|load| count(load.rows())),
        ],
    }
}

/// Plans for one engine, with what they take.
pub(crate) fn plans(engine: Engine, measured: &Measured, wanted: &[Wanted]) -> Result<Table> {
    let plans = wanted.iter().map(|wanted| plan(engine, measured, wanted)).collect::<Result<Vec<_>>>()?;
    let several = plans.iter().any(|plan| plan.stores > 1.0);
    let row = |name: &str, said: &dyn Fn(&Plan) -> String| across(name, &plans, said);
    let missing = if engine == Engine::Embedded { "" } else { " while one is missing" };
    let mut rows = Vec::new();
    if several {
        rows.push(row("stores, each with nodes of its own", &|plan| count(plan.stores)));
        rows.push(row("with one less, short of", &|plan| plan.less.to_owned()));
        rows.push(row("of each: live sessions", &|plan| count(plan.load.sessions)));
    }
    if engine != Engine::Embedded {
        rows.push(row("nodes", &|plan| count(plan.nodes.count)));
    }
    rows.push(row(&format!("cores at work in a node{missing}"), &|plan| cores(plan.nodes.cores)));
    rows.push(row("near cache of a node", &|plan| bytes(plan.nodes.near)));
    rows.push(row(&format!("network of a node{missing}"), &|plan| bytes_a_second(plan.nodes.wire)));
    rows.extend(joined(&plans, |plan| &plan.rows));
    rows.push(row("the log reaches back", &|plan| seconds(plan.load.log_reaches())));
    rows.extend(joined(&plans, |plan| &plan.losing));
    if let Some(none) = plans.iter().find(|plan| !plan.fits()) {
        anyhow::bail!(
            "{}: no number of stores is enough: {} is short however few sessions there are",
            engine.name(),
            nearest(&none.limits).what
        );
    }
    Ok(Table { head: head("live sessions", wanted), rows })
}

/// The rows of plans of one engine, which all have the same.
fn joined(plans: &[Plan], of: impl Fn(&Plan) -> &Vec<Row>) -> Vec<Vec<String>> {
    let Some(first) = plans.first() else { return Vec::new() };
    let row = |at: usize, name: &str| across(name, plans, |plan| of(plan)[at].1.clone());
    of(first).iter().enumerate().map(|(at, (name, _))| row(at, name)).collect()
}

/// How many sessions fit in one store of each engine.
pub(crate) fn most(measured: &Measured, wanted: &Wanted) -> Result<Table> {
    let mut rows = Vec::new();
    for engine in Engine::ALL {
        let mut row = vec![engine.title().to_owned()];
        for routing in [Routing::Any, Routing::Session] {
            let (sessions, short) = largest(engine, measured, &Wanted { routing, ..wanted.clone() })?;
            row.extend([count(sessions), short.to_owned()]);
        }
        rows.push(row);
    }
    let head = ["one store", "to any node", "then short of", "to one node", "then short of"];
    Ok(Table { head: head.map(Into::into).into(), rows })
}

/// What it makes for nodes and engines which node a request goes to.
pub(crate) fn routings(measured: &Measured, wanted: &[Wanted]) -> Result<Table> {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Redis] {
        for routing in [Routing::Any, Routing::Session] {
            for wanted in wanted {
                let plan = plan(engine, measured, &Wanted { routing, ..wanted.clone() })?;
                rows.push(vec![
                    format!("{}, {}, {}", engine.title(), routing.name(), count(wanted.sessions)),
                    count(plan.stores),
                    count(plan.stores * plan.nodes.count),
                    count(plan.stores * plan.servers),
                    bytes(plan.nodes.near),
                    rate(plan.stores * plan.calls),
                ]);
            }
        }
    }
    let head = [
        "engine, routing, sessions",
        "stores",
        "nodes",
        "servers",
        "near cache of a node",
        "store calls a second",
    ];
    Ok(Table { head: head.map(Into::into).into(), rows })
}

/// Room.
pub(crate) fn sizes(measured: &Measured) -> Result<Table> {
    let mut rows = Vec::new();
    for engine in Engine::ALL {
        let size = measured.size(engine.name())?;
        let exact = |bytes: f64| format!("{bytes:.0} B");
        rows.push(
            [
                engine.title().to_owned(),
                exact(size.rows),
                exact(size.indexes),
                exact(size.users),
                exact(size.session()),
                exact(size.event),
            ]
            .into(),
        );
    }
    let head = ["a session in", "row", "indexes", "of its user", "together", "an event"];
    Ok(Table { head: head.map(Into::into).into(), rows })
}

/// What a node needs for itself.
pub(crate) fn node(measured: &Measured) -> Result<Table> {
    let (check_us, check_bytes) = measured.verify()?;
    let rows = vec![
        vec!["a session in memory".into(), format!("{:.0} B", measured.near()?)],
        vec!["a check over HTTP, from memory: processor time".into(), micros(check_us)],
        vec!["its request and answer".into(), format!("{check_bytes:.0} B")],
    ];
    Ok(Table { head: vec!["in a node".into(), String::new()], rows })
}

/// What each thing costs.
pub(crate) fn costs(engine: Engine, measured: &Measured) -> Result<Table> {
    let shared = engine != Engine::Embedded;
    let mut rows = Vec::new();
    for of in DONE {
        let cost = measured.cost(engine.name(), of)?;
        let mut row = vec![name(of).to_owned(), micros(cost.client_us)];
        if shared {
            row.extend([micros(cost.server_us), rate(cost.trips), bytes(cost.sent), bytes(cost.received)]);
        }
        row.push(disk(engine, cost));
        if engine == Engine::Redis {
            row.push(cost.commands.map(rate).unwrap_or_default());
        }
        row.push(rate(cost.per_second));
        rows.push(row);
    }
    let mut head = vec!["", "node"];
    if shared {
        head.extend(["server", "round trips", "sent", "received"]);
    }
    head.push(match engine {
        Engine::Embedded => "to disk",
        Engine::Postgres => "log, first / again",
        Engine::Redis => "file",
    });
    if engine == Engine::Redis {
        head.push("commands");
    }
    head.push("a second, here");
    Ok(Table { head: head.into_iter().map(Into::into).collect(), rows })
}

/// What is done, in words.
pub(crate) fn name(of: &str) -> &str {
    match of {
        "check" => "check in the store",
        "change" => "change of data",
        "touch" => "activity",
        "sign_in" => "sign-in",
        "end" => "end",
        "forget" => "forgetting a session",
        _ => "forgetting an event",
    }
}

fn disk(engine: Engine, cost: &Cost) -> String {
    match cost.disk_first {
        Some(first) if engine == Engine::Postgres => format!("{} / {}", bytes(first), bytes(cost.disk)),
        _ => bytes(cost.disk),
    }
}

/// What a node costs that follows.
pub(crate) fn following(measured: &Measured) -> Table {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Redis] {
        for second in measured.follows(engine.name()) {
            rows.push(vec![
                format!("{}, {} events a second", engine.title(), rate(second.events)),
                rate(second.polls),
                share(second.node_us / 1e6),
                share(second.server_us / 1e6),
                bytes_a_second(second.received),
            ]);
        }
    }
    let head =
        ["one node, following", "questions a second", "of a core, node", "of a core, server", "received"];
    Table { head: head.map(Into::into).into(), rows }
}

/// For how long nothing could be begun when a server was lost.
pub(crate) fn outages(measured: &Measured) -> Table {
    let row = |line: &Line| match line {
        Line::Outage { servers, noticed, median, most } => Some(vec![
            match servers.as_str() {
                "postgres" => "PostgreSQL: the primary is killed, a standby promoted at once",
                "sentinels" => "Redis: the primary is killed, with three sentinels",
                _ => "Redis Cluster: one of three primaries is killed",
            }
            .to_owned(),
            seconds(*median),
            seconds(*most),
            noticed.map_or_else(String::new, seconds),
        ]),
        _ => None,
    };
    let head = ["lost", "median", "longest", "of it until it is noticed, by the setting"];
    Table { head: head.map(Into::into).into(), rows: measured.lines.iter().filter_map(row).collect() }
}
