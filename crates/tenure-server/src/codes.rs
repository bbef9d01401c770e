//! Every error code there is: its status, and what it means to whoever meets it.

use std::fmt::Write;

/// A stable error code.
#[derive(Debug)]
pub struct Code {
    /// The word, as in `code`.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in general.
    pub title: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident $word:literal $status:literal $title:literal $meaning:literal)*) => {
        $(#[doc = $title] pub(crate) const $name: Code = Code { name: $word, status: $status, title: $title, meaning: $meaning };)*

        /// All codes, by subject.
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    INVALID_JSON "invalid_json" 400 "The body is no JSON"
        "The body could not be read as JSON: a syntax error, text that is no UTF-8, or the end came too soon. `detail` names the line and column."
    EMPTY_FILTER "empty_filter" 400 "The filter is empty"
        "`POST /v1/sessions/end` would end everything. Give a filter, or say `\"all\": true` if that is meant."
    UNAUTHORIZED "unauthorized" 401 "No valid API key"
        "Send `Authorization: Bearer <API key>`. The server writes the administrator's key once, at its first start."
    INSUFFICIENT_SCOPE "insufficient_scope" 403 "The API key may not do this"
        "`detail` names the scope that the route takes: `check`, `issue`, `manage` or `admin`. Use a key that has it."
    NO_SUCH_ROUTE "no_such_route" 404 "There is nothing here"
        "The path is none of the API's; `/openapi.json` lists them."
    METHOD_NOT_ALLOWED "method_not_allowed" 405 "The path takes another method"
        "The header `Allow` lists the methods of this path."
    BODY_TIMEOUT "body_timeout" 408 "The body came too slowly"
        "The whole body has to arrive within the time in `detail`. Nothing was changed; repeat the request."
    BODY_TOO_LARGE "body_too_large" 413 "The body is too large"
        "A body has at most 64 KiB. Keep large things elsewhere and their id in the session."
    UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" 415 "The body is not sent as JSON"
        "Bodies are JSON: send `Content-Type: application/json`."
    INVALID_REQUEST "invalid_request" 422 "The request does not fit"
        "A field is unknown, missing, of the wrong type or beyond its limit. `detail` names it. Fields of later releases are unknown to this one."
    INVALID_PARAMETER "invalid_parameter" 422 "A parameter does not fit"
        "A part of the path or a query parameter is unknown or has no valid value. `detail` names it."
    INVALID_HEADER "invalid_header" 422 "A header does not fit"
        "`detail` names the header and its form: `If-Match` is a version in quotes, `Idempotency-Key` has 22 to 128 printable characters."
    NOT_IN_THIS_RELEASE "not_in_this_release" 422 "Not in this release"
        "The contract has this, and this release does not yet. `detail` says what there is instead."
    INVALID_CURSOR "invalid_cursor" 422 "The cursor is none of ours"
        "Pass `next_cursor` of the page before on as it is, with the same filter; leave it out for the first page."
    INVALID_TOKEN "invalid_token" 422 "The token is none"
        "The text is no session token that this server made for this realm and cookie. Nothing was changed."
    INVALID_NAME "invalid_name" 422 "A name does not fit"
        "User ids have 1 to 256 bytes without control characters; roles and realms 1 to 64 of `A-Z a-z 0-9 . _ : -`."
    INVALID_SESSION_ID "invalid_session_id" 422 "The text is no session id"
        "A session id is `ses_` and 32 lower-case hexadecimal digits."
    SESSION_NOT_FOUND "session_not_found" 404 "There is no such session"
        "It never was, is of another realm, or ended so long ago (24 hours) that nothing is left of it."
    SESSION_ENDED "session_ended" 410 "The session has ended"
        "`detail` says why. An ended session never comes back; sign in again."
    SESSION_INACTIVE "session_inactive" 401 "The session is not active"
        "The presented session is good for nothing here, for the reason in `detail`: it is a guest's, or its user owes a factor, or no token was presented."
    NOT_SIGNED_IN "not_signed_in" 401 "The visitor is not signed in"
        "Of `tenure-tower`, not of the HTTP API: the visitor has no session, or none that is good for this. The layer sends people to the sign-in page, if it knows one; programs get the status."
    ALREADY_SIGNED_IN "already_signed_in" 403 "The visitor is signed in already"
        "Of `tenure-tower`, not of the HTTP API: the page is for visitors who are not signed in. The layer sends people to the page of `home_at`, if it knows one."
    FORBIDDEN "forbidden" 403 "The user may not do this"
        "Of `tenure-tower`, not of the HTTP API: the user is signed in and lacks a role that the route takes."
    NO_SESSION_LAYER "no_session_layer" 500 "The route has no session layer"
        "Of `tenure-tower`, not of the HTTP API: a handler asks for a session and no `SessionLayer` is around its route. Developers: add `.layer(SessionLayer::new(&sessions))`; visitors are told nothing of this."
    SHARED_COOKIE "shared_cookie" 500 "Two areas have one cookie name"
        "Of `tenure-tower`, not of the HTTP API: two session layers of different areas around a route look for a cookie of the same name. Developers: give the sessions of each area a name of their own by `CookieSettings::new`; visitors are told nothing of this."
    STEP_UP_REQUIRED "step_up_required" 403 "Sign in again first"
        "The user is signed in, but not recently or strongly enough for this. Authenticate again, then repeat."
    SIGNED_IN_AS_ANOTHER_USER "signed_in_as_another_user" 409 "Another user is signed in"
        "The token belongs to a session of another user. End that session first, then sign in without its token."
    TOKEN_SUPERSEDED "token_superseded" 409 "The token was replaced"
        "A newer token of this session is in use. Use that one; the client may hold it already."
    ROLES_CHANGED "roles_changed" 409 "The user's roles were changed meanwhile"
        "Somebody changed the roles while a second factor was shown, again and again. Nothing was changed; repeat the request."
    WRONG_STATE "wrong_state" 409 "The session's state does not allow this"
        "For example, a guest that is just becoming a user's session cannot be changed. Read it again and retry."
    SIGNED_OUT_MEANWHILE "signed_out_meanwhile" 409 "Signed out while signing in"
        "The user was signed out everywhere while this sign-in was under way, so it did not go through. Sign in again."
    COPY_UNDER_WAY "copy_under_way" 409 "Another copy goes on"
        "The sessions are on their way to another store; `detail` names it. Wait until they are there, or call that copy off first: the same request with its address and `\"call_off\": true`."
    DATA_CONFLICT "data_conflict" 409 "A key has another version"
        "An `expect` did not hold: somebody else changed the key. Nothing was changed. Read the session, apply the change to the new value, retry."
    VERSION_MISMATCH "version_mismatch" 412 "The data has another version"
        "`If-Match` did not hold: somebody else changed the session's data. Nothing was changed. Read it again, retry."
    TOO_MANY_KEYS "too_many_keys" 413 "Too many keys"
        "The data of a session has at most 64 keys."
    KEY_TOO_LONG "key_too_long" 413 "A key is too long, or empty"
        "A key of the data has 1 to 64 bytes."
    DATA_TOO_LARGE "data_too_large" 413 "Too much data"
        "The data of a session has at most 32 KiB, keys included. Keep large things elsewhere and their id in the session."
    SESSION_LIMIT "session_limit" 403 "The user has as many sessions as allowed"
        "The policy (`max_sessions`, `at_limit = \"refuse\"`) allows no more. End one first."
    PENDING_LIMIT "pending_limit" 403 "The user has as many unfinished sign-ins as allowed"
        "The policy (`pending.max_per_user`) allows no more that owe a second factor. They go away by themselves within minutes."
    USER_DISABLED "user_disabled" 403 "The user is disabled"
        "A disabled user gets no session until enabled again."
    ROTATION_TOO_SOON "rotation_too_soon" 429 "Rotated a moment ago"
        "The token was rotated within the grace time. `Retry-After` says when to try again."
    THROTTLED "throttled" 429 "Too many requests from this network"
        "One network (an IPv4 /24, an IPv6 /64) began too many guest sessions or showed too many dead tokens. `Retry-After` says when to try again."
    GUEST_LIMIT "guest_limit" 503 "There are as many guest sessions as allowed"
        "The policy (`guest.max`) allows no more. Signing in works; guests have to wait until others end."
    CONTENDED "contended" 503 "A key changes too fast"
        "Compare-and-set lost against other requests a hundred times. Try again, and consider splitting the key."
    OVERLOADED "overloaded" 503 "Too much at once"
        "The server is working on as many requests as it takes. Nothing was changed. Try again after `Retry-After`; no session ends by this."
    REQUEST_TIMEOUT "request_timeout" 503 "The request took too long"
        "It may have happened all the same: repeat it, with the same `Idempotency-Key` where there is one."
    STORE_UNAVAILABLE "store_unavailable" 503 "The store does not answer"
        "Nothing is known of the session, so leave cookies alone and try again after `Retry-After`. Operators: see `detail` and the log."
    STORE_FULL "store_full" 503 "The store is full"
        "Sessions can still be checked and ended; new ones and changes have to wait for room. Operators: make room on the disk or raise the limit."
    STORE_DAMAGED "store_damaged" 503 "The store is damaged"
        "Operators: stop the server, run `tenure store verify DIR`, and restore a backup."
    STORE_BLOCKED "store_blocked" 503 "The store waits for its operator"
        "It is older than it was (a restored backup), the clock is far ahead of it, or its sessions have moved to another store; `detail` says which. Operators: `--after-restore` and `--after-clock-gap` carry the decision about the first two; of the third, start the server with the store that is named."
    STORE_CONFIGURATION "store_configuration" 503 "The store cannot be used as configured"
        "Operators: `detail` says what does not fit: the key, the folder, or another process that holds it."
    CLOCK_IMPLAUSIBLE "clock_implausible" 503 "The clock cannot be believed"
        "It jumped ahead while the server ran. Believing it would end everybody's session, so nothing is answered until it is right again. Operators: set it right, or restart if it is right now."
    DATA_UNREADABLE "data_unreadable" 500 "A value does not read as its type"
        "A value in the session's data is not what the application's type says. `detail` names the key."
    OTHER_REALM "other_realm" 500 "A session of one realm was used in another"
        "What a check of one realm, or for one cookie, has shown was used with the sessions of another. Nothing was changed. Developers: check the token where the session is used."
    INVALID_POLICY "invalid_policy" 500 "The policy contradicts itself"
        "Operators: `detail` names the field and what must hold; `tenure policy check --config FILE` shows it."
    INTERNAL_ERROR "internal_error" 500 "A fault in Tenure"
        "What the store holds does not fit the keys or the code. Please report it with the log line."
}

/// The code of this name.
pub(crate) fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.name == name)
}

/// The page that explains every code, as in `docs/errors.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every error of the HTTP API is `application/problem+json` (RFC 9457) with a stable `code`; its\n\
         `type` links here. Decide by `code` and status, never by `detail`, whose words may change.\n\
         An outage (5xx) says nothing about any session: leave the visitor's cookie alone. Every 503\n\
         has `Retry-After`. Applications meet the same codes through `tenure-tower`, in the extension\n\
         `Failure` of an answer; those that only it has say so.\n\n\
         The server has this page at `/docs/errors.md`. It is written from\n\
         `crates/tenure-server/src/codes.rs`: change it there, then run\n\
         `TENURE_BLESS=1 cargo test -p tenure-server --test documents`.\n",
    );
    let mut sorted: Vec<_> = ALL.to_vec();
    sorted.sort_by_key(|code| code.name);
    for Code { name, status, title, meaning } in sorted {
        write!(page, "\n## {name}\n\n**{status}** {title}. {meaning}\n")
            .expect("writing to a string does not fail");
    }
    page
}
