//! What a store is: one key, written when it is made.

use data_encoding::HEXLOWER;
use tenure::random::Random;
use tenure::store::StoreError;

/// The version of the layout of keys.
const LAYOUT: u32 = 1;

/// What a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The store's random name.
    pub(crate) store: [u8; 16],
    /// Tells whether a master key is the right one.
    pub(crate) key_check: [u8; 32],
    /// How many partitions it has.
    pub(crate) partitions: u16,
    /// Whether guests are counted in one number, which they are unless servers share the store.
    pub(crate) one_number: bool,
}

impl Meta {
    /// What a new store is.
    pub(crate) fn new(key_check: [u8; 32], partitions: u16, one_number: bool, random: &dyn Random) -> Self {
        let mut store = [0; 16];
        random.fill(&mut store);
        Self { store, key_check, partitions, one_number }
    }

    pub(crate) fn to_text(&self) -> String {
        let [store, check] = [&self.store[..], &self.key_check].map(|bytes| HEXLOWER.encode(bytes));
        let guests = if self.one_number { "together" } else { "apart" };
        format!("tenure {LAYOUT} {store} {check} {} {guests}", self.partitions)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Configuration when a newer release wrote it, Corrupt when none did.
    pub(crate) fn read(text: &[u8]) -> Result<Self, StoreError> {
        let damaged =
            || StoreError::Corrupt("the key of Redis that says what the store is cannot be read".into());
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        let mut words = text.split(' ');
        if words.next() != Some("tenure") {
            return Err(damaged());
        }
        let layout: u32 = words.next().and_then(|word| word.parse().ok()).ok_or_else(damaged)?;
        if layout != LAYOUT {
            return Err(StoreError::Configuration(format!(
                "the store in Redis has layout {layout}, and this release reads {LAYOUT}: use the release that made it"
            )));
        }
        let rest: Vec<&str> = words.collect();
        let [store, check, partitions, guests] = rest.as_slice() else { return Err(damaged()) };
        let bytes = |word: &str| HEXLOWER.decode(word.as_bytes()).map_err(|_| damaged());
        Ok(Self {
            store: bytes(store)?.try_into().map_err(|_| damaged())?,
            key_check: bytes(check)?.try_into().map_err(|_| damaged())?,
            partitions: partitions.parse().map_err(|_| damaged())?,
            one_number: *guests == "together",
        })
    }
}
