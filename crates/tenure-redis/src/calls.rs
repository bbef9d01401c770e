//! Calls: each finds the server of its partition, follows where it is sent, and ends in time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Pipeline, Value};
use tenure::random::Random;
use tenure::store::StoreError;

use crate::error::{Excuse, Failure, excuse, odd};
use crate::heart::Doubt;
use crate::keys::Keys;
use crate::link::{Link, Request};
use crate::meta::Meta;
use crate::script::{BEGIN, FREE, Script};
use crate::servers::Servers;

/// How often a call is sent again when the server says that it was not done.
const TRIES: u32 = 6;

/// How long to wait when a server says: later.
const LATER: Duration = Duration::from_millis(20);

/// What a script answers that does not find its partition.
const GONE: &[u8] = b"GONE";

/// A store's servers and the names of its keys.
pub(crate) struct Calls {
    pub(crate) servers: Servers,
    pub(crate) keys: Keys,
    pub(crate) meta: Meta,
    pub(crate) random: Arc<dyn Random>,
    /// Whether the store is made, so that what is not there is lost.
    pub(crate) is_open: AtomicBool,
    pub(crate) is_closed: AtomicBool,
    /// Of which servers it was said what is unwise about their settings.
    pub(crate) told: Mutex<HashSet<String>>,
}

/// What a call is about.
#[derive(Clone, Copy)]
enum At {
    Meta,
    Partition(u16, Word),
}

/// Whose word is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// That of a server that says it is the primary.
    Any,
    /// That of one whose replicas have said so too, within the bound: another has taken its place
    /// no longer ago than that. Where no replicas are waited for, this is the same.
    Confirmed,
}

impl Word {
    /// What it takes: an end is written on any primary, so that as much as possible has ended.
    pub(crate) fn for_what(is_essential: bool) -> Self {
        if is_essential { Self::Any } else { Self::Confirmed }
    }
}

impl Calls {
    /// Runs a script on a partition. `own` are the keys beside the head and the guests that it uses.
    ///
    /// # Errors
    /// Whether it may have been done.
    pub(crate) async fn script(
        &self,
        partition: u16,
        script: &Script,
        own: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<Value, Failure> {
        self.script_at(partition, Word::Any, script, own, args).await.map(|(value, _)| value)
    }

    /// The same on somebody's word, and who answered.
    ///
    /// # Errors
    /// Whether it may have been done.
    pub(crate) async fn script_at(
        &self,
        partition: u16,
        word: Word,
        script: &Script,
        own: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<(Value, Arc<Link>), Failure> {
        let keys = self.keys_of(partition, own);
        self.call(At::Partition(partition, word), &Request::Script(script, keys, args)).await
    }

    /// The keys that a script is called with. `own` are those beside the head and the guests.
    pub(crate) fn keys_of(&self, partition: u16, own: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut keys = vec![self.keys.head(partition).into_bytes(), self.keys.guests(partition).into_bytes()];
        // A server of a cluster looks at the names of all keys before it begins: while a slot moves
        // to another server, a part of them may be there already.
        if self.servers.is_cluster() {
            keys.extend(own);
        }
        keys
    }

    /// Sends commands about a partition.
    ///
    /// # Errors
    /// Whether they may have been done.
    pub(crate) async fn commands(&self, partition: u16, commands: Pipeline) -> Result<Value, Failure> {
        self.commands_at(partition, Word::Any, commands).await.map(|(value, _)| value)
    }

    /// The same on somebody's word, and who answered.
    ///
    /// # Errors
    /// Whether they may have been done.
    pub(crate) async fn commands_at(
        &self,
        partition: u16,
        word: Word,
        commands: Pipeline,
    ) -> Result<(Value, Arc<Link>), Failure> {
        self.call(At::Partition(partition, word), &Request::Commands(commands)).await
    }

    async fn call(&self, at: At, request: &Request<'_>) -> Result<(Value, Arc<Link>), Failure> {
        // Longer than one answer may take, so that a connection that is of no use shows first.
        let within = self.servers.settings.timeout + Duration::from_millis(500);
        match tokio::time::timeout(within, self.follow(at, request)).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::Late("Redis does not answer in time".into())),
        }
    }

