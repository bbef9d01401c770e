//! The shop's pages as plain view structs, each rendered by [`Template::render`].
//!
//! Nothing here knows of sessions: who answers a request fills the [`Shell`] that
//! all pages share and the fields of one page. Every change is a plain `POST` form,
//! no page has a script or an inline style, so `default-src 'none'; style-src 'self';
//! img-src 'self'; form-action 'self'` suffices as content security policy.

mod account;
mod moment;
mod shop;
mod status;
mod theme;

#[cfg(test)]
mod tests;

pub use account::{Account, Appearance, Device, DeviceKind, Devices, Method, PEOPLE, Person, SignIn};
pub use askama::Template;
pub use moment::Moment;
pub use shop::{Cart, Home, Item, Line};
pub use status::{ErrorPage, NotFound, SignedOut, SignedOutReason, Unavailable};
pub use theme::Theme;

/// The style sheet, served as `/static/shop.css`.
pub const STYLESHEET: &str = include_str!("../static/shop.css");

/// The shop's mark, served as `/static/icon.svg`.
pub const ICON: &str = include_str!("../static/icon.svg");

const CRATE: &str = include_str!("../art/crate.svg");
const LOCK: &str = include_str!("../art/lock.svg");
const SIGN: &str = include_str!("../art/sign.svg");
const SPILL: &str = include_str!("../art/spill.svg");
const STEAM: &str = include_str!("../art/steam.svg");

/// What every page shows around its own content.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The colours to show it in.
    pub theme: Theme,
    /// Who looks at it.
    pub visitor: Visitor,
    /// How many things are in the cart.
    pub cart_count: u32,
    /// The path and query that was asked for; sign-in and retry lead back to it.
    pub path: String,
    /// A sentence on what the last form did, shown once.
    pub notice: Option<String>,
    /// A sentence on what this request did to the session, for the facts panel.
    pub happened: String,
    /// The session behind this page, for the facts panel.
    pub session: Option<SessionFacts>,
}

impl Shell {
    fn things(&self) -> String {
        let plural = if self.cart_count == 1 { "" } else { "s" };
        format!("{} thing{plural}", self.cart_count)
    }
}

/// Who looks at a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// The session could not be read, so the page claims nothing about it.
    Unknown,
    /// A guest, with or without a session.
    Guest,
    /// Somebody who signed in.
    SignedIn {
        /// What the shop calls them.
        name: String,
    },
}

impl Visitor {
    /// What the shop calls them, if they signed in.
    pub fn name(&self) -> Option<&str> {
        match self {
            Visitor::SignedIn { name } => Some(name),
            Visitor::Unknown | Visitor::Guest => None,
        }
    }

    /// Whether they signed in.
    pub fn is_signed_in(&self) -> bool {
        matches!(self, Visitor::SignedIn { .. })
    }

    fn is_guest(&self) -> bool {
        *self == Visitor::Guest
    }

    fn initial(&self) -> String {
        self.name().map(initial).unwrap_or_default()
    }

    fn word(&self) -> &'static str {
        match self {
            Visitor::Unknown => "unknown",
            Visitor::Guest => "guest",
            Visitor::SignedIn { .. } => "signed in",
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Visitor::SignedIn { .. } => "signed-in",
            Visitor::Unknown | Visitor::Guest => "plain",
        }
    }
}

/// What the facts panel tells of a session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Its public id, `ses_…`.
    pub id: String,
    /// The guest session it began as.
    pub previous: Option<String>,
    /// How many tokens it has had.
    pub generation: u32,
    /// Its assurance level, 1 to 3; 0 for a guest.
    pub level: u8,
    /// When it ends if nothing happens.
    pub idle_ends: Moment,
    /// When it ends whatever happens.
    pub ends: Moment,
    /// Whether the browser keeps the cookie when it closes.
    pub remembered: bool,
}

/// The path if it stays within this shop, and the front page otherwise.
///
/// Whatever follows a `return_to` goes through here, so that a forged link never
/// leads to another site.
pub fn local_path(path: &str) -> &str {
    let rooted = path.starts_with('/') && !path.starts_with("//");
    let plain = !path.contains(|c: char| c == '\\' || c.is_control());
    if rooted && plain { path } else { "/" }
}

/// The path as a `Location` header has it: whatever is not plain ASCII percent-encoded, so
/// that every browser reads the same.
pub fn in_ascii(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn initial(name: &str) -> String {
    name.chars().take(1).flat_map(char::to_uppercase).collect()
}
