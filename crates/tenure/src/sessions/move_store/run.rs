//! A move from beginning to end.

use super::census::Census;
use super::pass::{Lease, Pass, patiently};
use super::phases::{Begun, turn};
use super::{Move, MoveProgress, MoveStage, Moved};
use crate::error::Error;
use crate::id::OperationId;
use crate::store::{Part, Phase, StoreError};

/// How often it begins anew because the old store was not kept frozen.
const TRIES: u32 = 3;

/// With how few events left the old store is frozen; or earlier, when they do not become fewer.
const CLOSE_BEHIND: u64 = 200;

impl Move {
    /// Moves everything, and tells `watch` how it goes. When it is done, the old store is shut: open the
    /// new one.
    ///
    /// # Errors
    /// Those of the stores; as long as the old store was not shut, it is in use as before. Configuration when
    /// the new store is not empty and no move to it was begun, or is the old one; Blocked when the sessions
    /// have moved elsewhere, or somebody else moves them or calls this off meanwhile; Corrupt when both are
    /// not the same in the end; Unavailable when the old store could not be kept frozen.
    pub async fn run(&self, watch: impl Fn(&MoveProgress) + Send + Sync) -> Result<Moved, Error> {
        let began = self.clock.running();
        let took = || self.clock.running().saturating_sub(began);
        let pass = |stage| Pass::new(self, stage, &watch);
        let of = match self.begin().await? {
            Begun::HandOver(of) => {
                pass(MoveStage::HandingOver).report();
                let (_, target) = self.ends()?;
                let census = Census::of(target).await?;
                self.hand_over(of).await?;
                return Ok(census.moved(Default::default(), took()));
            }
            Begun::Copy(of) => of,
        };
        let mut followed = self.tails().await?;
        let mut copying = pass(MoveStage::Copying);
        for part in Part::ALL {
            copying.copy(part, None).await?;
        }
        let copied = self.clock.running();
        let (mut following, mut before) = (pass(MoveStage::Following), u64::MAX);
        // For no longer than copying took: what is left then, the comparison finds.
        while self.clock.running() <= copied + copied.saturating_sub(began) {
            let (behind, is_end) = following.follow(&mut followed).await?;
            if is_end && (behind <= CLOSE_BEHIND || behind >= before / 2) {
                break;
            }
            before = behind;
        }
        for _ in 0..TRIES {
            let frozen = self.clock.running();
            if let Some(census) = self.shut(of, pass(MoveStage::Comparing)).await? {
                self.hand_over(of).await?;
                return Ok(census.moved(self.clock.running().saturating_sub(frozen), took()));
            }
        }
        Err(StoreError::Unavailable(
            "the old store could not be kept frozen; try again at a quieter time".into(),
        )
        .into())
    }

    /// Freezes the old store, makes the new one the same, and shuts the old one. None if it thawed in
    /// between.
    async fn shut<W: Fn(&MoveProgress) + Send + Sync>(
        &self,
        of: OperationId,
        comparing: Pass<'_, W>,
    ) -> Result<Option<Census>, Error> {
        let (source, _) = self.ends()?;
        if let Some(core) = &self.core {
            core.flush_touches().await?;
        }
        let Some(mut lease) = Lease::begin(source, &self.clock).await? else {
            return Err(StoreError::Blocked("somebody else has just shut the old store".into()).into());
        };
        let shut = self.make_same(of, comparing, &mut lease).await;
        if !matches!(shut, Ok(Some(_))) {
            lease.end().await;
        }
        shut
    }

    async fn make_same<W: Fn(&MoveProgress) + Send + Sync>(
        &self,
        of: OperationId,
        mut comparing: Pass<'_, W>,
        lease: &mut Lease<'_>,
    ) -> Result<Option<Census>, Error> {
        let (source, target) = self.ends()?;
        let mut here = Census::default();
        for part in Part::ALL {
            match comparing.copy(part, Some(lease)).await? {
                Some(census) => here.add(&census),
                None => return Ok(None),
            }
        }
        let Some(there) = Census::of_while(target, lease).await? else { return Ok(None) };
        if here != there {
            return Err(StoreError::Corrupt(format!(
                "the new store has {} live sessions and {} users where the old one has {} and {}, or others; \
                 nothing was handed over",
                there.sessions, there.users, here.sessions, here.users
            ))
            .into());
        }
        turn(target, &Phase::Arriving { of }, &Phase::Arrived { of }).await?;
        // Before it is shut: if somebody else moves it or has called this off, it goes on.
        let (leaving, moved) = (Phase::Leaving { of }, self.moved(of));
        turn(source, &leaving, &moved).await?;
        if lease.shut().await? {
            return Ok(Some(here));
        }
        turn(source, &moved, &leaving).await?;
        Ok(None)
    }

    fn moved(&self, of: OperationId) -> Phase {
        Phase::Moved { of, to: self.to.clone() }
    }

    /// Opens the new store, once no node answers from what it knew of the old one.
    async fn hand_over(&self, of: OperationId) -> Result<(), Error> {
        let (source, target) = self.ends()?;
        if !matches!(source.phase().await?, Phase::Moved { of: other, .. } if of == other) {
            turn(source, &Phase::Leaving { of }, &self.moved(of)).await?;
        }
        if let Some(core) = &self.core {
            core.forget_all();
        }
        tokio::time::sleep(self.bound * 2).await;
        if let Some(core) = &self.core {
            let waiting = core.activity.waiting();
            patiently(|| self.target.touch(&waiting)).await?;
        }
        if !self.is_shut().await? {
            return Err(
                StoreError::Blocked("somebody has opened the old store again meanwhile".into()).into()
            );
        }
        // Whoever calls it off comes before this or too late.
        turn(target, &Phase::Arrived { of }, &Phase::Open).await
    }
}
