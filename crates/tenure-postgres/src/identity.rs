//! Which server answered, and with which history.

use sha2::{Digest, Sha256};
use tenure::store::StoreError;
use tokio_postgres::Row;

use crate::types::get;

/// What names a server and its history: a promoted standby begins a new timeline.
pub(crate) const SERVER: &str = "(SELECT system_identifier FROM pg_control_system()),
    left(pg_walfile_name(pg_current_wal_lsn()), 8)";

/// A number for the server that answered and its history, from the columns of [`SERVER`] and the
/// epoch of the log.
pub(crate) fn server_of(row: &Row) -> Result<u64, StoreError> {
    let (system, timeline, epoch): (i64, String, i64) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    let mut hash = Sha256::new();
    hash.update(system.to_be_bytes());
    hash.update(epoch.to_be_bytes());
    hash.update(timeline);
    let mut half = [0; 8];
    half.copy_from_slice(&hash.finalize()[..8]);
    Ok(u64::from_be_bytes(half))
}
