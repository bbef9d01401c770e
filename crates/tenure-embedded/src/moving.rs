//! Moving out of the store, and into it.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use tenure::store::{
    Barrier, Export, Fence, Item, KnownUser, Movable, Part, Phase, RecentEnds, RouteOf, StoreError, steps,
};
use tenure::{OperationId, Realm, UserId};

use crate::error::{Result, damaged};
use crate::job::Need;
use crate::meta::Head;
use crate::rows::{Sum, count};
use crate::store::EmbeddedStore;
use crate::txn::Txn;
use crate::{log, rows};

/// How many items are imported in one commit.
const AT_ONCE: usize = 1_000;

#[async_trait]
impl Movable for EmbeddedStore {
    async fn export(
        &self,
        part: Part,
        after: Option<&[u8]>,
        limit: usize,
    ) -> std::result::Result<Export, StoreError> {
        let after = after.map(<[u8]>::to_vec);
        let find = move |conn: &Connection| match part {
            Part::Sessions => sessions(conn, key_in(after.as_deref()), limit),
            Part::Users => users(conn, after.as_deref().unwrap_or_default(), limit),
            Part::Receipts => receipts(conn, key_in(after.as_deref()), limit),
        };
        self.read(find).await
    }

    async fn import(&self, items: &[Item], _: &RouteOf<'_>) -> std::result::Result<u64, StoreError> {
        let mut changed = 0;
        for part in items.chunks(AT_ONCE) {
            let part = part.to_vec();
            changed += self.write_always(Need::Ordinary, move |txn| steps::import(txn, &part)).await?;
        }
        Ok(changed)
    }

    async fn fence(&self, fence: Fence) -> std::result::Result<Option<Barrier>, StoreError> {
        let raise = move |txn: &mut Txn<'_>| {
            let after = txn.head.barrier.after(fence, txn.now);
            if let Some(barrier) = after {
                txn.head.barrier = barrier;
                txn.wrote();
            }
            Ok(after)
        };
        let after = self.write_always(Need::Essential, raise).await?;
        if let Some(barrier) = after {
            self.set_shut(barrier == Barrier::SHUT);
        }
        Ok(after)
    }

    async fn barrier(&self) -> std::result::Result<Barrier, StoreError> {
        self.look(|conn| Ok(Head::read(conn)?.barrier)).await
    }

    async fn phase(&self) -> std::result::Result<Phase, StoreError> {
        self.look(phase).await
    }

    async fn change_phase(&self, from: &Phase, to: &Phase) -> std::result::Result<bool, StoreError> {
        let (from, to) = (from.clone(), to.clone());
        let write = move |txn: &mut Txn<'_>| {
            if phase(txn.conn)? != from {
                return Ok(false);
            }
            txn.wrote();
            let bytes = rmp_serde::to_vec(&to).map_err(|_| damaged("a phase that cannot be written"))?;
            let sum = Sum::new().bytes(&bytes).value();
            txn.conn.execute(
                "INSERT OR REPLACE INTO phase (one, sum, phase) VALUES (1, ?1, ?2)",
                params![sum, bytes],
            )?;
            Ok(true)
        };
        self.write_always(Need::Essential, write).await
    }
}

fn phase(conn: &Connection) -> Result<Phase> {
    let mut query = conn.prepare_cached("SELECT sum, phase FROM phase WHERE one = 1")?;
    let found =
        query.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
    let Some((sum, bytes)) = found else {
        return Ok(Phase::Open);
    };
    let is_whole = sum == Sum::new().bytes(&bytes).value();
    let read = is_whole.then(|| rmp_serde::from_slice(&bytes).ok()).flatten();
    Ok(read
        .ok_or_else(|| damaged("the row that says whether sessions have moved is not as it was written"))?)
}

fn key_in(after: Option<&[u8]>) -> i64 {
    after.and_then(|bytes| bytes.try_into().ok()).map_or(i64::MIN, i64::from_be_bytes)
}

fn sessions(conn: &Connection, after: i64, limit: usize) -> Result<Export> {
    let (mut items, mut last, mut failed) = (Vec::new(), after, None);
    rows::each_after(conn, after, |key, stored| {
        match stored {
            Ok(stored) => items.push(Item::Session(Box::new(stored.record))),
            Err(failure) => failed = Some(failure),
        }
        last = key;
        failed.is_none() && items.len() < limit
    })?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    let next = (items.len() == limit).then(|| last.to_be_bytes().to_vec());
    Ok(Export { items, next })
}

fn users(conn: &Connection, after: &[u8], limit: usize) -> Result<Export> {
    let after = String::from_utf8_lossy(after);
    let (realm, user) = after.split_once('\0').unwrap_or(("", ""));
    let mut query = conn.prepare_cached(
        "SELECT realm, user FROM users WHERE (realm, user) > (?1, ?2) ORDER BY realm, user LIMIT ?3",
    )?;
    let names = query.query_map(params![realm, user, count(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let names: Vec<(String, String)> = names.collect::<rusqlite::Result<_>>()?;
    let next = names.last().filter(|_| names.len() == limit);
    let next = next.map(|(realm, user)| format!("{realm}\0{user}").into_bytes());
    let items = names.into_iter().map(|(realm, user)| {
        let (Ok(realm), Ok(user)) = (Realm::new(realm), UserId::new(user)) else {
            return Err(damaged("what is known of a user is not as it was written").into());
        };
        let record = log::user(conn, &realm, &user)?;
        let recent = log::receipt(conn, RecentEnds::key(&realm, &user))?;
        let recent_ends = recent.map(|replay| replay.receipt).unwrap_or_default();
        Ok(Item::User(Box::new(KnownUser { realm, user, record, recent_ends })))
    });
    Ok(Export { items: items.collect::<Result<_>>()?, next })
}

fn receipts(conn: &Connection, after: i64, limit: usize) -> Result<Export> {
    let mut query =
        conn.prepare_cached("SELECT key, id, session FROM receipts WHERE key > ?1 ORDER BY key LIMIT ?2")?;
    let found =
        query.query_map(params![after, count(limit)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(i64, [u8; 16], [u8; 16])> = found.collect::<rusqlite::Result<_>>()?;
    let next = found.last().filter(|_| found.len() == limit).map(|(key, ..)| key.to_be_bytes().to_vec());
    let of_sessions = found.into_iter().filter(|(_, _, session)| session != steps::NO_SESSION.as_bytes());
    let items = of_sessions.map(|(_, id, _)| {
        let operation = OperationId::from_bytes(id);
        let replay = log::receipt(conn, operation)?.ok_or_else(|| damaged("a receipt is missing"))?;
        Ok(Item::Receipt { operation, replay })
    });
    Ok(Export { items: items.collect::<Result<_>>()?, next })
}
