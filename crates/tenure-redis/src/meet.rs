//! Meeting a server, when the store is opened or later: what the user may do there, and what is unwise
//! about its settings. Neither goes from a primary to those that follow it.

use std::sync::PoisonError;

use redis::Value;
use tenure::store::StoreError;

use crate::answer::{array, text};
use crate::calls::Calls;
use crate::connect::field;
use crate::error::{Excuse, Failure, excuse};
use crate::link::{Link, Request};
use crate::script::RIGHTS;

/// Of how many servers it is remembered that something was said.
const TOLD: usize = 64;

impl Calls {
    /// Looks at the server of a connection before anything is written there. Once it is well, it is not
    /// looked at again.
    ///
    /// # Errors
    /// Refused with Configuration when the user may not do what scripts do, of which one that is stopped
    /// in its middle has written a part, and when the server is too old.
    pub(crate) async fn meet(&self, link: &Link, partition: u16) -> Result<(), Excuse> {
        let look = async || {
            self.try_rights(link, partition).await?;
            self.look_at_settings(link).await
        };
        link.durable.get_or_try_init(look).await.map(drop)
    }

    async fn try_rights(&self, link: &Link, partition: u16) -> Result<(), Excuse> {
        let base = self.keys.base(partition).as_bytes().to_vec();
        let keys = self.keys_of(partition, vec![[&base[..], b"?"].concat()]);
        let said = link.run(&RIGHTS, keys, vec![base]).await?;
        match text(Some(&said)) {
            "" => Ok(()),
            refused => Err(Excuse::Refused(StoreError::Configuration(format!(
                "the user at {} has no right to {refused}, which Tenure needs: the book lists all of them",
                link.address
            )))),
        }
    }

    /// Warns of what would lose sessions. Gives whether the server keeps each change in a file.
    async fn look_at_settings(&self, link: &Link) -> Result<bool, Excuse> {
        let ask = async |commands| {
            let said = link.ask(&Request::Commands(commands), false, false).await;
            said.and_then(array).map_err(Failure::of_read)
        };
        let mut commands = redis::pipe();
        commands.cmd("INFO");
        commands.cmd("CONFIG").arg("GET").arg("save");
        let said = ask(commands).await.map_err(Excuse::Refused)?;
        let [about, saves] = said.as_slice() else { return Err(Excuse::Refused(crate::error::odd())) };
        if let Some(excuse) = excuse(about, &link.address) {
            return Err(excuse);
        }
        let info = text(Some(about));
        let is = |name: &str, value: &str| field(info, name) == Some(value);
        let version = field(info, "redis_version").unwrap_or_default();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        let server = &link.address;
        if major < 7 {
            return Err(Excuse::Refused(StoreError::Configuration(format!(
                "{server} is Redis {version}; 7.0 or newer is needed"
            ))));
        }
        let durable = is("aof_enabled", "1");
        if !self.is_to_be_told(link) {
            return Ok(durable);
        }
        if !is("maxmemory", "0") && !is("maxmemory_policy", "noeviction") {
            tracing::warn!(%server, "Redis throws sessions away when its memory is full: set `maxmemory-policy noeviction`");
        }
        if !durable {
            match saves {
                Value::Array(pair) if text(pair.get(1)).is_empty() => {
                    tracing::warn!(%server, "Redis keeps nothing on its disk: a restart ends all sessions; set `appendonly yes`");
                }
                Value::Array(_) => {
                    tracing::warn!(%server, "Redis keeps a snapshot now and then: a restart brings ended sessions back; set `appendonly yes`");
                }
                // The user may not ask for it.
                _ => {
                    tracing::warn!(%server, "Redis does not keep each change on its disk: a restart ends sessions, or brings ended ones back; set `appendonly yes`");
                }
            }
        }
        Ok(durable)
    }

    /// Whether it is the first time that this server is met: not each connection is worth a word.
    fn is_to_be_told(&self, link: &Link) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() == TOLD {
            told.clear();
        }
        told.insert(link.identity.clone())
    }
}
