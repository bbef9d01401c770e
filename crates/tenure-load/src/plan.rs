//! What is to be asked, how often, and of whom.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::LoadError;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Guest,
    SignIn,
    Check,
    Change,
    End,
    Attack,
    Ended,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Guest, Self::SignIn, Self::Check, Self::Change, Self::End, Self::Attack, Self::Ended];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::SignIn => "sign-in",
            Self::Check => "check",
            Self::Change => "change",
            Self::End => "end",
            Self::Attack => "attack",
            Self::Ended => "ended",
        }
    }
}

/// How often each kind of request comes, as weights.
///
/// # Example
/// ```
/// use tenure_load::Mix;
///
/// let mix: Mix = "check=90,change=10".parse()?;
/// assert_eq!(mix.to_string(), "check=90,change=10");
/// assert!("chek=90".parse::<Mix>().unwrap_err().to_string().contains("guest, sign-in, check"));
/// # Ok::<(), tenure_load::LoadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix([u32; 7]);

impl Default for Mix {
    fn default() -> Self {
        Self([4, 6, 72, 10, 4, 2, 2])
    }
}

impl Mix {
    /// The kind for a number below 1.
    pub(crate) fn pick(&self, at: f64) -> Kind {
        let all: u32 = self.0.iter().sum();
        let mut left = at * f64::from(all);
        for (kind, weight) in Kind::ALL.into_iter().zip(self.0) {
            left -= f64::from(weight);
            if left < 0.0 {
                return kind;
            }
        }
        Kind::Check
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = Kind::ALL.iter().zip(self.0).filter(|(_, weight)| *weight > 0);
        let parts: Vec<_> = parts.map(|(kind, weight)| format!("{}={weight}", kind.as_str())).collect();
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Mix {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        let mut weights = [0; 7];
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, ""));
            let at = Kind::ALL.iter().position(|kind| kind.as_str() == name.trim());
            let weight = weight.trim().parse::<u32>().ok().filter(|weight| *weight <= 1_000_000);
            let (Some(at), Some(weight)) = (at, weight) else {
                let names = Kind::ALL.map(Kind::as_str).join(", ");
                return Err(LoadError::Settings(format!(
                    "mix `{part}`: say KIND=WEIGHT with a kind of {names} and a weight up to 1000000"
                )));
            };
            weights[at] = weight;
        }
        if weights.iter().all(|weight| *weight == 0) {
            return Err(LoadError::Settings("mix: at least one weight is above 0".into()));
        }
        Ok(Self(weights))
    }
}

/// How a run goes.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tenure_load::Settings;
///
/// let settings = Settings { rate: 500.0, ..Settings::of(vec!["http://127.0.0.1:8700".into()]) };
/// assert_eq!(settings.bound, Duration::ZERO, "one server does what it acknowledged");
/// let two = Settings::of(vec!["http://a:1".into(), "http://b:1".into()]);
/// assert_eq!(two.bound, Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made with `..Settings::of(servers)`")]
pub struct Settings {
    /// Where the servers are, `http://HOST:PORT`; requests go to them in turn.
    pub servers: Vec<String>,
    /// How many requests begin in a second, on average.
    pub rate: f64,
    /// How long requests begin, after the warm-up.
    pub duration: Duration,
    /// How long requests begin before they count.
    pub warm_up: Duration,
    /// How many live sessions there are at most.
    pub population: usize,
    /// How many requests run at once at most.
    pub outstanding: usize,
    /// How long an answer may take.
    pub patience: Duration,
    /// Which requests come, and how often.
    pub mix: Mix,
    /// For how long after its acknowledgement an end or a change may be unknown to a server.
    pub bound: Duration,
    /// What chance begins with: the same gives the same requests.
    pub seed: u64,
}

impl Settings {
    /// The defaults, for these servers.
    pub fn of(servers: Vec<String>) -> Self {
        let bound = if servers.len() > 1 { Duration::from_secs(1) } else { Duration::ZERO };
        Self {
            servers,
            rate: 100.0,
            duration: Duration::from_secs(30),
            warm_up: Duration::from_secs(2),
            population: 1_000,
            outstanding: 1_000,
            patience: Duration::from_secs(10),
            mix: Mix::default(),
            bound,
            seed: 1,
        }
    }

    /// Whether a run can go so.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let wrong = |what: &str| Err(LoadError::Settings(what.into()));
        if self.servers.is_empty() || self.servers.len() > 64 {
            return wrong("from 1 to 64 servers");
        }
        if !(0.1..=1_000_000.0).contains(&self.rate) {
            return wrong("the rate is from 0.1 to 1000000 requests a second");
        }
        if self.duration.is_zero() || self.duration > Duration::from_secs(7 * 86_400) {
            return wrong("the duration is from above 0 to 7 days");
        }
        if !(1..=1_000_000).contains(&self.population) || !(1..=100_000).contains(&self.outstanding) {
            return wrong("the population is from 1 to 1000000, requests at once from 1 to 100000");
        }
        for server in &self.servers {
            if server.starts_with("https:") {
                return wrong(
                    "https is not in this release: load the plain port behind the proxy, or through a tunnel",
                );
            }
            let uri = server.parse::<hyper::Uri>().ok().filter(|uri| {
                uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none()
            });
            if uri.is_none() {
                return Err(LoadError::Settings(format!("server {server}: say http://HOST:PORT")));
            }
        }
        Ok(())
    }
}
