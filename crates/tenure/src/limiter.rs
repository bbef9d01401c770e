//! How often something may happen for one network: the generic cell rate algorithm.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many networks are told apart. Beyond, the newcomers share one allowance.
const NETWORKS: usize = 10_000;

/// Allows each network a number of events a minute, all at once or spread. Those whom nobody
/// can place are not limited, unless they share an allowance: one stranger can use that up.
pub(crate) struct Limiter {
    spacing: Duration,
    /// What those share whom nobody can place.
    spacing_of_unplaced: Option<Duration>,
    burst: Duration,
    /// When each network's allowance is whole again, on the running clock.
    whole_at: Mutex<HashMap<Network, Duration>>,
}

/// An IPv4 /24 or IPv6 /64: what one party can easily have many addresses of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 3]),
    V6([u8; 8]),
    Others,
    Unplaced,
}

impl Limiter {
    pub(crate) fn per_minute(events: u32) -> Self {
        let burst = Duration::from_secs(60);
        let spacing = burst / events.max(1);
        Self { spacing, spacing_of_unplaced: None, burst, whole_at: Mutex::default() }
    }

    /// Gives those whom nobody can place together what that many networks have.
    pub(crate) fn unplaced_as(self, networks: u32) -> Self {
        Self { spacing_of_unplaced: Some(self.spacing / networks.max(1)), ..self }
    }

    /// Takes one event from the allowance of `ip` at `now`.
    ///
    /// # Errors
    /// How long to wait, when there is none left.
    pub(crate) fn take(&self, ip: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        self.with(ip, now, |whole_at, spacing| *whole_at += spacing)
    }

    /// Whether there is something left, without taking it.
    pub(crate) fn look(&self, ip: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        self.with(ip, now, |_, _| {})
    }

    fn with(
        &self,
        ip: Option<IpAddr>,
        now: Duration,
        then: impl Fn(&mut Duration, Duration),
    ) -> Result<(), Duration> {
        let (mut network, spacing) = match (ip, self.spacing_of_unplaced) {
            (Some(ip), _) => (Network::of(ip), self.spacing),
            (None, Some(spacing)) => (Network::Unplaced, spacing),
            (None, None) => return Ok(()),
        };
        let mut networks = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS && !networks.contains_key(&network) {
            networks.retain(|_, whole_at| *whole_at > now);
            if networks.len() >= NETWORKS {
                network = Network::Others;
            }
        }
        let whole_at = networks.entry(network).or_insert(now);
        *whole_at = (*whole_at).max(now);
        let wait = (*whole_at + spacing).saturating_sub(now + self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        then(whole_at, spacing);
        Ok(())
    }
}

impl Network {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let mut network = [0; 8];
                network.copy_from_slice(&ip.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_allowance_and_gets_it_back() {
        let limiter = Limiter::per_minute(60);
        let ip = |last| Some(IpAddr::from([192, 0, 2, last]));
        let start = Duration::from_secs(1_000);
        for event in 0..60 {
            assert_eq!(limiter.take(ip(event), start), Ok(()), "event {event}");
        }
        assert_eq!(limiter.take(ip(1), start), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take(Some(IpAddr::from([192, 0, 3, 1])), start), Ok(()));
        assert_eq!(limiter.take(ip(1), start + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn those_whom_nobody_can_place_share_an_allowance_where_they_have_one() {
        let start = Duration::from_secs(1_000);
        let limiter = Limiter::per_minute(1);
        assert!((0..1_000).all(|_| limiter.take(None, start).is_ok()));
        let limiter = Limiter::per_minute(2).unplaced_as(10);
        assert!((0..20).all(|_| limiter.take(None, start).is_ok()));
        assert_eq!(limiter.take(None, start), Err(Duration::from_secs(3)));
        assert_eq!(limiter.take(Some(IpAddr::from([192, 0, 2, 1])), start), Ok(()));
    }

    #[test]
    fn many_networks_do_not_fill_the_memory() {
        let limiter = Limiter::per_minute(1);
        let start = Duration::from_secs(1_000);
        for n in 0..30_000_u32 {
            let [a, b, c, _] = (n << 8).to_be_bytes();
            limiter.take(Some(IpAddr::from([a, b, c, 1])), start).ok();
        }
        assert!(limiter.whole_at.lock().unwrap().len() <= NETWORKS + 1);
    }
}
