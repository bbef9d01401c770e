//! Who moves the sessions of a running server to another store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure::store::{Engine, StoreError};
use tenure::{Error, Move, MoveProgress, Moved, Sessions};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use utoipa::ToSchema;

use crate::codes;
use crate::problem::Problem;

/// A store that sessions may move to, as a [`Mover`] finds it.
pub struct Destination {
    /// The engine, with the master key of the old store.
    pub engine: Box<dyn Engine>,
    /// What operators call it; without a password.
    pub name: String,
}

/// How often to look whether a copy that is called off has stopped.
const ABORTED: Duration = Duration::from_millis(5);

type Find = dyn Fn(&str) -> Result<Destination, String> + Send + Sync;

/// Lets the sessions of a [`Server`](crate::Server) move to other stores, by `POST /v1/store/copy`. It
/// finds the store at an address, and outlives the server: whoever serves the new store gives the same
/// to the next one, so that operators are told how it went.
///
/// # Example: one other store
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::Sessions;
/// use tenure::testing::SharedMemory;
/// use tenure_server::{Destination, Mover, Server, ServerOptions};
///
/// let (old, new) = (SharedMemory::default(), SharedMemory::default());
/// let mover = Mover::new(move |address| match address {
///     "new" => Ok(Destination { engine: Box::new(new.clone()), name: "the new store".into() }),
///     _ => Err("there is only `new`".into()),
/// });
/// let sessions = Sessions::open(old).await?;
/// let options = ServerOptions { mover: Some(mover.clone()), ..ServerOptions::default() };
/// let server = Server::new(sessions, options);
/// // Resolves with the address once everything is there and the old store is shut.
/// tokio::spawn(async move {
///     let address = mover.moved().await;
///     println!("serve {address} from now on");
/// });
/// # drop(server);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Mover(Arc<Inner>);

struct Inner {
    find: Box<Find>,
    last: Mutex<Last>,
    moved: watch::Sender<Option<String>>,
}

/// The last copy.
#[derive(Default)]
pub(crate) struct Last {
    /// Where it was to go, as it was asked for.
    address: String,
    state: MoveState,
    work: Option<AbortHandle>,
    /// Counts what was begun: an earlier one tells nothing any more.
    number: u64,
}

/// What came of a copy.
enum Came {
    /// Everything is in the new store; how much, if that was counted here.
    Moved(Option<Moved>),
    CalledOff,
}

impl fmt::Debug for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mover").finish_non_exhaustive()
    }
}

/// Where sessions are to move.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Copy)]
pub(crate) struct Asked {
    /// The address of an empty store, as for `tenure serve --store`.
    #[schema(example = "postgres://tenure@db.example/shop")]
    to: String,
    /// Gives up a copy that was begun: the old store is as before, the new one has to be emptied.
    #[serde(default)]
    call_off: bool,
}

/// What became of the last copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Became {
    /// There was none since the process began.
    #[default]
    None,
    /// It goes on.
    Running,
    /// It is being called off.
    CallingOff,
    /// Everything is in the new store, which is served.
    Moved,
    /// It was called off.
    CalledOff,
    /// It broke off, for the reason in `error`; the old store is served, if it says nothing else.
    Failed,
}

/// How a copy goes.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = CopyState)]
pub(crate) struct MoveState {
    /// What became of it.
    state: Became,
    /// The name of the new store.
    to: String,
    /// What it does: `copying`, `following`, `comparing` or `handing_over`.
    stage: &'static str,
    /// How many sessions, users and receipts it has looked at in this stage.
    done: u64,
    /// How many of them the new store did not have, or had otherwise.
    differed: u64,
    /// How many events the new store was behind at the last look.
    behind: u64,
    /// What is in the new store.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Counted>,
    /// Why it broke off: a code as in other errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same, told.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a copy came to; both stores were the same.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Copied)]
pub(crate) struct Counted {
    /// Live sessions.
    sessions: u64,
    /// Users of whom something is known.
    users: u64,
    /// For how long nobody could write.
    frozen_ms: u64,
    /// How long it took.
    took_ms: u64,
}

impl Mover {
    /// One that finds stores by their addresses, or says why it cannot.
    pub fn new(find: impl Fn(&str) -> Result<Destination, String> + Send + Sync + 'static) -> Self {
        let (moved, _) = watch::channel(None);
        Self(Arc::new(Inner { find: Box::new(find), last: Mutex::default(), moved }))
    }

