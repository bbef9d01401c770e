//! Sign-in with a user table of one's own: the password is the application's part, the session
//! is Tenure's.
//!
//! ```console
//! cargo run -p tenure-examples --bin sign-in
//! ```
//!
//! Then open <http://127.0.0.1:8710>.

mod users;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use rusqlite::Connection;
use serde::Deserialize;
use tenure_tower::{Guest, Memory, Session, SessionLayer, Sessions, SignIn, SignedIn};
use tower_http::csrf::CsrfLayer;

use users::Users;

fn app(sessions: &Sessions, users: Users) -> Router {
    Router::new()
        .route("/", get(account))
        .route("/register", post(register))
        .route("/sign-in", get(form).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .layer(SessionLayer::new(sessions).sign_in_at("/sign-in").home_at("/"))
        // Forms of other sites are refused.
        .layer(CsrfLayer::new())
        .with_state(users)
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    #[serde(default)]
    remember: bool,
}

/// For visitors only: whoever is signed in is sent home.
async fn form(_: Guest) -> Html<&'static str> {
    Html(FORM)
}

async fn register(s: Session, State(users): State<Users>, Form(login): Form<Login>) -> Answer {
    match users.register(login.name, login.password).await? {
        Some(user) => Ok(entered(&s, SignIn::password(user).remember(login.remember)).await?),
        None => Ok((StatusCode::CONFLICT, "This name is taken.").into_response()),
    }
}

async fn sign_in(s: Session, State(users): State<Users>, Form(login): Form<Login>) -> Answer {
    match users.check(login.name, login.password).await? {
        Some(user) => Ok(entered(&s, SignIn::password(user).remember(login.remember)).await?),
        // The same for an unknown name: nobody learns who has an account.
        None => Ok((StatusCode::UNAUTHORIZED, "Name or password is wrong.").into_response()),
    }
}

/// The old cookie is dead from here on, and what a guest had comes along.
async fn entered(s: &Session, sign_in: SignIn) -> Result<Response, tenure_tower::Error> {
    s.sign_in(sign_in).await?;
    Ok(Redirect::to("/").into_response())
}

/// A page that needs a sign-in says so by what it takes.
async fn account(me: SignedIn) -> Result<Html<String>, tenure_tower::Error> {
    let devices = me.sessions().await?.len();
    Ok(Html(format!("<h1>Hello {}</h1><p>You are signed in on {devices} devices.</p>{BUTTONS}", me.user())))
}

async fn sign_out(s: Session) -> Result<Redirect, tenure_tower::Error> {
    s.sign_out().await?;
    Ok(Redirect::to("/sign-in"))
}

async fn sign_out_everywhere(me: SignedIn) -> Result<Redirect, tenure_tower::Error> {
    me.sign_out_everywhere().await?;
    Ok(Redirect::to("/sign-in"))
}

const FORM: &str = r#"<form method="post" action="/sign-in">
  <p><label>Name <input name="name" autocomplete="username" required></label>
  <p><label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <p><label><input name="remember" type="checkbox" value="true"> Stay signed in</label>
  <p><button>Sign in</button> <button formaction="/register">Register</button>
</form>"#;

const BUTTONS: &str = r#"<form method="post" action="/sign-out"><button>Sign out</button>
  <button formaction="/sign-out-everywhere">Sign out everywhere</button></form>"#;

type Answer = Result<Response, Failed>;

/// What goes wrong: with the session, or with the user table.
enum Failed {
    Session(tenure_tower::Error),
    Users(Box<dyn std::error::Error + Send + Sync>),
}

impl From<tenure_tower::Error> for Failed {
    fn from(error: tenure_tower::Error) -> Self {
        Self::Session(error)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Failed {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Users(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => error.into_response(),
            Self::Users(error) => {
                eprintln!("the user table fails: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // In memory, both: for sessions that outlive a restart, `Embedded::at("./data")` of
    // tenure-embedded.
    let sessions = Sessions::open(Memory).await?;
    let users = Users::open(Connection::open_in_memory()?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8710").await?;
    eprintln!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(&sessions, users)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
