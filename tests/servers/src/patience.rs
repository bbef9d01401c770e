//! Waiting for what a real program does, and giving up when it does not: a hang is told.

use std::time::Duration;

/// How long to wait before looking again, and how often: more than two minutes in all.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: u32 = 7_000;

/// How often one has looked for something already.
#[derive(Debug, Default)]
pub struct Patience(u32);

impl Patience {
    /// How long to wait before looking again. `found` is what there was instead.
    ///
    /// # Panics
    /// When one has looked often enough.
    pub fn pause(&mut self, found: impl std::fmt::Debug) -> Duration {
        self.0 += 1;
        assert!(self.0 < LOOKS, "it does not come to that; there is {found:?}");
        PAUSE
    }
}

/// Looks until something is as it should be.
///
/// # Panics
/// When it does not come to that.
pub fn eventually<T: std::fmt::Debug>(mut look: impl FnMut() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let mut patience = Patience::default();
    loop {
        let found = look();
        if is_right(&found) {
            return found;
        }
        std::thread::sleep(patience.pause(found));
    }
}
