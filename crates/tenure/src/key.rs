//! Keys of session data, with the type of their value.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::snapshot::Snapshot;

/// A key of session data and the type of its value, which is kept as JSON.
///
/// # Example: a cart
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Changes, Key, Memory, NewGuest, Sessions};
///
/// const CART: Key<Vec<String>> = Key::new("cart");
/// const LANGUAGE: Key<String> = Key::new("language");
///
/// let sessions = Sessions::open(Memory).await?;
/// let cart = Changes::default().set(CART.name(), CART.write(&vec!["tea".to_owned()])?);
/// let guest = sessions.create_guest(NewGuest::with(cart)).await?;
/// assert_eq!(CART.read(&guest.session)?, Some(vec!["tea".to_owned()]));
/// assert_eq!(LANGUAGE.read(&guest.session)?, None);
/// # Ok(()) }
/// ```
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn(T) -> T>,
}

impl<T> Key<T> {
    /// The key `name`, 1 to 64 bytes.
    ///
    /// # Panics
    /// For a name that no session can hold; in a constant that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= crate::record::MAX_KEY_LEN, "a key has 1 to 64 bytes");
        Self { name, value: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: DeserializeOwned> Key<T> {
    /// The value in `session`; none when the key is not there.
    ///
    /// # Errors
    /// [`Error::Data`] when the value does not read as `T`: never a silent default.
    pub fn read(&self, session: &Snapshot) -> Result<Option<T>, Error> {
        let Some((text, _)) = session.value(self.name) else {
            return Ok(None);
        };
        serde_json::from_slice(text).map(Some).map_err(|error| self.unreadable(&error))
    }
}

impl<T: Serialize> Key<T> {
    /// The value as it is kept.
    ///
    /// # Errors
    /// [`Error::Data`] when JSON cannot hold it.
    pub fn write(&self, value: &T) -> Result<serde_json::Value, Error> {
        serde_json::to_value(value).map_err(|error| self.unreadable(&error))
    }
}

impl<T> Key<T> {
    /// The place and kind of the fault: an error of serde may quote the value.
    fn unreadable(&self, error: &serde_json::Error) -> Error {
        let detail = format!("{:?} at column {}", error.classify(), error.column());
        Error::Data { key: self.name.into(), detail }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}
