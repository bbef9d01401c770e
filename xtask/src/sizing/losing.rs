//! What it costs to lose a node, all nodes, or a server of the engine.

use super::load::Load;
use super::nodes::Nodes;
use super::options::{Routing, Wanted};
use super::plan::Row;
use super::said::{count, rate, seconds, share};

/// How fast an engine answers checks that nodes cannot.
pub(crate) struct Answering {
    /// Those that take writes.
    pub(crate) servers: f64,
    /// Checks in a second if they did nothing else.
    pub(crate) capacity: f64,
    /// The share of that which other things take.
    pub(crate) used: f64,
}

impl Answering {
    fn left(&self) -> f64 {
        (self.capacity * (1.0 - self.used)).max(0.0)
    }

    /// How long so many sessions take that are loaded when they are asked for, at first so many a second:
    /// until each has been asked for once on average, or longer if the engine does not answer so many.
    fn loads(&self, sessions: f64, a_second: f64) -> f64 {
        sessions / a_second.min(self.left())
    }
}

pub(crate) fn rows(wanted: &Wanted, load: &Load, nodes: &Nodes, answering: &Answering) -> Vec<Row> {
    // With any routing the others have everything, and the one that takes its place begins with nothing.
    let copies = match wanted.routing {
        Routing::Any => load.active,
        Routing::Session => load.active / nodes.count,
    };
    let at_first = load.requests / nodes.count;
    vec![
        ("a node is lost or new: sessions to load", count(copies)),
        ("loads a second, at first", rate(at_first)),
        ("of what the engine has left", share(at_first / answering.left())),
        ("two thirds are there after", seconds(answering.loads(copies, at_first))),
        ("all nodes begin anew: sessions to load", count(load.active)),
        ("loads a second, at first", rate(load.requests)),
        ("of what the engine has left", share(load.requests / answering.left())),
        ("two thirds are there after", seconds(answering.loads(load.active, load.requests))),
        ("a primary is lost: sessions without an answer", share(1.0 / answering.servers)),
    ]
}
