//! The mark beside the master key: how far a store had come, so that an older copy of it is
//! recognised.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tenure::store::StoreError;

use crate::error::file;
use crate::folder::write_durably;
use crate::meta::{Head, Meta};
use crate::rows::{Sum, millis, moment};

const FIRST_LINE: &str = "tenure mark 1";

/// What a store had reached at least. Never ahead of what is durable in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where the store is.
    pub(crate) folder: String,
    /// The store's name.
    pub(crate) store: [u8; 16],
    /// The epoch of its event log.
    pub(crate) epoch: u64,
    /// Its incarnation.
    pub(crate) incarnation: [u8; 16],
    /// The incarnation it is about to get, while it is being opened.
    pub(crate) next: [u8; 16],
    /// How far it had come.
    pub(crate) head: Head,
    /// Whether the store is still being made: then it need not be there.
    pub(crate) making: bool,
}

impl Mark {
    /// The mark of a store as it is.
    pub(crate) fn of(folder: &Path, meta: &Meta, head: Head) -> Self {
        Self {
            folder: folder.to_string_lossy().into_owned(),
            store: meta.store,
            epoch: meta.epoch,
            incarnation: meta.incarnation,
            next: meta.incarnation,
            head,
            making: false,
        }
    }

    /// Where the mark of a store lies.
    pub(crate) fn path(config_dir: &Path, store: &[u8; 16]) -> PathBuf {
        config_dir.join(format!("{}.mark", HEXLOWER.encode(store)))
    }

    /// Reads a mark; none when there is none that can be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
            Err(error) => Err(file("reading the mark", path, &error)),
        }
    }

    /// The mark of the store that was in `folder`, if one was.
    pub(crate) fn of_folder(config_dir: &Path, folder: &Path) -> Result<Option<PathBuf>, StoreError> {
        let here = folder.to_string_lossy();
        let listing = fs::read_dir(config_dir).map_err(|e| file("reading", config_dir, &e))?;
        for entry in listing {
            let path = entry.map_err(|e| file("reading", config_dir, &e))?.path();
            if path.extension().is_some_and(|ext| ext == "mark")
                && let Some(mark) = Self::read(&path)?
                && mark.folder == here
                && !mark.making
            {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        write_durably(path, self.text().as_bytes())
    }

    /// Whether the store in `meta` and `head` is older than this mark, and why so.
    pub(crate) fn is_newer_than(&self, meta: &Meta, head: &Head) -> Option<&'static str> {
        let seen = [self.incarnation, self.next];
        if !seen.contains(&meta.incarnation) {
            Some("it is a copy from before the store was last opened")
        } else if meta.epoch != self.epoch {
            Some("its event log is another one")
        } else if head.commits < self.head.commits || head.sequence < self.head.sequence {
            Some("commits that it had acknowledged are missing")
        } else {
            None
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nfolder={}\nstore={}\nepoch={}\nincarnation={}\nnext={}\ncommits={}\nsequence={}\n\
             latest={}\nmaking={}\n",
            HEXLOWER.encode(self.folder.as_bytes()),
            HEXLOWER.encode(&self.store),
            self.epoch,
            HEXLOWER.encode(&self.incarnation),
            HEXLOWER.encode(&self.next),
            self.head.commits,
            self.head.sequence,
            millis(self.head.latest),
            self.making,
        );
        let sum = Sum::new().bytes(text.as_bytes()).value();
        text.push_str(&format!("sum={sum}\n"));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let (body, sum) = text.split_at(text.rfind("sum=")?);
        let expected = Sum::new().bytes(body.as_bytes()).value();
        (sum.trim_end() == format!("sum={expected}")).then_some(())?;
        let mut lines = body.lines();
        (lines.next()? == FIRST_LINE).then_some(())?;
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix('=');
        let folder = String::from_utf8(HEXLOWER.decode(value("folder")?.as_bytes()).ok()?).ok()?;
        Some(Self {
            folder,
            store: bytes(value("store")?)?,
            epoch: value("epoch")?.parse().ok()?,
            incarnation: bytes(value("incarnation")?)?,
            next: bytes(value("next")?)?,
            head: Head {
                commits: value("commits")?.parse().ok()?,
                sequence: value("sequence")?.parse().ok()?,
                latest: moment(value("latest")?.parse().ok()?),
                ..Head::default()
            },
            making: value("making")?.parse().ok()?,
        })
    }
}

fn bytes(digits: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::clock::Timestamp;

    fn mark() -> Mark {
        Mark {
            folder: "/srv/data with = and\nline".into(),
            store: [1; 16],
            epoch: u64::MAX,
            incarnation: [2; 16],
            next: [3; 16],
            head: Head { commits: 7, sequence: 9, latest: Timestamp::from_millis(11), ..Head::default() },
            making: true,
        }
    }

    #[test]
    fn a_mark_reads_back() {
        assert_eq!(Mark::parse(&mark().text()), Some(mark()));
    }

    #[test]
    fn a_store_behind_its_mark_is_older_and_one_that_was_killed_while_opening_is_not() {
        let store = |incarnation: u8, epoch, commits, sequence| {
            let meta = Meta {
                schema: 1,
                readable_by: 1,
                store: [1; 16],
                key_check: [0; 32],
                epoch,
                incarnation: [incarnation; 16],
                undecided: false,
            };
            let head = Head { commits, sequence, ..Head::default() };
            mark().is_newer_than(&meta, &head)
        };
        let epoch = u64::MAX;
        for same in [store(2, epoch, 7, 9), store(3, epoch, 8, 9), store(2, epoch, 90, 90)] {
            assert_eq!(same, None);
        }
        for older in
            [store(1, epoch, 90, 90), store(2, 1, 7, 9), store(2, epoch, 6, 9), store(2, epoch, 7, 8)]
        {
            assert!(older.is_some());
        }
    }

    #[test]
    fn a_changed_mark_is_none() {
        let text = mark().text();
        for (from, to) in [("commits=7", "commits=6"), ("mark 1", "mark 2"), ("sum=", "sum=0")] {
            assert_eq!(Mark::parse(&text.replace(from, to)), None, "{from}");
        }
        for cut in 0..text.len() - 1 {
            assert_eq!(Mark::parse(&text[..cut]), None, "cut at {cut}");
        }
    }
}
