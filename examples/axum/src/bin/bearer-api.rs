//! An API with bearer tokens: no cookies, no layer, the core alone.
//!
//! ```console
//! cargo run -p tenure-examples --bin bearer-api
//! curl -X POST http://127.0.0.1:8711/token -d name=ann -d password=secret
//! curl http://127.0.0.1:8711/me -H "Authorization: Bearer $TOKEN"
//! curl -X POST http://127.0.0.1:8711/token/renew -H "Authorization: Bearer $TOKEN"
//! curl -X DELETE http://127.0.0.1:8711/token -H "Authorization: Bearer $TOKEN"
//! ```

use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use tenure_tower::tenure::{Active, Check, Error, Issued, Verdict};
use tenure_tower::{Actor, Memory, Reason, Sessions, SignIn, UserId};

fn app(sessions: Sessions) -> Router {
    Router::new()
        .route("/token", post(issue).delete(end))
        .route("/token/renew", post(renew))
        .route("/me", get(me))
        .with_state(sessions)
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

/// What a client gets to keep. Let it renew the token before a quarter of an hour has passed,
/// and keep it where nobody else reads.
#[derive(Serialize)]
struct Token {
    token: String,
    /// Without a request until then it is over.
    idle_expires_at: String,
    /// Then it is over in any case.
    expires_at: String,
}

/// The handler that answers with a token says that nobody may keep the answer.
fn token(issued: &Issued) -> impl IntoResponse + use<> {
    let token = Token {
        token: issued.token.expose().to_owned(),
        idle_expires_at: issued.session.idle_expires_at().to_string(),
        expires_at: issued.session.expires_at().to_string(),
    };
    ([(CACHE_CONTROL, "no-store")], Json(token))
}

async fn issue(State(sessions): State<Sessions>, Form(login): Form<Login>) -> Result<Response, Failed> {
    // Your own user table; see the example `sign-in`.
    if (login.name.as_str(), login.password.as_str()) != ("ann", "secret") {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    let issued = sessions.sign_in(None, SignIn::password(UserId::new("u_ann").map_err(Error::from)?)).await?;
    Ok(token(&issued).into_response())
}

/// The next token. The old one is good until the new one is first used, so an answer that gets
/// lost costs nothing.
async fn renew(State(sessions): State<Sessions>, caller: Caller) -> Result<Response, Failed> {
    let issued = sessions.rotate(&caller.0, Actor::user(), None).await?;
    Ok(token(&issued).into_response())
}

async fn end(State(sessions): State<Sessions>, caller: Caller) -> Result<StatusCode, Failed> {
    sessions.sign_out(&caller.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(caller: Caller) -> String {
    caller.0.session().user().map(ToString::to_string).unwrap_or_default()
}

/// Somebody with a token that is good now. Only a check makes one.
struct Caller(Active);

impl FromRequestParts<Sessions> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, sessions: &Sessions) -> Result<Self, Failed> {
        let Some(token) = bearer(&parts.headers) else { return Err(Failed::Refused(Reason::NoToken)) };
        match sessions.check(token, &Check::signed_in()).await? {
            Verdict::Ok(active) => Ok(Self(active)),
            other => Err(Failed::Refused(other.reason().unwrap_or(Reason::NotAccepted))),
        }
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// A token that is good for nothing is 401; what the core says otherwise has its own status, 503
/// for a store that does not answer among them: then the token may well be good.
enum Failed {
    Refused(Reason),
    Core(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(Reason::NoToken) => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response()
            }
            Self::Refused(reason) => {
                let header = [(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
                (StatusCode::UNAUTHORIZED, header, reason.to_string()).into_response()
            }
            Self::Core(error) => {
                let status =
                    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, error.code()).into_response()
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::open(Memory).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8711").await?;
    eprintln!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(sessions)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::{Method, Request};
    use http_body_util::BodyExt;
    use tenure_tower::tenure::testing::TestKit;
    use tower::ServiceExt;

    use super::*;

    async fn ask(kit: &TestKit, method: Method, path: &str, authorization: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, authorization);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let request = request.header(form.0, form.1).body(Body::from("name=ann&password=secret")).unwrap();
        let answer = app(kit.sessions.clone()).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn token_in(body: &str) -> String {
        let at = body.find("tn1_").expect("a token");
        format!("Bearer {}", &body[at..at + 96])
    }

    #[tokio::test]
    async fn a_token_is_issued_renewed_and_ended() {
        let kit = TestKit::new().await;
        let (_, body) = ask(&kit, Method::POST, "/token", "").await;
        let first = token_in(&body);
        assert_eq!(ask(&kit, Method::GET, "/me", &first).await, (200, "u_ann".into()));

        let (_, body) = ask(&kit, Method::POST, "/token/renew", &first).await;
        let second = token_in(&body);
        assert_ne!(first, second);
        assert_eq!(ask(&kit, Method::GET, "/me", &second).await, (200, "u_ann".into()));

        assert_eq!(ask(&kit, Method::DELETE, "/token", &second).await.0, 204);
        assert_eq!(ask(&kit, Method::GET, "/me", &second).await, (401, "logout".into()));
    }

    #[tokio::test]
    async fn the_scheme_is_read_in_any_case_and_nothing_else_is_a_token() {
        let kit = TestKit::new().await;
        let (_, body) = ask(&kit, Method::POST, "/token", "").await;
        let good = token_in(&body);
        let lower = good.replace("Bearer", "bearer");
        assert_eq!(ask(&kit, Method::GET, "/me", &lower).await.0, 200);
        for bad in ["", "Bearer", "Bearer ", "Bearer é", "Basic dTpw", &good[7..], &format!("{good} ")] {
            assert_eq!(ask(&kit, Method::GET, "/me", bad).await.0, 401, "{bad}");
        }
        kit.advance(Duration::from_secs(31 * 60)).await;
        assert_eq!(ask(&kit, Method::GET, "/me", &good).await, (401, "idle_timeout".into()));
    }
}
