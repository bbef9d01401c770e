//! Our values as PostgreSQL takes them.

use std::error::Error;

use bytes::BytesMut;
use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::store::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::error::{self, Sent};

/// Sixteen bytes as a `uuid`, which is compared byte by byte, as we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 16]);

impl From<SessionId> for Id {
    fn from(id: SessionId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<Id> for SessionId {
    fn from(id: Id) -> Self {
        Self::from_bytes(id.0)
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        to.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, from: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(from.try_into()?))
    }

    accepts!(UUID);
}

/// A number as a `bigint`. What is beyond stays at the largest, which stands for never.
pub(crate) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A moment as a `bigint`.
pub(crate) fn millis(at: Timestamp) -> i64 {
    big(at.as_millis())
}

/// A `bigint` that counts.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A moment that was kept as a `bigint`.
pub(crate) fn moment(number: i64) -> Timestamp {
    Timestamp::from_millis(count(number))
}

/// A value of a row.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|e| error::of(&e, Sent::Nothing))
}
