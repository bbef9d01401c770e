//! Who moves the sessions of a running server to another store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure::store::Engine;
use tenure::{Error, MoveProgress, Moved, Sessions};
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
        let before = last.work.take();
        let state = if asked.call_off { Became::CallingOff } else { Became::Running };
        last.state = MoveState { state, to: name.clone(), ..MoveState::default() };
        last.address.clone_from(&asked.to);
        let (mover, sessions) = (self.clone(), sessions.clone());
        let work = tokio::spawn(async move {
            if let Some(before) = before {
                before.abort();
                while !before.is_finished() {
                    tokio::time::sleep(ABORTED).await;
                }
            }
            mover.work(&sessions, engine, name, asked.call_off).await
        });
        last.work = Some(work.abort_handle());
        let mover = self.clone();
        tokio::spawn(async move {
            let became = match work.await {
                Err(error) if error.is_cancelled() => return,
                Err(_) => Err(Error::Bug("a copy broke off; see the log for the panic")),
                Ok(became) => became,
            };
            mover.ended(became);
        });
        Ok(last.state.clone())
    }

    fn ended(&self, became: Result<Option<Moved>, Error>) {
        let mut last = self.last();
        match became {
            Ok(Some(moved)) => {
                (last.state.state, last.state.moved) = (Became::Moved, Some(counted(&moved)));
                self.0.moved.send_replace(Some(last.address.clone()));
            }
            Ok(None) => last.state.state = Became::CalledOff,
            Err(error) => {
                tracing::error!(%error, to = last.state.to, "sessions were not moved");
                last.state.state = Became::Failed;
                (last.state.code, last.state.error) = (Some(error.code()), Some(error.to_string()));
            }
        }
    }

    async fn work(
        &self,
        sessions: &Sessions,
        engine: Box<dyn Engine>,
        name: String,
        call_off: bool,
    ) -> Result<Option<Moved>, Error> {
        let house = sessions.move_to(engine, name).await?;
        let done = if call_off {
            house.call_off().await.map(|()| None)
        } else {
            house.run(|progress| self.last().state.show(progress)).await.map(Some)
        };
        house.close().await;
        done
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