    async fn follow(&self, at: At, request: &Request<'_>) -> Result<(Value, Arc<Link>), Failure> {
        let slot = match at {
            At::Meta => self.keys.meta_slot(),
            At::Partition(partition, _) => self.keys.slot(partition),
        };
        let (mut whole, mut asked) = (false, None);
        let mut why = StoreError::Unavailable("no server of Redis is known".into());
        for _ in 0..TRIES {
            if self.is_closed.load(Ordering::Relaxed) {
                return Err(Failure::Refused(StoreError::Unavailable("the store is closed".into())));
            }
            let routes = self.servers.routes();
            let found = match (&asked, routes.of(slot)) {
                (Some(address), _) => self.servers.link_to(address).await,
                (None, Some(node)) => self.servers.link(node).await,
                (None, None) => Err(why.clone()),
            };
            let link = match found {
                Ok(link) => link,
                Err(error @ StoreError::Configuration(_)) => return Err(Failure::Refused(error)),
                Err(error) => {
                    why = error;
                    asked = None;
                    if let Err(error) = self.servers.look(&routes).await {
                        why = error;
                    }
                    if !self.servers.moves() {
                        break;
                    }
                    tokio::time::sleep(LATER).await;
                    continue;
                }
            };
            let excused = match self.send(at, &link, request, whole, asked.is_some()).await? {
                Ok(value) => return Ok((value, link)),
                Err(excuse) => excuse,
            };
            asked = None;
            match excused {
                Excuse::NoScript => whole = true,
                Excuse::Ask(address) if matches!(request, Request::Script(..)) => asked = address,
                Excuse::Ask(_) => {
                    why = StoreError::Unavailable("the cluster is moving slots".into());
                    tokio::time::sleep(LATER).await;
                }
                Excuse::Later(said) => {
                    why = StoreError::Unavailable(said);
                    tokio::time::sleep(LATER).await;
                }
                Excuse::Moved => {
                    why = StoreError::Unavailable("the cluster is moving slots".into());
                    let _ = self.servers.look(&routes).await;
                    // Whoever was asked may not have heard yet that it moved.
                    if self.servers.routes().of(slot).is_some_and(|node| node.is_at(&link.address)) {
                        tokio::time::sleep(LATER).await;
                    }
                }
                Excuse::NotPrimary(said) => {
                    why = StoreError::Unavailable(said);
                    link.give_up();
                    let _ = self.servers.look(&routes).await;
                }
                Excuse::Refused(error) => return Err(Failure::Refused(error)),
                Excuse::Failed(said) => return Err(Failure::Broken(said)),
            }
        }
        Err(Failure::Refused(why))
    }

