//! Opening a store: every check that comes before it may serve.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tenure::MasterKey;
use tenure::clock::Timestamp;
use tenure::random::Random;
use tenure::store::{Barrier, Context, StoreError};
use tenure_shared::{AfterRestore, key_check};

use crate::commit::Committer;
use crate::engine::{AfterClockGap, Embedded};
use crate::error::{self, Result, file};
use crate::folder::{Folder, make_private, private_file, sync_folder_of};
use crate::key_file::{self, KeySource};
use crate::mark::Mark;
use crate::meta::{Head, Meta};
use crate::reader::Readers;
use crate::reserve::{Limit, Reserve};
use crate::store::EmbeddedStore;
use crate::txn::Txn;
use crate::writer::Writer;
use crate::{schema, sweep};

/// How many sessions of a restored copy are ended in one commit.
const ENDED_AT_ONCE: usize = 500;

/// Opens the store that `engine` names.
pub(crate) fn open(
    engine: Embedded,
    context: Context,
) -> std::result::Result<(EmbeddedStore, MasterKey), StoreError> {
    let folder = Folder::open(&engine.path)?;
    let config_dir = config_dir(engine.config_dir.clone(), &folder)?;
    let is_new = is_new(&folder, &config_dir, engine.after_restore)?;
    let source =
        KeySource { key: engine.key.clone(), file: engine.key_file.clone(), config_dir: config_dir.clone() };
    let key = source.find(folder.path(), is_new, &*context.random)?;
    if is_new {
        make(&folder, &config_dir, &key, &context)?;
    }
    let opening = Opening::begin(engine, folder, config_dir, context)?;
    opening.check_key(&key)?;
    let (committer, readers, epoch, barrier) = opening.finish()?;
    let store = EmbeddedStore::new(Writer::start(committer)?, readers, epoch, barrier);
    Ok((store, key))
}

/// The folder for keys and marks, which must not be copied along with the store.
fn config_dir(named: Option<PathBuf>, folder: &Folder) -> std::result::Result<PathBuf, StoreError> {
    let path = match named {
        Some(path) => path,
        None => key_file::default_config_dir()?,
    };
    make_private(&path)?;
    key_file::refuse_inside(folder.path(), &path)?;
    fs::canonicalize(&path).map_err(|e| file("finding", &path, &e))
}

/// Whether a store is to be made. A store that was here and is gone is damage, unless the
/// operator decided on what became of it: no sessions are as good as all ended.
fn is_new(
    folder: &Folder,
    config_dir: &Path,
    decision: AfterRestore,
) -> std::result::Result<bool, StoreError> {
    let database = folder.database();
    match fs::metadata(&database) {
        Ok(about) if about.len() == 0 => {
            let text = format!("{} is empty; restore a backup", database.display());
            return Err(StoreError::Corrupt(text));
        }
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file("reading", &database, &error)),
    }
    if folder.was_a_store()? {
        return Err(StoreError::Corrupt(format!(
            "{} is gone, and a store was here; restore a backup, or remove everything else in {} \
             to begin with an empty store",
            database.display(),
            folder.path().display()
        )));
    }
    while let Some(mark) = Mark::of_folder(config_dir, folder.path())? {
        if decision == AfterRestore::Refuse {
            return Err(StoreError::Corrupt(format!(
                "{} is gone, and a store was here; is its disk missing? Restore a backup, or start once \
                 with `--after-restore accept` to begin with an empty store (in Rust: \
                 `Embedded::after_restore`)",
                database.display()
            )));
        }
        tracing::warn!(folder = %folder.path().display(), "the store that was here is gone; beginning anew");
        fs::remove_file(&mark).map_err(|e| file("removing", &mark, &e))?;
    }
    Ok(true)
}

