//! Policies by name, and how far another one is from them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::rules::{DAY, HOUR, Limits, MINUTE, Policy};
use crate::record::AtLimit;

/// A policy by the name of the rule book it follows.
///
/// # Example: how far a policy is from a rule book
/// ```
/// use tenure::{Deviation, Policy, Preset, UnknownPreset};
///
/// let preset: Preset = "nist-aal2".parse()?;
/// assert_eq!(preset.as_str(), "nist-aal2");
/// assert!(preset.check(&preset.policy()).is_empty());
///
/// let found: Vec<Deviation> = preset.check(&Policy::default());
/// assert!(found.iter().any(|deviation| deviation.field == "remembered.absolute_seconds"));
/// assert_eq!("pci".parse::<Preset>(), Err(UnknownPreset));
/// # Ok::<(), UnknownPreset>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// NIST SP 800-63B-4, authentication assurance level 1 (§2.1.3).
    NistAal1,
    /// NIST SP 800-63B-4, authentication assurance level 2 (§2.2.3).
    NistAal2,
    /// NIST SP 800-63B-4, authentication assurance level 3 (§2.3.3).
    NistAal3,
    /// OWASP ASVS 5.0 level 2 with the numbers of the Session Management Cheat Sheet for
    /// office use: ASVS itself asks for documented limits and names none (7.1.1).
    AsvsL2,
    /// The same for high-value applications.
    AsvsL3,
}

/// Where a policy leaves a [`Preset`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deviation {
    /// The field, as in the configuration file.
    pub field: &'static str,
    /// What it is.
    pub found: String,
    /// What the preset wants.
    pub wanted: String,
    /// Whether the rule book demands it (`must`) or recommends it (`should`).
    pub strength: &'static str,
    /// Where it says so.
    pub source: &'static str,
    /// The reason that the policy gives, if it gives one.
    pub reason: Option<String>,
}

/// Where rule books speak of renewing tokens, of expiry and of rates, as far as they name no
/// number: those are Tenure's.
const RENEWAL: &str = "OWASP Session Management Cheat Sheet, renewal timeout";
const EXPIRATION: &str = "OWASP Session Management Cheat Sheet, session expiration";
const RATES: &str = "OWASP ASVS 5.0 2.4.1";

impl Preset {
    /// All presets.
    pub const ALL: [Self; 5] = [Self::NistAal1, Self::NistAal2, Self::NistAal3, Self::AsvsL2, Self::AsvsL3];

    /// The name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NistAal1 => "nist-aal1",
            Self::NistAal2 => "nist-aal2",
            Self::NistAal3 => "nist-aal3",
            Self::AsvsL2 => "asvs-l2",
            Self::AsvsL3 => "asvs-l3",
        }
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        let bounds = self.bounds();
        let session = Limits { idle_seconds: bounds.idle, absolute_seconds: bounds.absolute };
        Policy {
            session,
            remembered: bounds.remember.then_some(session),
            max_sessions: bounds.max_sessions,
            at_limit: AtLimit::EndLongestIdle,
            recent_authentication_seconds: bounds.recent,
            touch_threshold_seconds: (bounds.idle / 30).clamp(5, MINUTE),
            ..Policy::default()
        }
    }

    /// Where `policy` leaves this preset.
    pub fn check(self, policy: &Policy) -> Vec<Deviation> {
        let bounds = self.bounds();
        let mut found = Vec::new();
        let mut at_most = |field, value: u64, limit: u64, strength, source| {
            if value > limit {
                found.push(Deviation {
                    field,
                    found: value.to_string(),
                    wanted: format!("at most {limit}"),
                    strength,
                    source,
                    reason: policy.deviation_reasons.get(field).cloned(),
                });
            }
        };
        let session = policy.session;
        at_most(
            "session.absolute_seconds",
            session.absolute_seconds,
            bounds.absolute,
            bounds.strength,
            bounds.source,
        );
        at_most("session.idle_seconds", session.idle_seconds, bounds.idle, "should", bounds.source);
        if let Some(limits) = policy.remembered {
            let absolute = limits.absolute_seconds;
            at_most("remembered.absolute_seconds", absolute, bounds.absolute, bounds.strength, bounds.source);
            at_most("remembered.idle_seconds", limits.idle_seconds, bounds.idle, "should", bounds.source);
        }
        let recent = policy.recent_authentication_seconds;
        at_most("recent_authentication_seconds", recent, bounds.recent, "should", "OWASP ASVS 5.0 7.5.2");
        let sessions = u64::from(policy.max_sessions);
        at_most("max_sessions", sessions, u64::from(bounds.max_sessions), "should", "OWASP ASVS 5.0 7.1.2");
        let preset = self.policy();
        let (rotation, wanted) = (policy.rotation, preset.rotation);
        at_most(
            "rotation.interval_seconds",
            rotation.interval_seconds,
            wanted.interval_seconds,
            "should",
            RENEWAL,
        );
        at_most("rotation.grace_seconds", rotation.grace_seconds, wanted.grace_seconds, "should", RENEWAL);
        let (guest, wanted) = (policy.guest, preset.guest);
        at_most("guest.idle_seconds", guest.idle_seconds, wanted.idle_seconds, "should", EXPIRATION);
        at_most(
            "guest.absolute_seconds",
            guest.absolute_seconds,
            wanted.absolute_seconds,
            "should",
            EXPIRATION,
        );
        let per_minute = u64::from(guest.new_per_minute);
        at_most("guest.new_per_minute", per_minute, u64::from(wanted.new_per_minute), "should", RATES);
        let (pending, wanted) = (policy.pending, preset.pending);
        at_most(
            "pending.absolute_seconds",
            pending.absolute_seconds,
            wanted.absolute_seconds,
            "should",
            EXPIRATION,
        );
        let per_user = u64::from(pending.max_per_user);
        at_most("pending.max_per_user", per_user, u64::from(wanted.max_per_user), "should", RATES);
        let touch = policy.touch_threshold_seconds;
        at_most("touch_threshold_seconds", touch, preset.touch_threshold_seconds, "should", EXPIRATION);
        if policy.remembered.is_some() && !bounds.remember {
            found.push(Deviation {
                field: "remembered",
                found: "offered".into(),
                wanted: "none: a bearer cookie does not outlive the browser".into(),
                strength: "should",
                source: "NIST SP 800-63B-4 §5.1",
                reason: policy.deviation_reasons.get("remembered").cloned(),
            });
        }
        found
    }

    fn bounds(self) -> Bounds {
        let nist = |absolute, idle, strength, source, remember| Bounds {
            absolute,
            idle,
            strength,
            source,
            remember,
            max_sessions: 50,
            recent: 15 * MINUTE,
        };
        match self {
            Self::NistAal1 => nist(30 * DAY, 30 * DAY, "should", "NIST SP 800-63B-4 §2.1.3", true),
            Self::NistAal2 => nist(DAY, HOUR, "should", "NIST SP 800-63B-4 §2.2.3", false),
            Self::NistAal3 => nist(12 * HOUR, 15 * MINUTE, "must", "NIST SP 800-63B-4 §2.3.3", false),
            Self::AsvsL2 => Bounds {
                max_sessions: 20,
                ..nist(8 * HOUR, 30 * MINUTE, "should", "OWASP Session Management Cheat Sheet", true)
            },
            Self::AsvsL3 => Bounds {
                max_sessions: 5,
                recent: 5 * MINUTE,
                ..nist(4 * HOUR, 5 * MINUTE, "should", "OWASP Session Management Cheat Sheet", false)
            },
        }
    }
}

