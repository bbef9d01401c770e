//! Rows, cells and steps as the bytes that the scripts read and write.

use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::store::StoreError;
use tenure_shared::{Cell, CellKey, CellKind, Class, MAX_DELAY_MS, Row, Touched, Want, Write};

use crate::error::odd;

/// How long the server keeps a session beyond its absolute limit, or beyond when the record of one
/// that ended may go, in milliseconds. Only for what no housekeeping takes away any more: an end that
/// it finds is told, one that the server makes is not.
const GRACE_LIVE_MS: u64 = 30 * 86_400_000;
const GRACE_ENDED_MS: u64 = 86_400_000;

/// How many events the log of a partition holds at the most, whether there is housekeeping or not.
const MAX_LOG: u64 = 100_000;

/// A moment that the server cannot count to.
const FAR: u64 = 1 << 52;

/// What a row begins with: class, due, seen, idle limit, deadline, revision, realm, owner.
const HEADER: usize = 65;

/// Lists, bytes and numbers in MessagePack, as the library of Redis reads it: it knows no other bytes
/// than those of texts.
struct Packer(Vec<u8>);

impl Packer {
    fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.begin(items.len());
        items.for_each(|item| each(self, item));
    }

    fn begin(&mut self, parts: usize) {
        rmp::encode::write_array_len(&mut self.0, short(parts)).expect(WRITTEN);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        rmp::encode::write_str_len(&mut self.0, short(bytes.len())).expect(WRITTEN);
        self.0.extend(bytes);
    }

    fn number(&mut self, number: u64) {
        rmp::encode::write_uint(&mut self.0, number).expect(WRITTEN);
    }

    fn signed(&mut self, number: i64) {
        rmp::encode::write_sint(&mut self.0, number).expect(WRITTEN);
    }

    /// A number that is compared, not counted with: a script's numbers have 53 bits.
    fn exact(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    fn id(&mut self, id: SessionId) {
        self.bytes(id.as_bytes());
    }

    fn moment(&mut self, at: Timestamp) {
        self.exact(at.as_millis());
    }
}

/// Why writing cannot fail.
const WRITTEN: &str = "memory takes what is written";

fn short(length: usize) -> u32 {
    u32::try_from(length).expect("far less than 4 GiB")
}

/// What a script wants to view.
pub(crate) fn want(want: &Want) -> Vec<u8> {
    let mut to = Packer(Vec::new());
    to.begin(6);
    to.list(want.sessions.iter(), |to, id| to.id(*id));
    to.bytes(want.owner.as_ref().map_or(&[][..], |owner| owner));
    to.list(want.cells.iter(), |to, key| to.bytes(&cell_name(*key)));
    to.number(u64::from(want.guests));
    holder(&mut to, want.hold.map(|hold| hold.holder));
    to.number(want.hold.map_or(0, |hold| hold.for_ms));
    to.0
}

/// What a script writes. `others` is how many guests other partitions count by themselves.
pub(crate) fn write(write: &Write, others: u64) -> Vec<u8> {
    let own_time = write.now_is_the_time;
    let mut to = Packer(Vec::with_capacity(1_024));
    to.begin(17);
    to.number(write.now.as_millis());
    to.number(u64::from(own_time));
    to.number(MAX_DELAY_MS);
    holder(&mut to, write.holder);
    to.list(write.seen.iter(), |to, seen| {
        to.begin(3);
        to.id(seen.id);
        to.exact(seen.revision);
        match seen.seen {
            Some(at) => to.moment(at),
            None => to.bytes(&[]),
        }
    });
    let (owner, owned) = match &write.of_owner {
        Some((owner, sessions)) => (&owner[..], sessions.as_slice()),
        None => (&[][..], &[][..]),
    };
    to.bytes(owner);
    to.list(owned.iter(), |to, (session, revision)| {
        to.begin(2);
        to.id(*session);
        to.exact(*revision);
    });
    to.list(write.cells_seen.iter(), |to, (key, version)| {
        to.begin(2);
        to.bytes(&cell_name(*key));
        to.exact(*version);
    });
    to.list(write.put.iter(), |to, row| put(to, row, own_time));
    to.list(write.reschedule.iter(), |to, (session, due)| {
        to.begin(3);
        to.id(*session);
        to.moment(*due);
        to.number(if own_time { 0 } else { GRACE_ENDED_MS });
    });
    to.list(write.remove.iter(), |to, session| to.id(*session));
    to.list(write.put_cells.iter(), put_cell);
    to.list(write.events.iter(), |to, event| to.bytes(event));
    to.signed(write.guests);
    to.signed(write.max_guests.map_or(-1, |max| i64::try_from(max).unwrap_or(i64::MAX)));
    to.number(others);
    to.number(MAX_LOG);
    to.0
}