/// Makes a new store. It is complete before it gets its name, so a crash leaves none or a
/// whole one.
fn make(
    folder: &Folder,
    config_dir: &Path,
    key: &MasterKey,
    context: &Context,
) -> std::result::Result<(), StoreError> {
    let draft = folder.database().with_extension("new");
    for leftover in
        [draft.clone(), folder.path().join("tenure.new-wal"), folder.path().join("tenure.new-shm")]
    {
        if let Err(error) = fs::remove_file(&leftover)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(file("removing", &leftover, &error));
        }
    }
    private_file().write(true).create_new(true).open(&draft).map_err(|e| file("making", &draft, &e))?;
    let mut meta = Meta {
        schema: 0,
        readable_by: 0,
        store: bytes(&*context.random),
        key_check: key_check(key),
        epoch: epoch(&*context.random),
        incarnation: bytes(&*context.random),
        undecided: false,
    };
    schema::create(&draft, &mut meta, context.clock.now()).map_err(StoreError::from)?;
    let mut mark = Mark::of(folder.path(), &meta, Head::default());
    mark.making = true;
    let path = Mark::path(config_dir, &meta.store);
    mark.write(&path).map_err(|e| file("writing the mark", &path, &e))?;
    fs::rename(&draft, folder.database())
        .and_then(|()| sync_folder_of(&draft))
        .map_err(|e| file("naming", &draft, &e))
}

/// A store that is being opened.
struct Opening {
    engine: Embedded,
    config_dir: PathBuf,
    context: Context,
    conn: Connection,
    meta: Meta,
    reserve: Reserve,
    /// Last, so that the lock goes when everything else is done.
    folder: Folder,
}

impl Opening {
    fn begin(
        engine: Embedded,
        folder: Folder,
        config_dir: PathBuf,
        context: Context,
    ) -> std::result::Result<Self, StoreError> {
        let database = folder.database();
        let read = || -> Result<(Connection, Meta)> {
            let is_cut = schema::may_be_cut(&database);
            let conn = schema::open_writer(&database)?;
            schema::refuse_cut(&conn, is_cut)?;
            let meta = Meta::read(&conn)?;
            Ok((conn, meta))
        };
        let mut reserve = Reserve::at(folder.reserve());
        let (conn, meta) = match read() {
            Err(failure) if matches!(failure.0, StoreError::Full(_)) && reserve.is_held() => {
                reserve.release();
                read()
            }
            other => other,
        }
        .map_err(StoreError::from)?;
        Ok(Self { engine, folder, config_dir, context, conn, meta, reserve })
    }

    fn check_key(&self, key: &MasterKey) -> std::result::Result<(), StoreError> {
        if key_check(key) == self.meta.key_check {
            return Ok(());
        }
        Err(StoreError::Configuration(format!(
            "this is not the master key of the store in {}; give it the one it was made with",
            self.folder.path().display()
        )))
    }

    fn finish(mut self) -> std::result::Result<(Committer, Readers, u64, Barrier), StoreError> {
        schema::migrate(&mut self.conn, &mut self.meta)?;
        let mut head = Head::read(&self.conn)?;
        let mark_path = Mark::path(&self.config_dir, &self.meta.store);
        let older = self.is_older(&Mark::read(&mark_path)?, &head);
        self.decide_on_restore(older)?;
        self.decide_on_clock(&head)?;
        self.context.clock.not_before(head.latest);
        let limit = self.limit()?;
        if let Some(limit) = &limit {
            limit.enforce(&self.conn)?;
        }
        // What is written from here on may need the reserve.
        head = match self.settle(older.is_some(), &mark_path) {
            Err(StoreError::Full(_)) if self.reserve.is_held() => {
                self.reserve.release();
                self.settle(older.is_some(), &mark_path)?
            }
            other => other?,
        };
        if !self.reserve.hold(&*self.context.random) {
            tracing::warn!("the disk is almost full: only ends of sessions are written until there is room");
        }
        let mark = Mark::of(self.folder.path(), &self.meta, head);
        let readers = Readers::start(&self.folder.database(), reading_threads())?;
        let epoch = self.meta.epoch;
        let committer =
            Committer::new(self.conn, self.folder, self.context, mark, mark_path, self.reserve, limit);
        Ok((committer, readers, epoch, head.barrier))
    }

