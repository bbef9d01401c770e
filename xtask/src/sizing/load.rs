//! What comes in at the busiest hour, in a second.

use anyhow::Result;

use super::measured::{Cost, DONE, Measured};
use super::options::{Routing, Wanted};

/// The most events that a store keeps, and for how many seconds at the most.
pub(crate) const EVENTS_KEPT: f64 = 5e6;
pub(crate) const EVENTS_KEPT_FOR: f64 = 7.0 * DAY;

pub(crate) const DAY: f64 = 86_400.0;

/// A node writes the activity of a session so often at the most, in seconds: the policy's default.
const TOUCH: f64 = 60.0;

/// What comes in, whatever there is to take it.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) sessions: f64,
    pub(crate) active: f64,
    pub(crate) requests: f64,
    pub(crate) changes: f64,
    /// Sign-ins; as many sessions end.
    pub(crate) begins: f64,
    /// Those who were not there for a while, and come.
    pub(crate) visits: f64,
}

impl Load {
    pub(crate) fn of(wanted: &Wanted) -> Self {
        let active = wanted.sessions * wanted.active;
        let requests = active / wanted.every;
        Self {
            sessions: wanted.sessions,
            active,
            requests,
            changes: requests * wanted.changes,
            begins: wanted.sessions / (wanted.life * DAY),
            visits: active / (wanted.visit * 60.0),
        }
    }

    /// Each beginning, change and end is one.
    pub(crate) fn events(&self) -> f64 {
        self.changes + 2.0 * self.begins
    }

    /// Rows of sessions: those that live, and those that ended within the last day.
    pub(crate) fn rows(&self) -> f64 {
        self.sessions + self.begins * DAY
    }

    /// Events that are kept.
    pub(crate) fn events_kept(&self) -> f64 {
        EVENTS_KEPT.min(self.events() * EVENTS_KEPT_FOR)
    }

    /// For how many seconds events are kept.
    pub(crate) fn log_reaches(&self) -> f64 {
        if self.events() > 0.0 { self.events_kept() / self.events() } else { EVENTS_KEPT_FOR }
    }

    /// Checks that so many nodes do not answer from memory.
    ///
    /// A session that goes to one node is loaded when somebody comes. One that goes to any is loaded by
    /// each node that it comes to; and each change makes the others load it anew, as many of them as
    /// there are requests until the next change.
    pub(crate) fn loads(&self, wanted: &Wanted, nodes: f64) -> f64 {
        match wanted.routing {
            Routing::Session => self.visits,
            Routing::Any => {
                let requests = (wanted.visit * 60.0 / wanted.every).max(1.0);
                let again = if self.changes > 0.0 {
                    self.changes * (nodes - 1.0).min((1.0 - wanted.changes) / wanted.changes)
                } else {
                    0.0
                };
                (self.visits * nodes.min(requests) + again).min(self.requests)
            }
        }
    }

    /// Moments of activity that so many nodes write. Each that sees a session writes it once a minute.
    pub(crate) fn touches(&self, wanted: &Wanted, nodes: f64) -> f64 {
        let seen_by = if wanted.routing == Routing::Any { nodes } else { 1.0 };
        self.requests.min(self.active * seen_by / TOUCH)
    }
}

/// How often each thing is done in a second, by so many nodes together, with what it costs.
pub(crate) struct Done<'a> {
    pub(crate) each: Vec<(f64, &'a Cost)>,
}

impl<'a> Done<'a> {
    pub(crate) fn by(
        measured: &'a Measured,
        engine: &str,
        load: &Load,
        wanted: &Wanted,
        nodes: f64,
    ) -> Result<Self> {
        let often = |of: &str| match of {
            "check" => load.loads(wanted, nodes),
            "change" => load.changes,
            "touch" => load.touches(wanted, nodes),
            // Each that begins ends, and what has ended is forgotten a day later.
            "sign_in" | "end" | "forget" => load.begins,
            _ => load.events(),
        };
        let each = DONE.into_iter().map(|of| Ok((often(of), measured.cost(engine, of)?)));
        Ok(Self { each: each.collect::<Result<_>>()? })
    }

    /// So much of something that each costs, in a second.
    pub(crate) fn sum(&self, of: impl Fn(&Cost) -> f64) -> f64 {
        self.each.iter().map(|(often, cost)| often * of(cost)).sum()
    }

    /// How often one of them is done.
    pub(crate) fn often(&self, of: &str) -> f64 {
        self.each.iter().find(|(_, cost)| cost.of == of).map_or(0.0, |(often, _)| *often)
    }

    /// Calls of the store.
    pub(crate) fn calls(&self) -> f64 {
        ["check", "change", "sign_in", "end"].iter().map(|of| self.often(of)).sum()
    }
}