/// Id, class, due, seen, the rest, and when the server may let go of it (0: never).
fn put(to: &mut Packer, row: &Row, own_time: bool) {
    let mut rest = Vec::with_capacity(HEADER + row.body.len());
    rest.extend(row.idle_ms.to_be_bytes());
    rest.extend(row.deadline.as_millis().to_be_bytes());
    rest.extend(row.revision.to_be_bytes());
    rest.extend(row.realm.to_be_bytes());
    rest.extend(row.owner.unwrap_or_default());
    rest.extend(&row.body);
    // An ended session gets its time when housekeeping decides until when it is kept.
    let expires = match row.class {
        Class::Guest | Class::User if !own_time => row.deadline.as_millis().saturating_add(GRACE_LIVE_MS),
        _ => 0,
    };
    to.begin(6);
    to.id(row.id);
    to.bytes(&[row.class as u8]);
    to.moment(row.due);
    to.moment(row.seen);
    to.bytes(&rest);
    to.number(if expires > FAR { 0 } else { expires });
}

/// Name, value, when it was written, and whether it is forgotten in time.
fn put_cell(to: &mut Packer, cell: &Cell) {
    let mut value = cell.version.to_be_bytes().to_vec();
    value.extend(cell.at.as_millis().to_be_bytes());
    value.extend(&cell.body);
    to.begin(4);
    to.bytes(&cell_name(cell.key));
    to.bytes(&value);
    to.number(cell.at.as_millis());
    to.number(u64::from(cell.key.kind == CellKind::Receipt));
}

/// The number of a hold, or nothing.
fn holder(to: &mut Packer, holder: Option<u64>) {
    match holder {
        Some(number) => to.exact(number),
        None => to.bytes(&[]),
    }
}

/// What a cell is called after the beginning of all keys.
pub(crate) fn cell_name(key: CellKey) -> Vec<u8> {
    let kind = match key.kind {
        CellKind::User => b'u',
        CellKind::Receipt => b'x',
    };
    [&[kind][..], &key.key].concat()
}

/// Reads a row.
///
/// # Errors
/// Corrupt when it is none.
pub(crate) fn row(id: SessionId, bytes: &[u8]) -> Result<Row, StoreError> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(odd)?;
    let word = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let class = match header[0] {
        0 => Class::Guest,
        1 => Class::User,
        2 => Class::Ended,
        _ => return Err(odd()),
    };
    let owner: [u8; 16] = header[49..].try_into().expect("sixteen bytes");
    Ok(Row {
        id,
        class,
        realm: word(41).cast_signed(),
        owner: (owner != [0; 16]).then_some(owner),
        due: Timestamp::from_millis(word(1)),
        seen: Timestamp::from_millis(word(9)),
        idle_ms: word(17),
        deadline: Timestamp::from_millis(word(25)),
        revision: word(33),
        body: body.to_vec(),
    })
}

/// Reads a cell.
///
/// # Errors
/// Corrupt when it is none.
pub(crate) fn cell(key: CellKey, bytes: &[u8]) -> Result<Cell, StoreError> {
    let (version, rest) = bytes.split_first_chunk::<8>().ok_or_else(odd)?;
    let (at, body) = rest.split_first_chunk::<8>().ok_or_else(odd)?;
    let at = Timestamp::from_millis(u64::from_be_bytes(*at));
    Ok(Cell { key, version: u64::from_be_bytes(*version), at, body: body.to_vec() })
}

/// Ids and moments, one after the other.
pub(crate) fn touches<'a>(touches: impl Iterator<Item = &'a Touched>) -> Vec<u8> {
    touches
        .flat_map(|touch| touch.id.as_bytes().iter().copied().chain(touch.at.as_millis().to_be_bytes()))
        .collect()
}

/// Reads an id, from where it stands in a member of an index.
///
/// # Errors
/// Corrupt when there is none.
pub(crate) fn id_in(member: &[u8], from: usize) -> Result<SessionId, StoreError> {
    let bytes = member.get(from..from + 16).and_then(|id| id.try_into().ok()).ok_or_else(odd)?;
    Ok(SessionId::from_bytes(bytes))
}
