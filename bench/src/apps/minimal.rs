//! A check written by hand: cookie, base64url, SHA-256, a map in locked parts. It knows no limits,
//! no rotation and no end, and forgets everybody at a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use tenure::random::{Random, SystemRandom};

use crate::sharded::Sharded;

struct Session {
    hash: [u8; 32],
    user: String,
    count: AtomicU64,
}

type Sessions = Arc<Sharded<Session>>;

/// The session of a request whose cookie is good.
struct Caller(Arc<Session>);

/// Id 16 ‖ secret 32 bytes.
const TOKEN: usize = 48;

pub(crate) fn router() -> Router {
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/read", get(|Caller(session): Caller| async move { session.user.clone() }))
        .route("/count", post(count))
        .with_state(Sessions::default())
}

async fn sign_in(State(sessions): State<Sessions>, Path(user): Path<String>) -> impl IntoResponse {
    let mut token = [0; TOKEN];
    SystemRandom.fill(&mut token);
    let (id, secret) = parts(&token);
    sessions.insert(id, Session { hash: Sha256::digest(secret).into(), user, count: AtomicU64::new(0) });
    [(SET_COOKIE, format!("sid={}; Path=/; Secure; HttpOnly; SameSite=Lax", BASE64URL_NOPAD.encode(&token)))]
}

async fn count(Caller(session): Caller) -> String {
    (session.count.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}

fn parts(token: &[u8; TOKEN]) -> ([u8; 16], &[u8]) {
    (token[..16].try_into().expect("16 bytes"), &token[16..])
}

impl FromRequestParts<Sessions> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, sessions: &Sessions) -> Result<Self, StatusCode> {
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).map(str::trim);
        let value = pairs.find_map(|pair| pair.strip_prefix("sid="));
        value.and_then(|value| check(sessions, value)).map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

fn check(sessions: &Sessions, value: &str) -> Option<Arc<Session>> {
    let mut token = [0; TOKEN];
    if value.len() != TOKEN / 3 * 4 || BASE64URL_NOPAD.decode_mut(value.as_bytes(), &mut token).is_err() {
        return None;
    }
    let (id, secret) = parts(&token);
    let hash: [u8; 32] = Sha256::digest(secret).into();
    sessions.get(&id).filter(|session| session.hash == hash)
}
