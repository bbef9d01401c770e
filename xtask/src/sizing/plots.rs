//! What people look at rather than read.

use anyhow::Result;

use super::measured::{DONE, Measured};
use super::plan::Engine;
use super::tables::name;
use crate::plot::{Bar, bars};

/// The files of the page, with what is in them.
pub(crate) fn all(measured: &Measured) -> Result<[(&'static str, String); 2]> {
    let mut room = Vec::new();
    let mut time = Vec::new();
    for engine in Engine::ALL {
        let label = engine.title().to_owned();
        room.push(Bar { label, value: measured.size(engine.name())?.session(), ours: true });
    }
    room.push(Bar { label: "the memory of a node".into(), value: measured.near()?, ours: false });
    for engine in [Engine::Postgres, Engine::Redis] {
        for of in DONE.into_iter().take(5) {
            let label = format!("{}: {}", engine.title(), name(of));
            time.push(Bar { label, value: measured.cost(engine.name(), of)?.server_us, ours: true });
        }
    }
    Ok([
        ("sizing-room.svg", bars("A session, in bytes", &room)),
        ("sizing-time.svg", bars("Processor time of the engine's server, in microseconds", &time)),
    ])
}
