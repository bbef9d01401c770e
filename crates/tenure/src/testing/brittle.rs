//! A store that does as told: fails, waits, counts and tells.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::faults::{Faults, Passing, Trouble};
use crate::record::{NewSession, Record};
use crate::store::around::{Around, Hook};
use crate::store::call::Call;
use crate::store::{Context, Engine, Mutation, Opened, Operation, Reply, StoreError};

/// An engine before whose store faults are put. [`Faults::before`] makes it.
///
/// # Example: a store that outlives who serves it
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tenure::testing::{Brittle, Faults};
/// use tenure::store::conformance::owner;
/// use tenure::{Memory, Sessions, SignIn, UserId};
///
/// let engine: Brittle<Memory> = Faults::default().before(Memory).left_open();
/// let sessions = Sessions::open(engine).await?;
/// let user = UserId::new("alice")?;
/// sessions.sign_in(None, SignIn::password(user.clone())).await?;
/// let store = Arc::clone(sessions.store());
/// sessions.close().await?;
/// assert_eq!(store.list(&owner(&user)).await?.len(), 1);
/// # Ok(()) }
/// ```
pub struct Brittle<E> {
    engine: E,
    faults: Faults,
    left_open: bool,
}

impl<E> Brittle<E> {
    pub(super) fn new(engine: E, faults: Faults) -> Self {
        Self { engine, faults, left_open: false }
    }

    /// The store stays open when the sessions are closed, like one on another machine when one of
    /// its processes stops.
    #[must_use]
    pub fn left_open(mut self) -> Self {
        self.left_open = true;
        self
    }
}

impl<E: fmt::Debug> fmt::Debug for Brittle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Brittle").field(&self.engine).finish()
    }
}

#[async_trait]
impl<E: Engine> Engine for Brittle<E> {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let Opened { store: real, master_key } = Box::new(self.engine).open(context).await?;
        let hook = BrittleHook { faults: self.faults, left_open: self.left_open };
        let store = Arc::new(Around { real, hook });
        Ok(Opened { store, master_key })
    }
}

struct BrittleHook {
    faults: Faults,
    left_open: bool,
}

impl Hook for BrittleHook {
    async fn around<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let trouble = self.faults.meet(call);
        match &trouble {
            Some(Trouble::Before(error)) => return Err(error.clone()),
            Some(Trouble::HeldBefore(gate) | Trouble::Held(gate, _)) => gate.pass().await,
            _ => {}
        }
        let answer = real.await;
        match trouble {
            Some(Trouble::After(error)) => Err(error),
            Some(Trouble::Panic) => panic!("a fault in the store"),
            Some(Trouble::HeldAfter(gate) | Trouble::Held(_, gate)) => {
                gate.pass().await;
                answer
            }
            _ => answer,
        }
    }

    fn operation(&self, operation: &Operation) {
        self.faults.passes(Passing::Operation(operation));
    }

    fn new_session(&self, new: &NewSession) {
        self.faults.passes(Passing::New(new));
    }

    fn mutation(&self, mutation: &Mutation) {
        self.faults.passes(Passing::Mutation(mutation));
    }

    fn replied(&self, reply: &Reply) {
        self.faults.passes(Passing::Reply(reply));
    }

    fn read(&self, records: &[Record]) {
        records.iter().for_each(|record| self.faults.passes(Passing::Record(record)));
    }

    fn closes(&self) -> bool {
        !self.left_open
    }
}
