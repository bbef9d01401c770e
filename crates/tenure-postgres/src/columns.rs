//! Sessions as they are written: one array for each column.

use tenure_shared::Row;

use crate::types::{Id, big, millis};

/// The columns that are written for each session: one array for each.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) ids: Vec<Id>,
    pub(crate) classes: Vec<i16>,
    pub(crate) realms: Vec<i64>,
    pub(crate) owners: Vec<Option<Id>>,
    pub(crate) due: Vec<i64>,
    pub(crate) seen: Vec<i64>,
    pub(crate) idle: Vec<i64>,
    pub(crate) deadlines: Vec<i64>,
    pub(crate) revisions: Vec<i64>,
    pub(crate) bodies: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.ids.push(row.id.into());
            columns.classes.push(row.class as i16);
            columns.realms.push(row.realm);
            columns.owners.push(row.owner.map(Id));
            columns.due.push(millis(row.due));
            columns.seen.push(millis(row.seen));
            columns.idle.push(big(row.idle_ms));
            columns.deadlines.push(millis(row.deadline));
            columns.revisions.push(big(row.revision));
            columns.bodies.push(&row.body);
        }
        columns
    }
}
