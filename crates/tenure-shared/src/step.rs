//! Steps that read, decide, and write if all is still as it was.

use std::time::Duration;

use tenure::record::Record;
use tenure::store::StoreError;

use crate::draft::Draft;
use crate::place::{HOLD_MS, Hold, Place, Row, View, Want, Write, Wrote};
use crate::shared::{SharedStore, TURNS};

/// How often a step is tried against others before the store counts as busy.
const TRIES: u32 = 60;

/// After how many lost tries a step keeps the others away: to look again and again at what changes
/// meanwhile costs more than to wait in a line.
const PATIENT: u32 = 1;

/// How long a step waits for those of this process that want the same. Those who came together also go
/// ahead together, lose against each other and read everything anew: so it is longer than a burst of
/// them takes on a slow machine.
const TURN: Duration = Duration::from_secs(5);

/// How often what a step wants to know may turn out to be more than was asked.
const EXTENSIONS: u32 = 8;

/// What one step is about.
pub(crate) struct Step {
    /// What it will surely want to know.
    pub(crate) want: Want,
    /// It only ends sessions, or records activity.
    pub(crate) essential: bool,
    /// With how many guests it is not done any more.
    pub(crate) max_guests: Option<u64>,
}

impl Step {
    /// A step in a partition.
    pub(crate) fn at(want: Want) -> Self {
        Self { want, essential: false, max_guests: None }
    }
}

impl<P: Place> SharedStore<P> {
    /// Lets `decide` read and write until what it wrote fits what was there. `known` is a session as
    /// it was read before: if that is all that the step wants to know, nothing is read first.
    pub(crate) async fn step<T>(
        &self,
        step: Step,
        known: Option<&Record>,
        decide: impl Fn(&mut Draft<'_>) -> Result<T, StoreError> + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
    {
        let Step { mut want, essential, max_guests } = step;
        want.essential = essential;
        let finish = |write: Write| Write { essential, max_guests, now_is_the_time: self.own_time, ..write };
        // What is known may lack activity, and only an end that looks overdue goes by that.
        let now = self.clock.now();
        let sure = |record: &&Record| !essential || record.dead(now).is_none();
        if let Some(record) = known.filter(sure) {
            let view = View { sessions: vec![Row::without_body(record)], ..View::default() };
            let (done, write) = {
                let mut draft = Draft::over_known(&view, record, &want, now);
                let done = decide(&mut draft);
                (done, draft.finish().ok().flatten())
            };
            if let (Ok(done), Some(write)) = (done, write)
                && self.put(&finish(write)).await? == Wrote::Done
            {
                return Ok(done);
            }
        }
        let (mut lost, mut extended, mut too_many) = (0, 0, false);
        let mut turn = None;
        while lost < TRIES {
            // All sessions of a user are much to read in vain.
            if turn.is_none() && (lost > 0 || want.owner.is_some()) {
                turn = tokio::time::timeout(TURN, self.turn(&want).lock()).await.ok();
            }
            if lost >= PATIENT && want.hold.is_none() {
                want.hold = Some(self.hold());
            }
            let mut view = self.place.view(&want).await?;
            if too_many {
                view.guests = u64::MAX;
            }
            let (done, write) = {
                let mut draft = Draft::over(&view, &want, self.time(&view)?);
                let done = decide(&mut draft);
                match draft.finish() {
                    Ok(write) => (done, write),
                    Err(lacks) if extended < EXTENSIONS => {
                        want = lacks;
                        extended += 1;
                        continue;
                    }
                    Err(_) => return Err(StoreError::Unavailable("a step wants to know too much".into())),
                }
            };
            let write = write.filter(|_| done.is_ok());
            let Some(write) = write else {
                if let Some(hold) = want.hold {
                    self.place.release(want.partition, hold.holder).await;
                }
                let done = done?;
                if essential {
                    self.place.confirm(want.partition, view.server).await?;
                }
                return Ok(done);
            };
            match self.put(&finish(write)).await? {
                Wrote::Done => return done,
                Wrote::TooManyGuests => too_many = true,
                Wrote::Busy => tokio::time::sleep(self.pause()).await,
                Wrote::Stale | Wrote::Late => {}
            }
            lost += 1;
        }
        Err(StoreError::Unavailable("others change the same all the time; try again".into()))
    }

    /// Writes, and notes it for the mark.
    pub(crate) async fn put(&self, write: &Write) -> Result<Wrote, StoreError> {
        let wrote = self.place.write(write).await?;
        if let (Wrote::Done, Some(keeper)) = (wrote, &self.keeper) {
            keeper.note(write.now);
            keeper.tick(self.clock.running());
        }
        Ok(wrote)
    }

    /// Whose turn it is of this process, for what lies together: only so that they do not lose
    /// against each other. Whoever waited long enough goes ahead.
    fn turn(&self, want: &Want) -> &tokio::sync::Mutex<()> {
        let of = want.owner.or(want.sessions.first().map(|id| *id.as_bytes())).unwrap_or_default();
        let sum = of.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        &self.turns[sum % TURNS]
    }

    fn hold(&self) -> Hold {
        let mut holder = [0; 8];
        self.random.fill(&mut holder);
        Hold { holder: u64::from_be_bytes(holder), for_ms: HOLD_MS }
    }

    /// A moment that is not the same for all who wait.
    fn pause(&self) -> Duration {
        let mut random = [0];
        self.random.fill(&mut random);
        Duration::from_micros(1_000 + u64::from(random[0]) * 40)
    }
}
