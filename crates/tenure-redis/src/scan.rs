//! What goes over all partitions: the sessions that are due, and pages of a realm.

use futures_util::future::try_join_all;
use redis::{Pipeline, Value};
use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::store::{PageRequest, StoreError};
use tenure_shared::{Class, Row, Want, realm_hash};

use crate::answer::{array, integer};
use crate::calls::Word;
use crate::error::{Failure, odd};
use crate::pack;
use crate::place::RedisPlace;
use crate::script::FORGET;

/// Where in the members of an index the id begins.
pub(crate) const IN_DUE: usize = 0;
const IN_REALM: usize = 8;

impl RedisPlace {
    /// The sessions that are due first.
    pub(crate) async fn first_due(&self, until: Timestamp, limit: usize) -> Result<Vec<Row>, StoreError> {
        let each = (0..self.calls.keys.partitions()).map(|partition| async move {
            let mut commands = self.asking(partition);
            let index = format!("{}d", self.calls.keys.base(partition));
            commands.cmd("ZRANGEBYSCORE").arg(index).arg("-inf").arg(until.as_millis());
            commands.arg("WITHSCORES").arg("LIMIT").arg(0).arg(limit);
            let found = self.members(partition, Word::Any, commands).await?;
            let due = found.chunks_exact(2).map(|pair| match pair {
                [Value::BulkString(member), score] => Ok((score_of(score)?, partition, member.clone())),
                _ => Err(odd()),
            });
            due.collect::<Result<Vec<_>, StoreError>>()
        });
        let mut due: Vec<_> = try_join_all(each).await?.into_iter().flatten().collect();
        due.sort_unstable();
        due.truncate(limit);
        let members = due.into_iter().map(|(_, at, member)| (at, member)).collect();
        let mut rows = self.rows(members, "d", IN_DUE, true).await?;
        rows.sort_unstable_by_key(|row| (row.due, row.id));
        Ok(rows)
    }

    /// The sessions of a realm that have not ended, by id.
    pub(crate) async fn next_of_realm(
        &self,
        request: &PageRequest,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut after, mut rows) = (request.after, Vec::new());
        // What ended between the two looks is not in the second: then there is more to look at.
        while rows.len() < limit {
            let wanted = limit - rows.len();
            let ids = self.ids_of_realm(request, after, wanted).await?;
            let (found, last) =
                (ids.len(), ids.last().map(|(_, member)| pack::id_in(member, IN_REALM)).transpose()?);
            let mut more = self.rows(ids, "r", IN_REALM, false).await?;
            more.retain(|row| row.class != Class::Ended);
            rows.extend(more);
            after = last;
            if found < wanted {
                break;
            }
        }
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows)
    }

    async fn ids_of_realm(
        &self,
        request: &PageRequest,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<(u16, Vec<u8>)>, StoreError> {
        let realm = realm_hash(&request.realm).to_be_bytes();
        let from = after.map_or([b"[", &realm[..]].concat(), |id| [b"(", &realm[..], id.as_bytes()].concat());
        let to = [b"[", &realm[..], &[0xff; 16]].concat();
        let (from, to) = (&from, &to);
        let each = (0..self.calls.keys.partitions()).map(|partition| async move {
            let mut commands = self.asking(partition);
            let index = format!("{}r", self.calls.keys.base(partition));
            commands.cmd("ZRANGEBYLEX").arg(index).arg(from).arg(to).arg("LIMIT").arg(0).arg(limit);
            let found = self.members(partition, Word::Confirmed, commands).await?.into_iter().map(|member| {
                match member {
                    Value::BulkString(member) => Ok((partition, member)),
                    _ => Err(odd()),
                }
            });
            found.collect::<Result<Vec<_>, StoreError>>()
        });
        let mut ids: Vec<_> = try_join_all(each).await?.into_iter().flatten().collect();
        ids.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        ids.truncate(limit);
        Ok(ids)
    }

    /// The beginning of a question about a partition: only its primary answers, and only if it is there.
    pub(crate) fn asking(&self, partition: u16) -> Pipeline {
        let mut commands = redis::pipe();
        let keys = &self.calls.keys;
        commands.cmd("HGET").arg(keys.head(partition)).arg("seq");
        commands.cmd("GETEX").arg(format!("{}-", keys.base(partition)));
        commands
    }

    pub(crate) async fn members(
        &self,
        partition: u16,
        word: Word,
        commands: Pipeline,
    ) -> Result<Vec<Value>, StoreError> {
        let asked = self.calls.commands_at(partition, word, commands).await;
        let said = asked.and_then(|(said, _)| array(said)).map_err(Failure::of_read)?;
        said.into_iter().next_back().ok_or_else(odd).and_then(|last| array(last).map_err(Failure::of_read))
    }

    /// The rows of members of an index. A session that is not there is taken out of it.
    pub(crate) async fn rows(
        &self,
        members: Vec<(u16, Vec<u8>)>,
        index: &str,
        from: usize,
        essential: bool,
    ) -> Result<Vec<Row>, StoreError> {
        let mut places: std::collections::BTreeMap<u16, Vec<Vec<u8>>> = Default::default();
        for (partition, member) in members {
            places.entry(partition).or_default().push(member);
        }
        let each = places.into_iter().map(|(partition, members)| async move {
            let sessions =
                members.iter().map(|member| pack::id_in(member, from)).collect::<Result<_, _>>()?;
            let rows =
                self.view_all(&Want { partition, sessions, essential, ..Want::default() }).await?.sessions;
            if rows.len() < members.len() {
                let there = |member: &Vec<u8>| rows.iter().any(|row| pack::id_in(member, from) == Ok(row.id));
                self.forget(partition, index, from, members.into_iter().filter(|m| !there(m)).collect())
                    .await?;
            }
            Ok::<_, StoreError>(rows)
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    async fn forget(
        &self,
        partition: u16,
        index: &str,
        from: usize,
        members: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let base = self.calls.keys.base(partition).as_bytes().to_vec();
        let own = vec![[&base[..], index.as_bytes()].concat()];
        let args =
            [base, index.into(), (from + 1).to_string().into_bytes()].into_iter().chain(members).collect();
        self.calls.script(partition, &FORGET, own, args).await.map_err(Failure::of_read).map(drop)
    }

    pub(crate) async fn log_length(&self, partition: u16) -> Result<u64, StoreError> {
        let mut commands = self.asking(partition);
        commands.cmd("XLEN").arg(format!("{}e", self.calls.keys.base(partition)));
        let said =
            self.calls.commands(partition, commands).await.and_then(array).map_err(Failure::of_read)?;
        said.last().ok_or_else(odd).and_then(|length| integer(length).map_err(Failure::of_read))
    }
}

/// A score as a whole number.
pub(crate) fn score_of(value: &Value) -> Result<u64, StoreError> {
    match value {
        Value::BulkString(digits) => {
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<f64>().ok());
            number.map(|number| number as u64).ok_or_else(odd)
        }
        Value::Double(number) => Ok(*number as u64),
        _ => Err(odd()),
    }
}
