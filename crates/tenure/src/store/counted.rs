//! A store that counts what it is asked.

use std::future::Future;
use std::sync::Arc;

use super::around::{Around, Hook};
use super::call::Call;
use super::{Store, StoreError};
use crate::clock::SteadyClock;
use crate::metrics::{CallCounter, StoreCalls};

/// The calls that are counted, in the order of the trait. Mutations are one.
const NAMES: [&str; 13] = [
    "create",
    "load",
    "mutate",
    "touch",
    "replay",
    "list",
    "end_all_of",
    "user",
    "set_disabled",
    "page",
    "sweep",
    "events",
    "news",
];

/// Where a call is counted.
fn place(call: Call) -> usize {
    match call {
        Call::Create => 0,
        Call::Load => 1,
        Call::Change
        | Call::Prepare
        | Call::Confirm
        | Call::Authenticate
        | Call::SetRoles
        | Call::Claim
        | Call::Release
        | Call::End
        | Call::EndIfDue => 2,
        Call::Touch => 3,
        Call::Replay => 4,
        Call::List => 5,
        Call::EndAllOf => 6,
        Call::User => 7,
        Call::SetDisabled => 8,
        Call::Page => 9,
        Call::Sweep => 10,
        Call::Events => 11,
        Call::News => 12,
    }
}

/// Passes everything on, and counts it.
pub(crate) type Counted = Around<Counters>;

/// How often each call was made.
pub(crate) struct Counters {
    clock: Arc<SteadyClock>,
    calls: [CallCounter; NAMES.len()],
}

impl Counted {
    pub(crate) fn new(real: Arc<dyn Store>, clock: Arc<SteadyClock>) -> Self {
        Self { real, hook: Counters { clock, calls: Default::default() } }
    }

    pub(crate) fn calls(&self) -> Vec<StoreCalls> {
        NAMES.iter().zip(&self.hook.calls).map(|(name, counter)| counter.read(name)).collect()
    }
}

impl Hook for Counters {
    async fn around<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = self.clock.running();
        let answer = real.await;
        self.calls[place(call)].add(answer.is_err(), self.clock.running().saturating_sub(began));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_counted_under_its_name() {
        let names = [Call::Create, Call::EndIfDue, Call::EndAllOf, Call::SetDisabled, Call::News];
        let names: Vec<&str> = names.into_iter().map(|call| NAMES[place(call)]).collect();
        assert_eq!(names, ["create", "mutate", "end_all_of", "set_disabled", "news"]);
    }
}
