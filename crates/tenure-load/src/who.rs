//! Whom requests are about, and what answers say of them.

/// What a client presents. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(pub(crate) String);

/// A session that begins.
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) credential: Credential,
}

/// What an answer says about a session.
pub(crate) enum Seen {
    Accepted {
        /// Whose session it is, where the answer says so.
        id: Option<String>,
        count: Option<u64>,
        renewed: Option<Credential>,
    },
    Refused,
}

/// Whom a request is about.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) credential: Credential,
}
