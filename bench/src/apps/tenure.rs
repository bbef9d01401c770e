//! The application with Tenure's layer.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use tenure::store::Engine;
use tenure_tower::{Error, Key, Session, SessionLayer, Sessions, SignIn, SignedIn, UserId};

const COUNT: Key<u64> = Key::new("count");

pub(crate) async fn router(engine: impl Engine) -> Router {
    let sessions = Sessions::open(engine).await.expect("a store");
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/read", get(|me: SignedIn| async move { me.user().to_string() }))
        .route("/count", post(count))
        .layer(SessionLayer::new(&sessions))
}

async fn sign_in(s: Session, Path(user): Path<String>) -> Result<(), Error> {
    s.sign_in(SignIn::password(UserId::new(user).expect("a user id"))).await
}

async fn count(s: Session) -> Result<String, Error> {
    let count = s.update(COUNT, |count| {
        *count += 1;
        *count
    });
    Ok(count.await?.to_string())
}
