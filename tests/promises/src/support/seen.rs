//! What a store sees: every byte string that passes to it or comes from it.

use std::sync::{Arc, Mutex};

use tenure::record::Record;
use tenure::store::{Mutation, Operation, Reply};
use tenure::testing::{Faults, Passing};

/// The bytes that pass at the place of some faults.
pub(crate) struct Seen(Arc<Mutex<Vec<Vec<u8>>>>);

impl Seen {
    /// Keeps what passes from now on.
    pub(crate) fn from_now(faults: &Faults) -> Self {
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let keep = Arc::clone(&seen);
        faults.watch(move |passing| keep.lock().unwrap().extend(bytes(passing)));
        Self(seen)
    }

    /// Everything that passed.
    pub(crate) fn all(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }

    /// The records among it.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.all().iter().filter_map(|bytes| Record::decode(bytes).ok()).collect()
    }
}

fn bytes(passing: Passing<'_>) -> Vec<Vec<u8>> {
    match passing {
        Passing::Operation(operation) => of_operation(operation),
        Passing::New(new) => vec![packed(new)],
        Passing::Mutation(mutation) => of_mutation(mutation),
        Passing::Reply(reply) => of_reply(reply),
        Passing::Record(record) => vec![record.encode()],
        other => panic!("nobody looks at {other:?} yet"),
    }
}

fn of_operation(operation: &Operation) -> Vec<Vec<u8>> {
    let shown = format!("{operation:?}").into_bytes();
    operation.receipt.iter().cloned().chain([shown]).collect()
}

fn of_reply(reply: &Reply) -> Vec<Vec<u8>> {
    reply.record.iter().map(Record::encode).chain(reply.receipt.clone()).collect()
}

fn of_mutation(mutation: &Mutation) -> Vec<Vec<u8>> {
    match mutation {
        Mutation::Change { change, .. } => vec![packed(change)],
        Mutation::Prepare { successor, .. } => vec![packed(successor)],
        Mutation::Claim { claim, .. } => vec![packed(claim)],
        Mutation::Authenticate(authentication) => {
            vec![packed(&authentication.identity), authentication.hash.as_bytes().to_vec()]
        }
        other => vec![format!("{other:?}").into_bytes()],
    }
}

fn packed<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("what a store gets can be packed")
}
