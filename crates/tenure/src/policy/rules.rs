//! How long sessions live, how many there are and how their tokens renew themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Role;
use crate::record::{Admission, AtLimit, Grace, MAX_SESSIONS};

/// The rules that sessions of a realm live by. [`Policy::default`] suits most sites;
/// [`Preset`](super::Preset) has stricter ones by name.
///
/// As TOML or JSON, every field and table is optional (a pair of limits is given whole), and
/// unknown fields are errors.
///
/// # Example: a bank's, in code and in a file
/// ```
/// use std::collections::BTreeMap;
/// use tenure::{AtLimit, GuestPolicy, InvalidPolicy, Limits, PendingPolicy, Policy};
/// use tenure::{Role, RolePolicy, RotationPolicy};
///
/// let teller = Role::new("teller")?;
/// let limits = Limits { idle_seconds: 600, absolute_seconds: 8 * 3_600 };
/// let shorter = RolePolicy { idle_seconds: Some(300), ..RolePolicy::default() };
/// let policy = Policy {
///     session: limits,
///     remembered: None,
///     guest: GuestPolicy { absolute_seconds: 4 * 3_600, ..GuestPolicy::default() },
///     pending: PendingPolicy { max_per_user: 2, ..PendingPolicy::default() },
///     rotation: RotationPolicy { interval_seconds: 300, ..RotationPolicy::default() },
///     max_sessions: 3,
///     at_limit: AtLimit::Refuse,
///     roles: BTreeMap::from([(teller.clone(), shorter)]),
///     ..Policy::default()
/// };
/// policy.validate()?;
/// assert_eq!(policy.limits(&[], true), (limits, false), "nobody is remembered");
/// assert_eq!(policy.limits(&[teller], false).0.idle_seconds, 300);
///
/// // The words are the same in JSON and TOML. What is not said is the default.
/// let of_file: Policy = serde_json::from_str(r#"{"session": {"idle_seconds": 900, "absolute_seconds": 600}}"#)?;
/// let InvalidPolicy { field, .. } = of_file.validate().unwrap_err();
/// assert_eq!(field, "session.idle_seconds");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Limits of a signed-in session.
    pub session: Limits,
    /// Limits of one whose user asked to be remembered; none if that is not offered, which
    /// files say as `false`.
    #[serde(with = "super::remembered")]
    pub remembered: Option<Limits>,
    /// Sessions that owe a second factor.
    pub pending: PendingPolicy,
    /// Sessions without a user.
    pub guest: GuestPolicy,
    /// How tokens renew themselves.
    pub rotation: RotationPolicy,
    /// Activity is recorded at most this often for a session, in seconds.
    pub touch_threshold_seconds: u64,
    /// How many signed-in sessions a user has at the most, 1 to 1,000.
    pub max_sessions: u32,
    /// What happens when a user who has them all signs in.
    pub at_limit: AtLimit,
    /// How fresh the last full authentication must be to end other sessions of the same
    /// user, in seconds (ASVS 7.5.2).
    pub recent_authentication_seconds: u64,
    /// Stricter limits for sessions with a role; of several roles the strictest hold.
    pub roles: BTreeMap<Role, RolePolicy>,
    /// Why this policy leaves a preset, by field: shown by `tenure policy check`.
    pub deviation_reasons: BTreeMap<String, String>,
}

/// The two limits of a session, which hold together: a part of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// It dies after this long without activity.
    pub idle_seconds: u64,
    /// It dies this long after the authentication, whatever happens.
    pub absolute_seconds: u64,
}

/// Rules for sessions that owe a second factor: a part of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PendingPolicy {
    /// How long the second factor may take.
    pub absolute_seconds: u64,
    /// How many a user has at the most. They push no signed-in session out.
    pub max_per_user: u32,
}

/// Rules for sessions without a user: a part of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestPolicy {
    /// They die after this long without activity.
    pub idle_seconds: u64,
    /// They die this long after their creation.
    pub absolute_seconds: u64,
    /// How many the store holds at the most, those of other realms in it included.
    pub max: u64,
    /// How many one network (an IPv4 /24, an IPv6 /64) may begin in a minute. Visitors whose
    /// address the application does not tell share what a hundred networks have.
    pub new_per_minute: u32,
}

/// How tokens renew themselves: a part of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotationPolicy {
    /// A token is replaced after this long.
    pub interval_seconds: u64,
    /// A replaced token is still accepted for this long after its successor was first used.
    pub grace_seconds: u64,
}

/// Stricter limits for a role, as a part of a [`Policy`]. What is not set is as for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolePolicy {
    /// The idle limit.
    pub idle_seconds: Option<u64>,
    /// The absolute limit.
    pub absolute_seconds: Option<u64>,
    /// The number of sessions.
    pub max_sessions: Option<u32>,
    /// Whether such a user may be remembered.
    pub remember: Option<bool>,
}

