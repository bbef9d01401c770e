//! Sessions on each engine.

#![allow(dead_code, reason = "each test uses its part")]

use std::time::Duration;

use tempfile::TempDir;
use tenure::clock::{Clock, TestClock};
use tenure::{Memory, Sessions};
use tenure_embedded::Embedded;
use time::OffsetDateTime;

/// Sessions, the clock they live by, and the folder they lie in.
pub(crate) struct Kit {
    pub(crate) sessions: Sessions,
    pub(crate) clock: TestClock,
    pub(crate) folder: TempDir,
}

impl Kit {
    /// In memory and on disk, at the time that tower-sessions goes by.
    pub(crate) async fn each() -> [Self; 2] {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let clocks = [now(), now()];
        let memory = Sessions::builder(Memory).clock(clocks[0].clone()).without_background();
        let at = folders[1].path();
        let engine = Embedded::at(at.join("store")).config_dir(at.join("config"));
        let embedded = Sessions::builder(engine).clock(clocks[1].clone()).without_background();
        let sessions = [memory.open().await.unwrap(), embedded.open().await.unwrap()];
        let [folder_of_memory, folder] = folders;
        let [clock_of_memory, clock] = clocks;
        let [memory, embedded] = sessions;
        [
            Self { sessions: memory, clock: clock_of_memory, folder: folder_of_memory },
            Self { sessions: embedded, clock, folder },
        ]
    }
}

fn now() -> TestClock {
    let clock = TestClock::default();
    let since_1970 = (OffsetDateTime::now_utc() - OffsetDateTime::UNIX_EPOCH).unsigned_abs();
    clock.advance(since_1970 - Duration::from_millis(clock.wall().as_millis()));
    clock
}