    /// The connection to the primary of a partition, whose log is that server's.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn link_of(&self, partition: u16) -> Result<Arc<Link>, StoreError> {
        let mut why = StoreError::Unavailable("no server of Redis is known".into());
        for _ in 0..TRIES {
            let routes = self.servers.routes();
            if let Some(node) = routes.of(self.keys.slot(partition)) {
                match self.servers.link(node).await {
                    Ok(link) if link.has_begun(partition) => return Ok(link),
                    // Any call begins it.
                    Ok(_) => {
                        let mut commands = redis::pipe();
                        commands.cmd("HGET").arg(self.keys.head(partition)).arg("seq");
                        self.commands(partition, commands).await.map_err(Failure::of_read)?;
                        continue;
                    }
                    Err(error) => why = error,
                }
            }
            if !self.servers.moves() {
                break;
            }
            self.servers.look(&routes).await?;
            tokio::time::sleep(LATER).await;
        }
        Err(why)
    }

    /// Finds out anew where the primaries are.
    pub(crate) async fn look_again(&self) {
        if let Err(error) = self.servers.look(&self.servers.routes()).await {
            tracing::debug!(%error, "nobody says where the primaries are");
        }
    }

    /// Sends commands about what there is once in a store.
    ///
    /// # Errors
    /// Whether they may have been done.
    pub(crate) async fn meta_commands(&self, commands: Pipeline) -> Result<Value, Failure> {
        self.call(At::Meta, &Request::Commands(commands)).await.map(|(value, _)| value)
    }

    /// Takes the turn that only one has, for so long at the most. Gives whether nobody else has it.
    ///
    /// # Errors
    /// As for every call.
    pub(crate) async fn take_turn(&self, turn: &[u8; 8], for_ms: u64) -> Result<bool, StoreError> {
        let mut commands = redis::pipe();
        commands.cmd("SET").arg(self.keys.turn()).arg(turn).arg("NX").arg("PX").arg(for_ms);
        let said = self.meta_commands(commands).await.map_err(Failure::of_read)?;
        Ok(matches!(said, Value::Array(said) if said.first() == Some(&Value::Okay)))
    }

    /// Gives it back.
    ///
    /// # Errors
    /// As for every call.
    pub(crate) async fn give_turn(&self, turn: &[u8; 8]) -> Result<(), StoreError> {
        let request = Request::Script(&FREE, vec![self.keys.turn().into_bytes()], vec![turn.to_vec()]);
        self.call(At::Meta, &request).await.map_err(Failure::of_read).map(drop)
    }

    /// Tells all who listen that something happened.
    ///
    /// # Errors
    /// As for every call.
    pub(crate) async fn publish(&self) -> Result<(), StoreError> {
        let mut commands = redis::pipe();
        commands.cmd("PUBLISH").arg(self.keys.channel()).arg("");
        self.meta_commands(commands).await.map_err(Failure::of_read).map(drop)
    }

    /// Sends it over one connection, after making sure that the server's log is this server's.
    async fn send(
        &self,
        at: At,
        link: &Link,
        request: &Request<'_>,
        whole: bool,
        asking: bool,
    ) -> Result<Result<Value, Excuse>, Failure> {
        if let At::Partition(partition, _) = at
            && !link.has_begun(partition)
            && !asking
        {
            match self.begin(link, partition).await {
                Ok(()) => link.set_begun(partition, true),
                // It went ahead to the server where the slot is going.
                Err(Excuse::Ask(_)) => {}
                Err(excuse) => return Ok(Err(excuse)),
            }
        }
        if let At::Partition(partition, Word::Confirmed) = at {
            match link.heart.is_sure(&self.heartbeat(partition)).await {
                Ok(()) => {}
                Err(Doubt::Other(why)) => return Ok(Err(Excuse::NotPrimary(why))),
                Err(Doubt::Unconfirmed(why)) => return Err(Failure::Refused(StoreError::Unavailable(why))),
            }
        }
        let mut value = link.ask(request, whole, asking).await?;
        if let (Request::Commands(commands), Value::Array(answers)) = (request, &mut value) {
            self.ask_elsewhere(link, commands, answers).await?;
        }
        if let Some(excuse) = excuse(&value, &link.address) {
            return Ok(Err(excuse));
        }
        if let (At::Partition(partition, _), true) = (at, is_gone(&value)) {
            link.set_begun(partition, false);
            return Ok(Err(Excuse::Later(format!("{} has lost a partition", link.address))));
        }
        Ok(Ok(value))
    }

    /// While a slot moves, a part of its keys is here and a part there: only for what is not here the
    /// other server is asked, which would say of the rest that it does not exist.
    async fn ask_elsewhere(
        &self,
        link: &Link,
        commands: &Pipeline,
        answers: &mut [Value],
    ) -> Result<(), Failure> {
        let gone = |answer: &Value| match excuse(answer, &link.address) {
            Some(Excuse::Ask(to)) => to,
            _ => None,
        };
        let Some(address) = answers.iter().find_map(gone) else { return Ok(()) };
        let other = self.servers.link_to(&address).await.map_err(Failure::Refused)?;
        let mut there = redis::pipe();
        for (command, answer) in commands.cmd_iter().zip(answers.iter()) {
            if gone(answer).is_some() {
                there.add_command(command.clone());
            }
        }
        let said = other.ask(&Request::Commands(there), false, true).await?;
        let Value::Array(said) = said else { return Ok(()) };
        for (answer, said) in answers.iter_mut().filter(|answer| gone(answer).is_some()).zip(said) {
            *answer = said;
        }
        Ok(())
    }

    /// Begins a partition that is not there, and the log of one whose server has changed.
    async fn begin(&self, link: &Link, partition: u16) -> Result<(), Excuse> {
        match self.meet(link, partition).await {
            Ok(()) | Err(Excuse::Ask(_)) => {}
            Err(excuse) => return Err(excuse),
        }
        let log = format!("{}e", self.keys.base(partition));
        let keys = vec![self.keys.head(partition).into_bytes(), log.into_bytes()];
        let args = vec![self.number().to_vec(), link.identity.clone().into_bytes()];
        if link.run(&BEGIN, keys, args).await? == Value::Int(0) {
            if self.is_open.load(Ordering::Relaxed) {
                tracing::error!(server = %link.address, partition, "Redis has lost a partition; it begins anew, empty");
            }
            Box::pin(self.check_meta()).await.map_err(Excuse::Refused)?;
        }
        Ok(())
    }

    /// Makes sure that this is still the store that was opened. One that was lost begins anew.
    ///
    /// # Errors
    /// Blocked when it is another one.
    async fn check_meta(&self) -> Result<(), StoreError> {
        let said = self.read_meta(Some(&self.meta)).await?;
        if said.as_ref() == Some(&self.meta) {
            Ok(())
        } else {
            Err(StoreError::Blocked("another store lies under this prefix now; open it anew".into()))
        }
    }

    /// What the server says that the store is, after writing it if there is nothing.
    ///
    /// # Errors
    /// As for every call.
    pub(crate) async fn read_meta(&self, new: Option<&Meta>) -> Result<Option<Meta>, StoreError> {
        let key = self.keys.meta();
        let mut commands = redis::pipe();
        if let Some(new) = new {
            commands.cmd("SET").arg(&key).arg(new.to_text()).arg("NX");
        }
        // Reads, but is not taken by a replica.
        commands.cmd("GETEX").arg(&key);
        match self.meta_commands(commands).await.map_err(Failure::of_write)? {
            Value::Array(said) => match said.last() {
                Some(Value::BulkString(text)) => Meta::read(text).map(Some),
                Some(Value::Nil) => Ok(None),
                _ => Err(odd()),
            },
            _ => Err(odd()),
        }
    }

    /// A random number.
    pub(crate) fn number(&self) -> [u8; 8] {
        let mut number = [0; 8];
        self.random.fill(&mut number);
        number
    }
}

/// Whether a partition is not there. The first of several commands asks its head.
fn is_gone(value: &Value) -> bool {
    match value {
        Value::BulkString(said) => said == GONE,
        Value::Array(said) => matches!(said.first(), Some(Value::Nil)),
        _ => false,
    }
}