struct Bounds {
    absolute: u64,
    idle: u64,
    strength: &'static str,
    source: &'static str,
    remember: bool,
    max_sessions: u32,
    recent: u64,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no [`Preset`] of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such preset; there are {}", Preset::ALL.map(Preset::as_str).join(", "))]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name).ok_or(UnknownPreset)
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, found, wanted, strength, source, .. } = self;
        write!(f, "{field} is {found}, {strength} be {wanted} ({source})")?;
        match &self.reason {
            Some(reason) => write!(f, "; reason given: {reason}"),
            None => f.write_str("; no reason given"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_does_not_leave_itself() {
        for preset in Preset::ALL {
            assert_eq!(preset.check(&preset.policy()), [], "{preset}");
            assert_eq!(preset.as_str().parse(), Ok(preset));
        }
    }

    #[test]
    fn nist_t1_each_deviation_is_told_with_its_source_and_reason() {
        let mut policy = Preset::NistAal3.policy();
        policy.session.absolute_seconds = 13 * HOUR;
        policy.deviation_reasons.insert("session.absolute_seconds".into(), "night shifts".into());
        let found = Preset::NistAal3.check(&policy);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].field, found[0].strength), ("session.absolute_seconds", "must"));
        assert_eq!(found[0].reason.as_deref(), Some("night shifts"));
        assert!(found[0].to_string().contains("§2.3.3"));
    }

    #[test]
    fn asvs_7_1_1_every_limit_that_is_looser_than_the_preset_is_told() {
        for preset in Preset::ALL {
            let strict = preset.policy();
            let mut loose = serde_json::to_value(&strict).unwrap();
            let twice = |value: &mut serde_json::Value| *value = (value.as_u64().unwrap() * 2).into();
            let mut expected = Vec::new();
            for (table, field) in [
                ("session", "idle_seconds"),
                ("session", "absolute_seconds"),
                ("guest", "idle_seconds"),
                ("guest", "absolute_seconds"),
                ("guest", "new_per_minute"),
                ("pending", "absolute_seconds"),
                ("pending", "max_per_user"),
                ("rotation", "interval_seconds"),
                ("rotation", "grace_seconds"),
            ] {
                twice(&mut loose[table][field]);
                expected.push(format!("{table}.{field}"));
            }
            for field in ["touch_threshold_seconds", "max_sessions", "recent_authentication_seconds"] {
                twice(&mut loose[field]);
                expected.push(field.to_owned());
            }
            if let Some(remembered) = loose["remembered"].as_object_mut() {
                for (field, value) in remembered {
                    twice(value);
                    expected.push(format!("remembered.{field}"));
                }
            }
            let found = preset.check(&serde_json::from_value(loose).unwrap());
            let mut found: Vec<&str> = found.iter().map(|deviation| deviation.field).collect();
            found.sort_unstable();
            expected.sort();
            assert_eq!(found, expected, "{preset}");
        }
    }

    #[test]
    fn the_default_policy_meets_nist_aal1() {
        assert_eq!(Preset::NistAal1.check(&Policy::default()), []);
    }
}