/// Stricter limits for one session. What is not set is as for everybody, and so is what would be
/// looser.
///
/// # Example: a shared terminal
/// ```
/// use tenure::{SignIn, Stricter, UserId};
///
/// let terminal = Stricter { idle_seconds: Some(120), absolute_seconds: Some(900) };
/// let sign_in = SignIn::password(UserId::new("u_1")?).stricter(terminal);
/// # Ok::<(), tenure::InvalidName>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stricter {
    /// The idle limit.
    pub idle_seconds: Option<u64>,
    /// The absolute limit.
    pub absolute_seconds: Option<u64>,
}

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

impl Default for Policy {
    fn default() -> Self {
        Self {
            session: Limits { idle_seconds: 30 * MINUTE, absolute_seconds: 12 * HOUR },
            remembered: Some(Limits { idle_seconds: 14 * DAY, absolute_seconds: 30 * DAY }),
            pending: PendingPolicy::default(),
            guest: GuestPolicy::default(),
            rotation: RotationPolicy::default(),
            touch_threshold_seconds: MINUTE,
            max_sessions: 50,
            at_limit: AtLimit::EndLongestIdle,
            recent_authentication_seconds: 15 * MINUTE,
            roles: BTreeMap::new(),
            deviation_reasons: BTreeMap::new(),
        }
    }
}

impl Default for PendingPolicy {
    fn default() -> Self {
        Self { absolute_seconds: 10 * MINUTE, max_per_user: 5 }
    }
}

impl Default for GuestPolicy {
    fn default() -> Self {
        Self { idle_seconds: 2 * HOUR, absolute_seconds: DAY, max: 1_000_000, new_per_minute: 120 }
    }
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self { interval_seconds: 15 * MINUTE, grace_seconds: 10 }
    }
}

/// The policy contradicts itself or a bound: see [`Policy::validate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy: {field} {problem}")]
pub struct InvalidPolicy {
    /// The field, as in the configuration file.
    pub field: String,
    /// What must hold.
    pub problem: String,
}

/// The longest a cookie lives in a browser, in seconds: 400 days (RFC 6265bis, 5.5).
pub const MAX_COOKIE_AGE: u64 = 400 * DAY;

impl Policy {
    /// Whether the policy is one that can hold.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the first field that does not fit.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        check_limits("session", self.session)?;
        if let Some(limits) = self.remembered {
            check_limits("remembered", limits)?;
        }
        let guest =
            Limits { idle_seconds: self.guest.idle_seconds, absolute_seconds: self.guest.absolute_seconds };
        check_limits("guest", guest)?;
        let seconds = self.pending.absolute_seconds;
        check_limits("pending", Limits { idle_seconds: seconds.min(1), absolute_seconds: seconds })?;
        require("pending.max_per_user", self.pending.max_per_user > 0, "must be at least 1")?;
        let remembered = self.remembered.map_or(u64::MAX, |limits| limits.idle_seconds);
        let shortest = self.session.idle_seconds.min(self.guest.idle_seconds).min(remembered);
        let twice = self.touch_threshold_seconds.saturating_mul(2);
        require(
            "touch_threshold_seconds",
            twice <= shortest,
            "must be at most half of the shortest idle limit",
        )?;
        let rotation = self.rotation;
        require("rotation.grace_seconds", (1..=30).contains(&rotation.grace_seconds), "must be 1 to 30")?;
        let apart = rotation.interval_seconds >= rotation.grace_seconds.saturating_mul(2);
        require("rotation.interval_seconds", apart, "must be at least twice rotation.grace_seconds")?;
        require("max_sessions", (1..=MAX_SESSIONS).contains(&self.max_sessions), "must be 1 to 1000")?;
        for (role, strict) in &self.roles {
            let limits = strict.limits(self.session);
            check_limits(&format!("roles.{role}"), limits)?;
            let fits = twice <= limits.idle_seconds;
            require(
                &format!("roles.{role}.idle_seconds"),
                fits,
                "must be at least twice touch_threshold_seconds",
            )?;
        }
        Ok(())
    }

    /// The limits of a session with these roles, and whether it is a remembered one.
    pub fn limits(&self, roles: &[Role], remember: bool) -> (Limits, bool) {
        let strict: Vec<&RolePolicy> = roles.iter().filter_map(|role| self.roles.get(role)).collect();
        let may_remember = strict.iter().all(|role| role.remember != Some(false));
        let remembered = self.remembered.filter(|_| remember && may_remember);
        let base = remembered.unwrap_or(self.session);
        (strict.iter().fold(base, |limits, role| role.limits(limits)), remembered.is_some())
    }

    /// How long a session of a user lasts at the most, however it begins: roles only shorten it.
    pub(crate) fn longest_seconds(&self) -> u64 {
        let remembered = self.remembered.map_or(0, |limits| limits.absolute_seconds);
        self.session.absolute_seconds.max(remembered).max(self.pending.absolute_seconds)
    }

    /// Whether sessions can live by these limits: not shorter than activity is recorded.
    pub(crate) fn admits(&self, stricter: Stricter) -> Result<(), InvalidPolicy> {
        let twice = self.touch_threshold_seconds.saturating_mul(2);
        let long_enough = |seconds: Option<u64>, least| seconds.is_none_or(|seconds| seconds >= least);
        let problem = format!("must be at least {twice}, twice touch_threshold_seconds");
        require("policy.idle_seconds", long_enough(stricter.idle_seconds, twice), &problem)?;
        require("policy.absolute_seconds", long_enough(stricter.absolute_seconds, 1), "must be at least 1")
    }

    /// Under which conditions a user with these roles gets a session.
    pub(crate) fn admission(&self, roles: &[Role]) -> Admission {
        let of_roles = roles.iter().filter_map(|role| self.roles.get(role)?.max_sessions);
        Admission {
            max_sessions: of_roles.fold(self.max_sessions, u32::min),
            at_limit: self.at_limit,
            max_pending: self.pending.max_per_user,
            max_guests: self.guest.max,
            epoch: None,
            burn: false,
        }
    }

    pub(crate) fn grace(&self) -> Grace {
        Grace { ms: self.rotation.grace_seconds * 1_000 }
    }

    pub(crate) fn touch_threshold(&self) -> Duration {
        Duration::from_secs(self.touch_threshold_seconds)
    }
}

