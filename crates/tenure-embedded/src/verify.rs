//! Reading everything, to know that it is whole.

use std::fmt;
use std::path::Path;

use rusqlite::Connection;
use tenure::record::State;
use tenure::store::StoreError;

use crate::error::{Result, damaged};
use crate::folder::database_in;
use crate::meta::{Head, Meta};
use crate::rows::{self, Columns, ENDED, Stored};
use crate::{log, schema};

/// How many problems are told one by one.
const TOLD: usize = 100;

/// How far reading everything has come: see [`Embedded::verify`](crate::Embedded::verify).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Sessions read so far.
    pub sessions: u64,
    /// Sessions in the store.
    pub of: u64,
}

/// What reading everything found: see [`Embedded::verify`](crate::Embedded::verify).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Sessions in the store, ended ones included.
    pub sessions: u64,
    /// Guests among them.
    pub guests: u64,
    /// Events in the log.
    pub events: u64,
    /// What is wrong, for the operator; the first hundred. Names sessions by their ids and
    /// holds nothing personal.
    pub problems: Vec<String>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problem_count == 0
    }

    fn add(&mut self, problem: impl fmt::Display) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(problem.to_string());
        }
    }
}

/// Reads everything in the store in `folder`.
pub(crate) fn verify(
    folder: &Path,
    progress: impl FnMut(Progress),
) -> std::result::Result<Report, StoreError> {
    let database = database_in(folder);
    if !database.metadata().is_ok_and(|file| file.len() > 0) {
        return Err(StoreError::Corrupt(format!(
            "there is no store in {}, or it is gone; restore a backup",
            folder.display()
        )));
    }
    let length = schema::may_be_cut(&database);
    let conn = schema::open_reader(&database)?;
    schema::refuse_cut(&conn, length)?;
    Ok(read_all(&conn, progress)?)
}

fn read_all(conn: &Connection, mut progress: impl FnMut(Progress)) -> Result<Report> {
    let mut report = Report::default();
    // One snapshot, so that what changes meanwhile is not taken for damage.
    let snapshot = conn.unchecked_transaction()?;
    let meta = Meta::read(&snapshot)?;
    if meta.readable_by > schema::SCHEMA {
        return Err(StoreError::Configuration(
            "it was written by a newer release; verify it with that one".into(),
        )
        .into());
    }
    let head = Head::read(&snapshot)?;
    structure(&snapshot, &mut report);
    let sessions = sessions(&snapshot, &mut report, &mut progress);
    if let Err(failure) = sessions {
        report.add(failure.0);
    }
    if report.guests != head.guests() {
        let found = report.guests;
        report.add(format_args!("{} guests were counted, and there are {found}", head.guests));
    }
    match log::check(&snapshot, &head, |problem| report.add(problem)) {
        Ok(events) => report.events = events,
        Err(failure) => report.add(failure.0),
    }
    Ok(report)
}

/// What SQLite itself finds: pages, order, and whether indexes and tables agree.
fn structure(conn: &Connection, report: &mut Report) {
    let mut lines = Vec::new();
    let checked = conn.pragma_query(None, "integrity_check", |row| {
        lines.push(row.get::<_, String>(0)?);
        Ok(())
    });
    for line in lines.iter().filter(|line| *line != "ok") {
        report.add(line);
    }
    if let Err(error) = checked {
        report.add(crate::error::sqlite(&error));
    }
}

fn sessions(conn: &Connection, report: &mut Report, progress: &mut impl FnMut(Progress)) -> Result<()> {
    let of: i64 = conn.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?;
    let of = u64::try_from(of).unwrap_or(0);
    rows::each_after(conn, i64::MIN, |_, stored| {
        report.sessions += 1;
        match stored {
            Ok(stored) => session(&stored, report),
            Err(failure) => report.add(failure.0),
        }
        if report.sessions.is_multiple_of(1000) {
            progress(Progress { sessions: report.sessions, of });
        }
        true
    })?;
    progress(Progress { sessions: report.sessions, of });
    if report.sessions == of { Ok(()) } else { Err(damaged("sessions are missing").into()) }
}

fn session(stored: &Stored, report: &mut Report) {
    let record = &stored.record;
    report.guests += u64::from(matches!(record.state, State::Guest | State::Claimed(_)));
    let mut expected = Columns::of(record);
    let late = stored.columns.state != ENDED && stored.columns.due > expected.due;
    // It may be looked at early, and an ended one when its time to be forgotten comes.
    expected.due = stored.columns.due;
    if late || stored.columns != expected {
        report.add(rows::damaged(record.id));
    }
}
