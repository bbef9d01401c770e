//! The tables of a store: made, brought up to date, and checked.

use tenure::MasterKey;
use tenure::random::Random;
use tenure::store::StoreError;
use tenure_shared::{LONGEST_FREEZE_MS, LONGEST_HOLD_MS, MarksAt, key_check};
use tokio_postgres::{Client, Row};

use crate::error::{self, Sent};
use crate::statements::SHUT;
use crate::types::get;
use crate::types::moment;

/// The version that this release makes and works with.
const VERSION: i32 = 1;

/// The oldest release, by the number of its version, that can work with it: a change comes in two
/// steps, first what is new beside what there is, in a later release without what was.
const READABLE_BY: i32 = 1;

/// The number of the lock under which tables are made and changed, beside a hash of the schema.
const LOCK: i32 = 7236;

const TABLES: &str = include_str!("sql/tables.sql");
const FUNCTIONS: &str = include_str!("sql/functions.sql");

/// What a store is.
pub(crate) struct Meta {
    pub(crate) partitions: u16,
    pub(crate) store: Vec<u8>,
    pub(crate) latest: tenure::clock::Timestamp,
}

/// A new store, if one has to be made.
pub(crate) struct New<'a> {
    pub(crate) partitions: u16,
    pub(crate) random: &'a dyn Random,
    pub(crate) marks: &'a MarksAt<'a>,
}

/// Whether this can be the name of a schema. It is part of statements, so it is plain.
pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if first && name.len() <= 63 && name.chars().all(plain) && !name.starts_with("pg_") {
        return Ok(());
    }
    Err(StoreError::Configuration(
        "the schema for PostgreSQL has 1 to 63 lower-case letters, digits and `_`, and begins with no digit"
            .into(),
    ))
}

/// Makes the store if it is not there, and says what it is.
///
/// # Errors
/// Configuration when it is of a newer release, was made with another key, or may not be made; Blocked when
/// another one was here.
pub(crate) async fn open(
    client: &mut Client,
    schema: &str,
    key: &MasterKey,
    new: New<'_>,
) -> Result<Meta, StoreError> {
    let failed = |e: tokio_postgres::Error| error::of(&e, Sent::Nothing);
    if !exists(client, schema).await? {
        new.marks.may_be_made()?;
        let step = client.transaction().await.map_err(failed)?;
        step.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", &[&LOCK, &schema])
            .await
            .map_err(failed)?;
        let there = step.query_one(EXISTS, &[&schema]).await.map_err(failed)?;
        if !get::<bool>(&there, 0)? {
            if !get::<bool>(&step.query_one(HAS_SCHEMA, &[&schema]).await.map_err(failed)?, 0)? {
                step.batch_execute(&format!("CREATE SCHEMA {schema}")).await.map_err(failed)?;
            }
            let sql = format!("{TABLES}{FUNCTIONS}")
                .replace("{schema}", schema)
                .replace("{shut}", &SHUT.to_string())
                .replace("{longest_hold}", &LONGEST_HOLD_MS.to_string())
                .replace("{longest_freeze}", &LONGEST_FREEZE_MS.to_string());
            step.batch_execute(&sql).await.map_err(failed)?;
            let (mut store, mut epoch) = ([0; 16], [0; 8]);
            new.random.fill(&mut store);
            new.random.fill(&mut epoch);
            let meta = format!(
                "INSERT INTO {schema}.meta (version, readable_by, partitions, epoch, store, key_check)
                 VALUES ($1, $2, $3, $4, $5, $6)"
            );
            let partitions = i32::from(new.partitions);
            let (epoch, check) = (i64::from_be_bytes(epoch), key_check(key));
            step.execute(&meta, &[&VERSION, &READABLE_BY, &partitions, &epoch, &&store[..], &&check[..]])
                .await
                .map_err(failed)?;
            let rows =
                format!("INSERT INTO {schema}.partitions (id) SELECT n FROM generate_series(0, $1 - 1) n");
            step.execute(&rows, &[&partitions]).await.map_err(failed)?;
        }
        step.commit().await.map_err(failed)?;
    }
    let sql = format!(
        "SELECT version, readable_by, partitions, store, key_check,
                (SELECT max(latest) FROM {schema}.partitions), (SELECT count(*) FROM {schema}.partitions)
         FROM {schema}.meta"
    );
    let row = client.query_opt(&sql, &[]).await.map_err(failed)?;
    read(&row.ok_or_else(|| error::corrupt("the row that names the store is missing"))?, schema, key)
}

// Read from the tables themselves: functions that look names up may remember that there was none.
const EXISTS: &str = "SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = 'meta')";
const HAS_SCHEMA: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text)";

async fn exists(client: &Client, schema: &str) -> Result<bool, StoreError> {
    let row = client.query_one(EXISTS, &[&schema]).await;
    get(&row.map_err(|e| error::of(&e, Sent::Nothing))?, 0)
}

fn read(row: &Row, schema: &str, key: &MasterKey) -> Result<Meta, StoreError> {
    let (version, readable_by): (i32, i32) = (get(row, 0)?, get(row, 1)?);
    if readable_by > VERSION {
        return Err(StoreError::Configuration(format!(
            "the store in schema {schema} is of a newer release: its version is {version}, for releases that \
             know version {readable_by}; this one knows {VERSION}. Start the newer release"
        )));
    }
    let check: &[u8] = get(row, 4)?;
    if check != key_check(key) {
        return Err(StoreError::Configuration(format!(
            "this is not the master key of the store in schema {schema}; give it the one it was made with"
        )));
    }
    let partitions: i32 = get(row, 2)?;
    if get::<i64>(row, 6)? != i64::from(partitions) {
        return Err(error::corrupt("partitions are missing"));
    }
    Ok(Meta {
        partitions: u16::try_from(partitions).map_err(|_| error::corrupt("a wrong number of partitions"))?,
        store: get(row, 3)?,
        latest: moment(get(row, 5)?),
    })
}
