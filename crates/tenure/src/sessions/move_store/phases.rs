//! Which move two stores are in, and how one is begun and called off: each store says of itself what it
//! is, and of two who want to change that at the same time one does.

use super::Move;
use super::census::Census;
use super::pass::patiently;
use crate::error::Error;
use crate::id::OperationId;
use crate::store::{Barrier, Fence, Movable, Phase, StoreError};

/// How often one tries to say that the old store is open again.
const TRIES: u32 = 3;

/// What there is to do.
pub(super) enum Begun {
    /// Copy, compare, shut, hand over.
    Copy(OperationId),
    /// The old store is shut and the new one has everything.
    HandOver(OperationId),
}

impl Move {
    /// Begins the move, or finds where it broke off.
    pub(super) async fn begin(&self) -> Result<Begun, Error> {
        let (source, target) = self.ends()?;
        let (here, there) = (source.phase().await?, target.phase().await?);
        match (&here, &there) {
            (Phase::Moved { of, .. } | Phase::Leaving { of }, Phase::Arrived { of: other })
                if of == other && self.is_shut().await? =>
            {
                Ok(Begun::HandOver(*of))
            }
            (
                Phase::Leaving { of } | Phase::Moved { of, .. },
                Phase::Arriving { of: other } | Phase::Arrived { of: other },
            ) if of == other => {
                // From here on nobody hands it over without comparing anew.
                turn(target, &there, &Phase::Arriving { of: *of }).await?;
                turn(source, &here, &Phase::Leaving { of: *of }).await?;
                // A part of it may be shut: who shut it did not get further, or a server that took over has
                // not heard of the rest.
                patiently(|| source.fence(Fence::Lift)).await?;
                Ok(Begun::Copy(*of))
            }
            (Phase::Open | Phase::Leaving { .. }, Phase::Open) if Census::is_empty(target).await? => {
                let of = OperationId::random(&*self.random);
                turn(source, &here, &Phase::Leaving { of }).await?;
                if target.phase().await? == (Phase::Leaving { of }) {
                    turn(source, &Phase::Leaving { of }, &here).await?;
                    return Err(StoreError::Configuration("the new store is the old one".into()).into());
                }
                turn(target, &there, &Phase::Arriving { of }).await?;
                Ok(Begun::Copy(of))
            }
            (Phase::Moved { to, .. }, _) => {
                Err(StoreError::Blocked(format!("the sessions of the old store have moved to {to}")).into())
            }
            _ => Err(StoreError::Configuration(
                "the new store is not empty, and no copy of the old one was begun there; give an empty one"
                    .into(),
            )
            .into()),
        }
    }

    /// Gives up a move that was begun: the old store is as before, and the new one has to be emptied.
    ///
    /// # Errors
    /// Those of the stores. Blocked when no move between these two is under way, also because it is done: then
    /// nothing changes.
    pub async fn call_off(&self) -> Result<(), Error> {
        let (source, target) = self.ends()?;
        match (source.phase().await?, target.phase().await?) {
            (
                Phase::Leaving { of } | Phase::Moved { of, .. },
                there @ (Phase::Arriving { of: other } | Phase::Arrived { of: other }),
            ) if of == other => turn(target, &there, &Phase::CalledOff { of }).await?,
            // One that broke off here.
            (Phase::Leaving { of } | Phase::Moved { of, .. }, Phase::CalledOff { of: other })
                if of == other => {}
            _ => {
                return Err(StoreError::Blocked(
                    "no move from the old store to this one is under way, so there is nothing to call off"
                        .into(),
                )
                .into());
            }
        }
        // Nobody can hand it over any more; who is about to may still say so of the old store.
        let mut opened = Ok(());
        for _ in 0..TRIES {
            patiently(|| source.fence(Fence::Lift)).await?;
            let here = source.phase().await?;
            opened = turn(source, &here, &Phase::Open).await;
            if opened.is_ok() {
                break;
            }
        }
        opened
    }

    /// Whether nobody can write in the old store or read it.
    pub(super) async fn is_shut(&self) -> Result<bool, StoreError> {
        let (source, _) = self.ends()?;
        Ok(patiently(|| source.barrier()).await? == Barrier::SHUT)
    }
}

/// Says what a store is from now on, unless somebody else has said so since it was `from`.
pub(super) async fn turn(store: &dyn Movable, from: &Phase, to: &Phase) -> Result<(), Error> {
    // After a lost answer it is so already.
    if patiently(|| store.change_phase(from, to)).await? || patiently(|| store.phase()).await? == *to {
        return Ok(());
    }
    Err(StoreError::Blocked(
        "somebody else moves these sessions, or calls a move off, at the same time".into(),
    )
    .into())
}
