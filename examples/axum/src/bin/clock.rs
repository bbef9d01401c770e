//! Testing with the clock: idle limits, rotation and "remember me" without waiting.
//!
//! The application is two handlers. The tests below it are the point:
//!
//! ```console
//! cargo test -p tenure-examples --bin clock
//! ```

use axum::Router;
use axum::routing::{get, post};
use tenure_tower::{Memory, Session, SessionLayer, Sessions, SignIn, SignedIn, UserId};

/// Takes `Sessions` instead of opening them, so that a test can bring its own.
fn app(sessions: &Sessions) -> Router {
    Router::new()
        .route("/me", get(|me: SignedIn| async move { me.user().to_string() }))
        .route("/sign-in", post(sign_in))
        .layer(SessionLayer::new(sessions))
}

async fn sign_in(s: Session) -> Result<(), tenure_tower::Error> {
    s.sign_in(SignIn::password(UserId::new("u_1")?)).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::open(Memory).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8713").await?;
    eprintln!("http://{}/me", listener.local_addr()?);
    axum::serve(listener, app(&sessions)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::header::{COOKIE, SET_COOKIE};
    use axum::http::{Request, StatusCode};
    use axum::response::Response;
    use tenure_tower::tenure::testing::TestKit;
    use tower::ServiceExt;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    async fn ask(kit: &TestKit, cookie: &str) -> Response {
        let request = Request::get("/me").header(COOKIE, cookie).body(Body::empty()).unwrap();
        app(&kit.sessions).oneshot(request).await.unwrap()
    }

    /// The cookie that an answer sets, as the browser sends it back.
    fn set_by(answer: &Response) -> Option<String> {
        let set = answer.headers().get(SET_COOKIE)?.to_str().unwrap();
        Some(set.split(';').next().unwrap().to_owned())
    }

    #[tokio::test]
    async fn somebody_who_is_away_for_half_an_hour_has_to_sign_in_again() {
        let kit = TestKit::new().await;
        let cookie = kit.sign_in_as("u_1").await;
        kit.advance(29 * MINUTE).await;
        assert_eq!(ask(&kit, &cookie).await.status(), StatusCode::OK, "and that counts as activity");
        kit.advance(29 * MINUTE).await;
        assert_eq!(ask(&kit, &cookie).await.status(), StatusCode::OK);
        kit.advance(31 * MINUTE).await;
        assert_eq!(ask(&kit, &cookie).await.status(), StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn the_token_is_replaced_now_and_then_and_the_old_one_dies() {
        let kit = TestKit::new().await;
        let first = kit.sign_in_as("u_1").await;
        kit.advance(16 * MINUTE).await;
        let second = set_by(&ask(&kit, &first).await).expect("a new cookie after a quarter of an hour");
        assert_eq!(ask(&kit, &second).await.status(), StatusCode::OK);
        kit.advance(MINUTE).await;
        // Whoever still sends the old one has copied it. Nobody knows who is the thief, so the
        // session ends for both.
        assert_eq!(ask(&kit, &first).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&kit, &second).await.status(), StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn who_asks_to_be_remembered_is_still_there_after_the_week_end() {
        let kit = TestKit::new().await;
        let cookie = kit.sign_in(SignIn::password(UserId::new("u_1").unwrap()).remember(true)).await;
        kit.advance(3 * DAY).await;
        assert_eq!(ask(&kit, &cookie).await.status(), StatusCode::OK);
    }
}
