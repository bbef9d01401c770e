//! The clock: steady, whatever the machine's clock does.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn steady() -> (TestClock, SteadyClock) {
    let clock = TestClock::default();
    (clock.clone(), SteadyClock::new(Arc::new(clock)))
}

#[test]
fn a_clock_that_steps_back_is_not_followed_and_time_goes_on() {
    let (clock, steady) = steady();
    let start = steady.now();
    clock.step_back(HOUR);
    assert_eq!(steady.read(), Ok(start));
    clock.advance(Duration::from_secs(60));
    assert_eq!(steady.read(), Ok(start.plus(Duration::from_secs(60))));
}

#[test]
fn a_clock_that_jumps_ahead_is_an_error_until_it_is_back() {
    let (clock, steady) = steady();
    let start = steady.now();
    clock.jump_ahead(365 * 24 * HOUR);
    assert_eq!(steady.read().unwrap_err().ahead, 365 * 24 * HOUR);
    assert_eq!(steady.now(), start);
    clock.step_back(365 * 24 * HOUR);
    clock.advance(HOUR);
    assert_eq!(steady.read(), Ok(start.plus(HOUR)));
}

/// A thread that is stopped for a minute between any two readings.
struct Interrupted(TestClock, std::sync::atomic::AtomicU32);

impl Clock for Interrupted {
    fn wall(&self) -> Timestamp {
        let wall = self.0.wall();
        self.interrupt();
        wall
    }

    fn running(&self) -> Duration {
        let running = self.0.running();
        self.interrupt();
        running
    }
}

impl Interrupted {
    fn interrupt(&self) {
        if self.1.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.0.advance(Duration::from_secs(60));
        }
    }
}

#[test]
fn p4_a_thread_that_is_stopped_while_it_reads_the_clock_does_not_make_time_run_ahead() {
    for at in 0..9 {
        let clock = TestClock::default();
        let interrupted = Interrupted(clock.clone(), std::sync::atomic::AtomicU32::new(at));
        let steady = SteadyClock::new(Arc::new(interrupted));
        for _ in 0..3 {
            assert!(steady.read().unwrap() <= clock.wall(), "stopped after reading {at}");
        }
        assert_eq!(steady.read(), Ok(clock.wall()), "stopped after reading {at}");
    }
}

/// A clock whose wall need not be read more often than every ten milliseconds.
struct Held(TestClock);

impl Clock for Held {
    fn wall(&self) -> Timestamp {
        self.0.wall()
    }

    fn running(&self) -> Duration {
        self.0.running()
    }

    fn wall_holds(&self) -> Duration {
        SystemClock.wall_holds()
    }
}

#[test]
fn p4_a_jump_of_a_wall_clock_that_is_read_now_and_then_is_seen_ten_milliseconds_later() {
    let clock = TestClock::default();
    let steady = SteadyClock::new(Arc::new(Held(clock.clone())));
    let start = steady.read().unwrap();
    clock.jump_ahead(365 * 24 * HOUR);
    clock.advance(Duration::from_millis(9));
    assert_eq!(steady.read(), Ok(start.plus(Duration::from_millis(9))), "time goes on");
    clock.advance(Duration::from_millis(1));
    assert_eq!(steady.read().unwrap_err().ahead, 365 * 24 * HOUR);
    clock.advance(Duration::from_millis(1));
    assert!(steady.read().is_err(), "and stays seen");
    clock.step_back(365 * 24 * HOUR);
    assert_eq!(steady.read(), Ok(start.plus(Duration::from_millis(11))));
}

#[test]
fn a_small_correction_is_believed_once() {
    let (clock, steady) = steady();
    let start = steady.now();
    clock.jump_ahead(BELIEVED_CORRECTION);
    assert_eq!(steady.read(), Ok(start.plus(BELIEVED_CORRECTION)));
    clock.step_back(BELIEVED_CORRECTION);
    assert_eq!(steady.read(), Ok(start.plus(BELIEVED_CORRECTION)));
}

#[test]
fn a_timestamp_reads_as_rfc_3339() {
    let at = Timestamp::from_millis(1_767_225_600_123);
    assert_eq!(at.to_string(), "2026-01-01T00:00:00.123Z");
    assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
    for text in ["", "now", "2026-01-01", "2026-13-01T00:00:00Z"] {
        assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
    }
}
