//! What is to go wrong in a store, and what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Brittle, Gate};
use crate::record::{NewSession, Record};
use crate::store::call::Call;
use crate::store::{Mutation, Operation, Reply, StoreError};

/// What goes wrong with a call, by the word of [`Faults`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It fails and nothing happened.
    Before(StoreError),
    /// It happened, and then its answer was lost.
    After(StoreError),
    /// It waits before it happens.
    HeldBefore(Gate),
    /// It has happened, and its answer waits.
    HeldAfter(Gate),
    /// It waits at the first gate before it happens, and its answer at the second.
    Held(Gate, Gate),
    /// It happens, and then the store panics.
    Panic,
}

/// What a store is given or gives, as [`Faults::watch`] shows it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Passing<'a> {
    /// What a change is known by. Given.
    Operation(&'a Operation),
    /// A session that begins. Given.
    New(&'a NewSession),
    /// A change. Given.
    Mutation(&'a Mutation),
    /// The answer to one of these.
    Reply(&'a Reply),
    /// A record that was read.
    Record(&'a Record),
}

/// What is to go wrong in a store, and what it was asked so far. Nothing goes wrong unless a test
/// says so. Clones are the same.
///
/// What a near cache knows is answered without the store, also while that fails: in a test of an
/// outage, open the sessions with [`cache_bytes(0)`](crate::Builder::cache_bytes) or ask for
/// something that has to be written.
///
/// # Example: a full disk, a lost answer, and what the store was asked
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::testing::{Call, TestKit, Trouble};
/// use tenure::{Check, Key};
///
/// const CART: Key<Vec<String>> = Key::new("cart");
///
/// let kit = TestKit::new().await;
/// let cookie = kit.sign_in_as("alice").await;
/// let verdict = kit.sessions.check_cookie([cookie.as_bytes()], &Check::signed_in()).await?;
/// let alice = verdict.into_active().expect("signed in a moment ago");
/// let add = async || kit.sessions.update(&alice, CART, |cart| cart.push("tea".into())).await;
///
/// kit.faults.every_write(&Trouble::full());
/// assert_eq!(add().await.unwrap_err().code(), "store_full");
/// kit.faults.heal();
///
/// // The answer is lost, so it is asked again, and happens once.
/// kit.faults.once(Call::Change, Trouble::lost_answer());
/// let (_, session) = add().await?;
/// assert_eq!(CART.read(&session)?, Some(vec!["tea".to_owned()]));
/// assert_eq!(kit.faults.count(Call::Change), 3);
///
/// // For longer than anybody tries.
/// kit.faults.always(Call::Change, Trouble::unavailable());
/// assert!(add().await.is_err());
/// assert!(kit.faults.writes() < kit.faults.total());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rules: Mutex<Vec<Rule>>,
    counts: Mutex<BTreeMap<Call, u64>>,
    watch: Mutex<Option<Arc<Watch>>>,
}

type Watch = dyn Fn(Passing<'_>) + Send + Sync;

struct Rule {
    call: Option<Call>,
    trouble: Trouble,
    left: u32,
}

impl Call {
    /// Those that write.
    pub const WRITES: [Self; 14] = [
        Self::Create,
        Self::Change,
        Self::Prepare,
        Self::Confirm,
        Self::Authenticate,
        Self::SetRoles,
        Self::Claim,
        Self::Release,
        Self::End,
        Self::EndIfDue,
        Self::Touch,
        Self::EndAllOf,
        Self::SetDisabled,
        Self::Sweep,
    ];
}

impl Trouble {
    /// The store does not answer, and nothing happened.
    pub fn unavailable() -> Self {
        Self::Before(StoreError::Unavailable("the test pulled the plug".into()))
    }

    /// The answer to something that happened is lost.
    pub fn lost_answer() -> Self {
        Self::After(StoreError::Unknown("the line broke".into()))
    }

    /// There is no room left.
    pub fn full() -> Self {
        Self::Before(StoreError::Full("no room".into()))
    }
}

impl Faults {
    /// The engine whose store these faults stand before.
    pub fn before<E>(&self, engine: E) -> Brittle<E> {
        Brittle::new(engine, self.clone())
    }

    /// The next call of this kind goes wrong.
    pub fn once(&self, call: Call, trouble: Trouble) {
        self.times(1, call, trouble);
    }

    /// The next `times` calls of this kind go wrong. What was said first comes first.
    ///
    /// # Example: a store that comes back
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::testing::{Call, TestKit, Trouble};
    ///
    /// let (kit, user) = (TestKit::new().await, "u_1".parse()?);
    /// kit.faults.times(2, Call::List, Trouble::unavailable());
    /// assert!(kit.sessions.list(&user).await.is_err());
    /// assert!(kit.sessions.list(&user).await.is_err());
    /// assert!(kit.sessions.list(&user).await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn times(&self, times: u32, call: Call, trouble: Trouble) {
        self.add(Some(call), trouble, times);
    }

    /// All calls of this kind go wrong.
    pub fn always(&self, call: Call, trouble: Trouble) {
        self.add(Some(call), trouble, u32::MAX);
    }

    /// Everything goes wrong.
    pub fn everything(&self, trouble: Trouble) {
        self.add(None, trouble, u32::MAX);
    }

    /// Everything that writes goes wrong.
    pub fn every_write(&self, trouble: &Trouble) {
        for call in Call::WRITES {
            self.always(call, trouble.clone());
        }
    }

    /// Nothing goes wrong any more. Who waits at a gate goes on waiting.
    pub fn heal(&self) {
        held(&self.0.rules).clear();
    }

    /// How often this was asked.
    pub fn count(&self, call: Call) -> u64 {
        held(&self.0.counts).get(&call).copied().unwrap_or(0)
    }

    /// How often anything was asked.
    pub fn total(&self) -> u64 {
        held(&self.0.counts).values().sum()
    }

    /// How often something was asked that writes.
    pub fn writes(&self) -> u64 {
        Call::WRITES.iter().map(|call| self.count(*call)).sum()
    }

    /// Shows `watch` what passes from now on: sessions, what changes in them, and answers.
    ///
    /// # Example: the store sees no token
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::sync::{Arc, Mutex};
    /// use tenure::testing::{Passing, TestKit};
    ///
    /// let kit = TestKit::new().await;
    /// let kept = Arc::new(Mutex::new(Vec::new()));
    /// let into = Arc::clone(&kept);
    /// kit.faults.watch(move |passing| {
    ///     if let Passing::Reply(reply) = passing {
    ///         into.lock().unwrap().extend(reply.record.iter().flat_map(|record| record.encode()));
    ///     }
    /// });
    /// let cookie = kit.sign_in_as("alice").await;
    /// let token = cookie.split('=').nth(1).unwrap();
    /// let kept = kept.lock().unwrap();
    /// assert!(!kept.is_empty());
    /// assert!(!kept.windows(token.len()).any(|bytes| bytes == token.as_bytes()));
    /// # }
    /// ```
    pub fn watch(&self, watch: impl Fn(Passing<'_>) + Send + Sync + 'static) {
        *held(&self.0.watch) = Some(Arc::new(watch));
    }

    pub(super) fn passes(&self, what: Passing<'_>) {
        let watch = held(&self.0.watch).clone();
        if let Some(watch) = watch {
            watch(what);
        }
    }

    /// Counts a call, and says what goes wrong with it.
    pub(super) fn meet(&self, call: Call) -> Option<Trouble> {
        *held(&self.0.counts).entry(call).or_default() += 1;
        let mut rules = held(&self.0.rules);
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && rule.call.is_none_or(|of| of == call))?;
        rule.left -= 1;
        Some(rule.trouble.clone())
    }

    fn add(&self, call: Option<Call>, trouble: Trouble, left: u32) {
        held(&self.0.rules).push(Rule { call, trouble, left });
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("asked", &*held(&self.0.counts)).finish_non_exhaustive()
    }
}

/// A panic elsewhere leaves nothing half done here.
fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
