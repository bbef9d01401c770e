//! How a session looks in JSON, for the OpenAPI document. The core writes it; a test holds
//! the two together.

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// A session as it was read. Holds no token and no secret.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the core serialises")]
pub(crate) struct Session {
    /// Its public name: may be logged.
    #[schema(example = "ses_0199a1b2c3d4e5f60718293a4b5c6d7e")]
    id: String,
    /// The guest session it came from.
    #[schema(required = true)]
    previous: Option<String>,
    /// The application it belongs to.
    #[schema(example = "default")]
    realm: String,
    /// What it is.
    state: State,
    /// Whom it belongs to; none for a guest.
    #[schema(required = true)]
    user: Option<String>,
    /// What the user may do.
    roles: Vec<String>,
    /// The assurance level; 0 for a guest.
    #[schema(minimum = 0, maximum = 3)]
    level: u8,
    /// How its user proved who they are.
    methods: Vec<MethodUse>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its user last proved in full who they are.
    #[schema(format = DateTime, required = true)]
    authenticated_at: Option<String>,
    /// The last recorded activity.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// When the idle limit ends it, if nothing happens.
    #[schema(format = DateTime)]
    idle_expires_at: String,
    /// When the absolute limit ends it, whatever happens.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whether its cookie outlives the browser.
    persistent: bool,
    /// Which of its tokens is in use, counted from 1.
    generation: u32,
    /// Counts the changes of its data, never touches.
    version: u64,
    /// The device, as it showed itself at sign-in.
    device: Device,
    /// What the application keeps in it.
    data: BTreeMap<String, serde_json::Value>,
    /// For each key, the version that wrote it.
    data_versions: BTreeMap<String, u64>,
    /// How it ended; only when it has.
    #[schema(required = false)]
    ended: Ended,
}

/// What a session is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what the core serialises")]
pub(crate) enum State {
    Guest,
    Pending,
    SignedIn,
    Ended,
}

/// A method and when it was used.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the core serialises")]
pub(crate) struct MethodUse {
    /// In plain words.
    #[schema(example = "password")]
    method: String,
    /// When it proved something.
    #[schema(format = DateTime)]
    at: String,
}

/// What a person recognises in a list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the core serialises")]
pub(crate) struct Device {
    /// What to show.
    #[schema(example = "Firefox on Linux")]
    label: String,
    /// The browser.
    browser: String,
    /// The operating system.
    os: String,
    /// `desktop`, `phone`, `tablet` or `other`.
    kind: String,
    /// The address it was seen at.
    #[schema(required = true)]
    ip: Option<String>,
    /// What it called itself.
    user_agent: String,
}

/// How a session ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the core serialises")]
pub(crate) struct Ended {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Why.
    #[schema(example = "revoked")]
    reason: String,
    /// By whom: `system`, `user`, `application` or `api_key:NAME`.
    actor: String,
    /// What a person wrote about it.
    #[schema(required = true)]
    note: Option<String>,
    /// The session that took its place.
    #[schema(required = true)]
    next: Option<String>,
}

/// What a check says.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what the core says")]
pub(crate) enum VerdictWord {
    Ok,
    StepUp,
    Forbidden,
    Inactive,
}
