//! The pages about oneself: sign in, account, devices and theme.

use askama::Template;
use tenure_tower::Level;

use super::{Moment, Shell, Theme};

/// `GET /sign-in`: the form, and the sample people to sign in as.
///
/// Its forms post `name`, `password`, `return_to` and, when ticked, `remember=yes`
/// to `/sign-in`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// What surrounds the page.
    pub shell: Shell,
    /// Where to go afterwards, already through [`local_path`](super::local_path).
    pub return_to: String,
    /// The name to start with: empty, or the one typed before a failure.
    pub name: String,
    /// Why the last attempt failed, the same for a wrong name and a wrong password.
    pub error: Option<String>,
    /// Whether somebody who is signed in confirms that it is still them.
    pub confirms: bool,
    /// Whether the browser keeps the cookie already.
    pub remembered: bool,
    /// Whom one can sign in as.
    pub people: &'static [Person],
}

/// A sample person of the demo.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// What they type as name.
    pub name: &'static str,
    /// What the shop calls them.
    pub full_name: &'static str,
    /// Their password, shown because this is a demo.
    pub password: &'static str,
}

impl Person {
    fn initial(&self) -> String {
        super::initial(self.full_name)
    }
}

/// Everybody with an account in the demo.
pub static PEOPLE: [Person; 3] = [
    Person { name: "alice", full_name: "Alice", password: "quince-jelly" },
    Person { name: "bob", full_name: "Bob", password: "kettle-whistle" },
    Person { name: "carol", full_name: "Carol", password: "lemon-drizzle" },
];

/// `GET /account`: who one is here, how strongly, and for how long.
#[derive(Clone, Debug, Template)]
#[template(path = "account.html")]
pub struct Account {
    /// What surrounds the page.
    pub shell: Shell,
    /// What the shop calls them.
    pub name: String,
    /// Their opaque user id.
    pub user: String,
    /// The session's assurance level.
    pub level: Level,
    /// How they proved who they are.
    pub methods: Vec<Method>,
    /// When they signed in.
    pub signed_in: Moment,
    /// When the session ends if nothing happens.
    pub idle_ends: Moment,
    /// When the session ends whatever happens.
    pub ends: Moment,
    /// Whether the browser keeps the cookie when it closes.
    pub remembered: bool,
    /// How many devices are signed in, this one included.
    pub devices: usize,
}

impl Account {
    fn level_words(&self) -> &'static str {
        match self.level {
            Level::One => "One factor, such as a password. Enough to look around and shop.",
            Level::Two => "Two different factors. Enough to change what matters.",
            Level::Three => "Two factors, one of them a key that cannot be copied.",
        }
    }
}

/// One way of signing in that was used in a session.
#[derive(Clone, Debug)]
pub struct Method {
    /// Its name, such as `password`.
    pub method: String,
    /// When it was used.
    pub at: Moment,
}

/// `GET /devices`: every session signed in as the visitor.
///
/// Its forms post `session` (an id) to `/devices/end`, and nothing to
/// `/devices/end-others`, `/devices/end-all` and, for this device, `/sign-out`.
#[derive(Clone, Debug, Template)]
#[template(path = "devices.html")]
pub struct Devices {
    /// What surrounds the page.
    pub shell: Shell,
    /// The sessions, this one first.
    pub devices: Vec<Device>,
}

impl Devices {
    fn others(&self) -> usize {
        self.devices.iter().filter(|device| !device.current).count()
    }
}

/// One session as its owner recognises it.
#[derive(Clone, Debug)]
pub struct Device {
    /// The session's public id.
    pub session: String,
    /// Browser and system, such as `Firefox on Linux`.
    pub label: String,
    /// What to draw.
    pub kind: DeviceKind,
    /// The address it was last seen at.
    pub ip: String,
    /// When it signed in.
    pub signed_in: Moment,
    /// When it was last used.
    pub last_seen: Moment,
    /// Whether it is the one that asked.
    pub current: bool,
}

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A computer, or nobody knows.
    Desktop,
    /// A phone.
    Phone,
    /// A tablet.
    Tablet,
}

impl DeviceKind {
    fn icon(&self) -> &'static str {
        match self {
            DeviceKind::Desktop => "desktop",
            DeviceKind::Phone => "phone",
            DeviceKind::Tablet => "tablet",
        }
    }
}

/// `GET /appearance`: the themes to choose from.
///
/// Its form posts `theme` (a [`Theme::slug`]) to `/appearance`.
#[derive(Clone, Debug, Template)]
#[template(path = "appearance.html")]
pub struct Appearance {
    /// What surrounds the page; its theme is the chosen one.
    pub shell: Shell,
}