    /// Resolves with the address of the new store when sessions have moved: serve that one.
    pub async fn moved(&self) -> String {
        let mut told = self.0.moved.subscribe();
        // It lives as long as this does.
        let address = told.wait_for(Option::is_some).await.ok().and_then(|address| address.clone());
        self.0.moved.send_replace(None);
        address.unwrap_or_default()
    }

    pub(crate) fn state(&self) -> MoveState {
        self.last().state.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a copy or calls it off. Of what is so already, tells how it goes.
    pub(crate) fn begin(&self, sessions: &Sessions, asked: Asked) -> Result<MoveState, Problem> {
        let mut last = self.last();
        let is_same = last.address == asked.to;
        match last.state.state {
            Became::Running if !is_same => {
                let detail = format!("the sessions are on their way to {}", last.state.to);
                return Err(Problem::new(&codes::COPY_UNDER_WAY, detail));
            }
            Became::Running | Became::Moved if is_same && !asked.call_off => return Ok(last.state.clone()),
            Became::CallingOff if is_same && asked.call_off => return Ok(last.state.clone()),
            Became::CallingOff => {
                return Err(Problem::new(&codes::COPY_UNDER_WAY, "a copy is being called off"));
            }
            _ => {}
        }
        let found = (self.0.find)(&asked.to);
        let Destination { engine, name } =
            found.map_err(|why| Problem::new(&codes::INVALID_REQUEST, format!("to: {why}")))?;
        // What is written down of it stays so, and is called off.
        let was_running = last.state.state == Became::Running;
        let before = last.work.take().filter(|before| !before.is_finished());
        before.iter().for_each(AbortHandle::abort);
        let state = if asked.call_off { Became::CallingOff } else { Became::Running };
        last.state = MoveState { state, to: name.clone(), ..MoveState::default() };
        last.address.clone_from(&asked.to);
        last.number += 1;
        let number = last.number;
        let (mover, sessions) = (self.clone(), sessions.clone());
        let work = tokio::spawn(async move {
            while before.as_ref().is_some_and(|before| !before.is_finished()) {
                tokio::time::sleep(ABORTED).await;
            }
            let house = sessions.move_to(engine, name).await?;
            let came = if asked.call_off {
                mover.call_off(&sessions, &house, was_running).await
            } else {
                let watch = |progress: &MoveProgress| mover.last().state.show(progress);
                house.run(watch).await.map(|moved| Came::Moved(Some(moved)))
            };
            house.close().await;
            came
        });
        last.work = Some(work.abort_handle());
        let mover = self.clone();
        tokio::spawn(async move {
            let came = match work.await {
                Err(error) if error.is_cancelled() => return,
                Err(_) => Err(Error::Bug("a copy broke off; see the log for the panic")),
                Ok(came) => came,
            };
            mover.ended(number, came);
        });
        Ok(last.state.clone())
    }

    /// Calls a copy off that may have been stopped just now.
    async fn call_off(&self, sessions: &Sessions, house: &Move, was_running: bool) -> Result<Came, Error> {
        let error = match house.call_off().await {
            Ok(()) => return Ok(Came::CalledOff),
            Err(error) => error,
        };
        // It had opened the new store at the very moment.
        let is_shut = matches!(sessions.ready().await, Err(Error::Store(StoreError::Blocked(_))));
        if was_running && is_shut { Ok(Came::Moved(None)) } else { Err(error) }
    }

    fn ended(&self, number: u64, came: Result<Came, Error>) {
        let mut last = self.last();
        if last.number != number {
            return;
        }
        match came {
            Ok(Came::Moved(moved)) => {
                (last.state.state, last.state.moved) = (Became::Moved, moved.as_ref().map(counted));
                self.0.moved.send_replace(Some(last.address.clone()));
            }
            Ok(Came::CalledOff) => last.state.state = Became::CalledOff,
            Err(error) => {
                tracing::error!(%error, to = last.state.to, "sessions were not moved");
                last.state.state = Became::Failed;
                (last.state.code, last.state.error) = (Some(error.code()), Some(error.to_string()));
            }
        }
    }
}

impl MoveState {
    fn show(&mut self, progress: &MoveProgress) {
        let MoveProgress { stage, done, differed, behind, .. } = *progress;
        (self.stage, self.done, self.differed, self.behind) = (stage.as_str(), done, differed, behind);
    }
}

fn counted(moved: &Moved) -> Counted {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Moved { sessions, users, .. } = *moved;
    Counted { sessions, users, frozen_ms: ms(moved.frozen), took_ms: ms(moved.took) }
}
