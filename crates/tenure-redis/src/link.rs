//! A connection to one primary.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tenure::store::StoreError;
use tokio::sync::OnceCell;

use crate::answer::text;
use crate::connect::{Settings, client, connect, field, identity};
use crate::error::{Excuse, Failure, broken, excuse};
use crate::heart::Heart;
use crate::script::Script;
use crate::url::{Address, Target};

/// How many partitions a store has at the most.
pub(crate) const MAX_PARTITIONS: u16 = 1_024;

/// What to send.
pub(crate) enum Request<'a> {
    /// A script with its keys and arguments.
    Script(&'a Script, Vec<Vec<u8>>, Vec<Vec<u8>>),
    /// Commands one after the other; others may come in between.
    Commands(Pipeline),
}

/// A connection to a server that said it is a primary.
pub(crate) struct Link {
    pub(crate) address: Address,
    /// Names the server's process and its history: another after a restart or a promotion.
    pub(crate) identity: String,
    /// The same as a number.
    pub(crate) number: u64,
    pub(crate) heart: Heart,
    connection: MultiplexedConnection,
    /// Of which partitions it is known that their logs belong to this server.
    begun: [AtomicU64; MAX_PARTITIONS as usize / 64],
    is_broken: AtomicBool,
    /// Whether the server keeps each change in a file: known once it was met.
    pub(crate) durable: OnceCell<bool>,
}

impl Link {
    /// Connects, and believes only a primary.
    ///
    /// # Errors
    /// Unavailable, or Configuration when the server does not let us in.
    pub(crate) async fn open(
        target: &Target,
        address: &Address,
        settings: &Settings,
    ) -> Result<Self, StoreError> {
        let client = client(target.server(address)?, settings)?;
        let mut connection = connect(&client, address, settings.timeout, settings.timeout).await?;
        let mut ask = redis::pipe();
        ask.cmd("ROLE").cmd("INFO").arg("server").cmd("INFO").arg("replication");
        let said = connection
            .send_packed_commands(&ask, 0, 3)
            .await
            .map_err(|error| StoreError::Unavailable(broken(address, &error)))?;
        let [role, server, replication] = said.as_slice() else {
            return Err(StoreError::Unavailable(format!("{address} does not speak as Redis does")));
        };
        match role {
            Value::Array(role) if text(role.first()) == "master" => {}
            Value::ServerError(error) => {
                let said = format!("{address} says {} {}", error.code(), error.details().unwrap_or_default());
                return Err(match error.code() {
                    "NOAUTH" => StoreError::Configuration(format!(
                        "{address} wants a user and password: give them in the URL"
                    )),
                    "NOPERM" => StoreError::Configuration(said),
                    _ => StoreError::Unavailable(said),
                });
            }
            _ => return Err(StoreError::Unavailable(format!("{address} is no primary now"))),
        }
        let (server, replication) = (text(Some(server)), text(Some(replication)));
        let run = field(server, "run_id").unwrap_or_default();
        let identity = identity(run, replication);
        let heart = Heart::new(client, address.clone(), identity.clone(), settings.clone());
        let begun = [const { AtomicU64::new(0) }; _];
        let number = BuildHasherDefault::<DefaultHasher>::default().hash_one(&identity);
        let (address, is_broken, durable) = (address.clone(), AtomicBool::new(false), OnceCell::new());
        Ok(Self { address, identity, number, heart, connection, begun, is_broken, durable })
    }

    /// Sends something and gives what comes back.
    ///
    /// # Errors
    /// Why nothing came back: it may have been done.
    pub(crate) async fn ask(
        &self,
        request: &Request<'_>,
        whole: bool,
        asking: bool,
    ) -> Result<Value, Failure> {
        let mut connection = self.connection.clone();
        let answer = match request {
            Request::Script(script, keys, args) if !asking => {
                connection.send_packed_command(&script.command(keys, args, whole)).await
            }
            Request::Script(script, keys, args) => {
                let mut pipeline = redis::pipe();
                pipeline.cmd("ASKING").add_command(script.command(keys, args, whole));
                connection
                    .send_packed_commands(&pipeline, 1, 1)
                    .await
                    .map(|mut all| all.pop().unwrap_or_default())
            }
            Request::Commands(pipeline) if !asking => {
                connection.send_packed_commands(pipeline, 0, pipeline.len()).await.map(Value::Array)
            }
            Request::Commands(pipeline) => {
                let mut asked = redis::pipe();
                for command in pipeline.cmd_iter() {
                    asked.cmd("ASKING").add_command(command.clone());
                }
                let both = connection.send_packed_commands(&asked, 0, asked.len()).await;
                both.map(|all| Value::Array(all.into_iter().skip(1).step_by(2).collect()))
            }
        };
        answer.map_err(|error| {
            self.give_up();
            let why = broken(&self.address, &error);
            if error.is_timeout() { Failure::Late(why) } else { Failure::Broken(why) }
        })
    }

    /// Runs a script.
    ///
    /// # Errors
    /// Why it did not run.
    pub(crate) async fn run(
        &self,
        script: &Script,
        keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<Value, Excuse> {
        let request = Request::Script(script, keys, args);
        let mut whole = false;
        loop {
            let asked = self.ask(&request, whole, false).await;
            let value = asked.map_err(|failure| Excuse::Refused(failure.of_read()))?;
            match excuse(&value, &self.address) {
                Some(Excuse::NoScript) if !whole => whole = true,
                Some(excuse) => return Err(excuse),
                None => return Ok(value),
            }
        }
    }

    /// Nobody uses this connection any more.
    pub(crate) fn give_up(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(crate) fn has_begun(&self, partition: u16) -> bool {
        let (word, bit) = (usize::from(partition / 64), partition % 64);
        self.begun[word].load(Ordering::Acquire) & (1 << bit) != 0
    }

    pub(crate) fn set_begun(&self, partition: u16, begun: bool) {
        let (word, bit) = (usize::from(partition / 64), 1 << (partition % 64));
        if begun {
            self.begun[word].fetch_or(bit, Ordering::Release);
        } else {
            self.begun[word].fetch_and(!bit, Ordering::Release);
        }
    }
}