    /// Why this is an older copy of the store, if it is one.
    fn is_older(&self, mark: &Option<Mark>, head: &Head) -> Option<&'static str> {
        if self.meta.undecided {
            return Some("ending the sessions of an older copy was not finished");
        }
        match mark {
            Some(mark) => mark.is_newer_than(&self.meta, head),
            None => Some("there is no mark that tells how far it had come"),
        }
    }

    fn decide_on_restore(&self, older: Option<&str>) -> std::result::Result<(), StoreError> {
        match (older, self.engine.after_restore) {
            (Some(why), AfterRestore::Refuse) => Err(StoreError::Blocked(format!(
                "{} may be older than it was: {why} (marks are in {}). Sessions that had ended may be \
                 alive in it. Start once with `--after-restore end-all-sessions`, or with \
                 `--after-restore accept` if nothing had ended since (in Rust: `Embedded::after_restore`), or put \
                 the current store back",
                self.folder.path().display(),
                self.config_dir.display()
            ))),
            (Some(why), decision) => {
                tracing::warn!(why, ?decision, "serving an older copy of the store");
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn decide_on_clock(&self, head: &Head) -> std::result::Result<(), StoreError> {
        /// A pause longer than this is more likely a wrong clock.
        const PLAUSIBLE: Duration = Duration::from_secs(31 * 24 * 3600);
        let now = self.context.clock.now();
        if now.since(head.latest) <= PLAUSIBLE || self.engine.after_clock_gap == AfterClockGap::Accept {
            return Ok(());
        }
        if !self.has_live_sessions(head)? {
            return Ok(());
        }
        Err(StoreError::Blocked(format!(
            "the clock shows {now}, more than 31 days after the last time the store knows, {}. With a \
             wrong clock all sessions would end. Set the clock right, or start once with \
             `--after-clock-gap accept` if it is right (in Rust: `Embedded::after_clock_gap`)",
            head.latest
        )))
    }

    fn has_live_sessions(&self, head: &Head) -> Result<bool> {
        let mut of_users = self.conn.prepare("SELECT 1 FROM sessions WHERE owner IS NOT NULL LIMIT 1")?;
        Ok(head.guests > 0 || of_users.exists([])?)
    }

    fn limit(&self) -> Result<Option<Limit>> {
        let page: i64 = self.conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let page = page.unsigned_abs();
        Ok(self.engine.max_bytes.map(|bytes| Limit::new(bytes, page)))
    }

    /// Carries the decision out and gives the store its new incarnation. The mark knows both
    /// while it changes, so a crash at any point leaves a store that opens.
    fn settle(&mut self, older: bool, mark_path: &Path) -> std::result::Result<Head, StoreError> {
        let written =
            |mark: &Mark| mark.write(mark_path).map_err(|e| file("writing the mark", mark_path, &e));
        if older && self.engine.after_restore == AfterRestore::EndAllSessions {
            self.end_all()?;
        }
        let mut next =
            Meta { incarnation: bytes(&*self.context.random), undecided: false, ..self.meta.clone() };
        if older {
            next.epoch = epoch(&*self.context.random);
        } else {
            let mut mark = Mark::of(self.folder.path(), &self.meta, Head::read(&self.conn)?);
            mark.next = next.incarnation;
            written(&mark)?;
        }
        let now = self.context.clock.now();
        let head = write_meta(&self.conn, now, &next)?;
        self.meta = next;
        written(&Mark::of(self.folder.path(), &self.meta, head))?;
        self.folder.note_store(&self.meta.store)?;
        Ok(head)
    }

    /// Ends all sessions. Until that is done, the store says of itself that it must not serve.
    fn end_all(&mut self) -> Result<()> {
        self.meta.undecided = true;
        write_meta(&self.conn, self.context.clock.now(), &self.meta)?;
        let mut key = i64::MIN;
        loop {
            let mut txn = Txn::begin(&self.conn, self.context.clock.now())?;
            let last = sweep::end_restored(&mut txn, key, ENDED_AT_ONCE)?;
            txn.commit()?;
            match last {
                Some(last) => key = last,
                None => return Ok(()),
            }
        }
    }
}

fn write_meta(conn: &Connection, now: Timestamp, meta: &Meta) -> Result<Head> {
    let mut txn = Txn::begin(conn, now)?;
    meta.write(conn)?;
    txn.wrote();
    let head = txn.commit()?;
    head.ok_or_else(|| error::damaged("the store does not take writes").into())
}

fn bytes(random: &dyn Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes
}

fn epoch(random: &dyn Random) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

fn reading_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8))
}