impl RolePolicy {
    fn limits(&self, base: Limits) -> Limits {
        let Self { idle_seconds, absolute_seconds, .. } = *self;
        Stricter { idle_seconds, absolute_seconds }.limits(base)
    }
}

impl Stricter {
    pub(crate) fn limits(self, base: Limits) -> Limits {
        let absolute_seconds =
            self.absolute_seconds.map_or(base.absolute_seconds, |s| s.min(base.absolute_seconds));
        let idle_seconds = self.idle_seconds.map_or(base.idle_seconds, |s| s.min(base.idle_seconds));
        Limits { idle_seconds: idle_seconds.min(absolute_seconds), absolute_seconds }
    }
}

fn check_limits(name: &str, limits: Limits) -> Result<(), InvalidPolicy> {
    require(&format!("{name}.idle_seconds"), limits.idle_seconds > 0, "must be at least 1")?;
    let ordered = limits.idle_seconds <= limits.absolute_seconds;
    require(&format!("{name}.idle_seconds"), ordered, "must be at most absolute_seconds")?;
    let bounded = limits.absolute_seconds <= MAX_COOKIE_AGE;
    require(
        &format!("{name}.absolute_seconds"),
        bounded,
        "must be at most 34560000 (400 days, what browsers keep)",
    )
}

fn require(field: &str, holds: bool, problem: &str) -> Result<(), InvalidPolicy> {
    if holds { Ok(()) } else { Err(InvalidPolicy { field: field.into(), problem: problem.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Preset;

    #[test]
    fn the_default_policy_and_every_preset_can_hold() {
        Policy::default().validate().unwrap();
        for preset in Preset::ALL {
            preset.policy().validate().unwrap_or_else(|e| panic!("{preset}: {e}"));
        }
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_refused_by_field() {
        type Spoil = fn(&mut Policy);
        let cases: [(&str, Spoil); 6] = [
            ("session.idle_seconds", |p| p.session.idle_seconds = p.session.absolute_seconds + 1),
            ("session.absolute_seconds", |p| p.session.absolute_seconds = 401 * DAY),
            ("touch_threshold_seconds", |p| p.touch_threshold_seconds = HOUR),
            ("rotation.grace_seconds", |p| p.rotation.grace_seconds = 31),
            ("rotation.interval_seconds", |p| p.rotation.interval_seconds = 19),
            ("max_sessions", |p| p.max_sessions = 1_001),
        ];
        for (field, spoil) in cases {
            let mut policy = Policy::default();
            spoil(&mut policy);
            assert_eq!(policy.validate().unwrap_err().field, field);
        }
    }

    #[test]
    fn the_strictest_role_holds() {
        let admin = Role::new("admin").unwrap();
        let clerk = Role::new("clerk").unwrap();
        let strict = |idle, max| RolePolicy {
            idle_seconds: Some(idle),
            max_sessions: Some(max),
            remember: Some(false),
            ..RolePolicy::default()
        };
        let roles = BTreeMap::from([(admin.clone(), strict(300, 2)), (clerk.clone(), strict(600, 1))]);
        let policy = Policy { roles, ..Policy::default() };
        let (limits, persistent) = policy.limits(&[clerk.clone(), admin.clone()], true);
        assert_eq!((limits.idle_seconds, persistent), (300, false));
        assert_eq!(policy.admission(&[clerk, admin]).max_sessions, 1);
        assert!(policy.limits(&[], true).1);
    }
}
