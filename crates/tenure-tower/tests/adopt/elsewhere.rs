//! Another system's sessions, an application that takes over from them, on each engine.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::COOKIE;
use axum::routing::{get, post};
use tempfile::TempDir;
use tenure::clock::{TestClock, Timestamp};
use tenure::{Memory, Policy, Role, Sessions, SignIn, UserId};
use tenure_embedded::Embedded;
use tenure_tower::{Adopt, Adoption, Changes, Error, Key, Session, SessionLayer, SignedIn};

use crate::support::{Answer, send};

pub(crate) const CART: Key<Vec<String>> = Key::new("cart");
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A session of the other system.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) user: Option<&'static str>,
    pub(crate) since: Timestamp,
    pub(crate) remember: bool,
}

/// The other system.
#[derive(Clone, Default)]
pub(crate) struct Elsewhere {
    pub(crate) rows: Arc<Mutex<HashMap<String, Row>>>,
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) forgotten: Arc<Mutex<Vec<String>>>,
    pub(crate) fails: Arc<AtomicBool>,
    pub(crate) hangs: Arc<AtomicBool>,
}

impl Elsewhere {
    pub(crate) fn adopt(&self) -> Adopt {
        let (asked, told) = (self.clone(), self.clone());
        let adopt = Adopt::cookie("old", move |foreign| {
            let asked = asked.clone();
            async move { asked.whose(foreign.value()).await }
        });
        adopt.forget(move |id| {
            let told = told.clone();
            async move {
                told.rows.lock().unwrap().remove(id.trim_start_matches("row-"));
                told.forgotten.lock().unwrap().push(id);
                if told.fails.load(Ordering::SeqCst) { Err("no connection".into()) } else { Ok(()) }
            }
        })
    }

    async fn whose(&self, value: &str) -> Result<Option<Adoption>, Box<dyn std::error::Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err("no connection".into());
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        // The other system takes its cookie quoted, too.
        let value = value.trim_matches('"');
        let row = self.rows.lock().unwrap().get(value).cloned();
        let data = Changes::default().set("cart", vec!["apple"].into());
        Ok(row.map(|row| match row.user {
            None => Adoption::of_guest(format!("row-{value}"), row.since, data),
            Some(user) => {
                let sign_in = SignIn::password(UserId::new(user).unwrap()).data(data);
                let sign_in = sign_in.roles(vec![Role::new("customer").unwrap()]).remember(row.remember);
                Adoption::of_user(format!("row-{value}"), row.since, sign_in)
            }
        }))
    }
}

/// The application and everything around it.
pub(crate) struct Place {
    pub(crate) sessions: Sessions,
    pub(crate) clock: TestClock,
    pub(crate) app: Router,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) folder: TempDir,
}

impl Place {
    /// On each engine, under the default policy.
    pub(crate) async fn each() -> [Self; 2] {
        Self::each_with(&Policy::default()).await
    }

    pub(crate) async fn each_with(policy: &Policy) -> [Self; 2] {
        [Self::with(policy, false).await, Self::with(policy, true).await]
    }

    async fn with(policy: &Policy, on_disk: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::default();
        let at = folder.path();
        let builder = match on_disk {
            true => Sessions::builder(Embedded::at(at.join("store")).config_dir(at.join("config"))),
            false => Sessions::builder(Memory),
        };
        let builder = builder.policy(policy.clone()).clock(clock.clone()).without_background();
        let sessions = builder.open().await.unwrap();
        let elsewhere = Elsewhere::default();
        let app = app(SessionLayer::new(&sessions).adopt(elsewhere.adopt()));
        Self { sessions, clock, app, elsewhere, folder }
    }

    /// A session elsewhere, begun so long ago; the cookie that its browser sends.
    pub(crate) fn has(&self, name: &str, user: Option<&'static str>, ago: Duration) -> String {
        let since = Timestamp::from_millis(self.sessions.now().as_millis() - ago.as_millis() as u64);
        let row = Row { user, since, remember: false };
        self.elsewhere.rows.lock().unwrap().insert(name.to_owned(), row);
        format!("old={name}")
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        send(&self.app, request).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::post(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        send(&self.app, request).await
    }

    pub(crate) async fn live(&self, user: &str) -> usize {
        self.sessions.list(&UserId::new(user).unwrap()).await.unwrap().len()
    }
}

pub(crate) fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/me", get(|me: SignedIn| async move { me.user().to_string() }))
        .route("/cart", get(cart))
        .route("/add", post(add))
        .route("/still", get(|_: Session| async { "nothing asked" }))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(layer)
}

async fn cart(s: Session) -> Result<String, Error> {
    Ok(s.get(CART).await?.unwrap_or_default().join(","))
}

async fn add(s: Session) -> Result<&'static str, Error> {
    s.update(CART, |cart| cart.push("pear".into())).await?;
    Ok("added")
}

async fn sign_in(s: Session) -> Result<&'static str, Error> {
    s.sign_in(SignIn::password(UserId::new("u_ada").unwrap())).await?;
    Ok("welcome")
}

async fn sign_out(s: Session) -> Result<&'static str, Error> {
    s.sign_out().await?;
    Ok("bye")
}

/// The cookie of ours that an answer sets, as the browser sends it.
pub(crate) fn ours(answer: &Answer) -> Option<String> {
    let set = answer.set_cookies().into_iter().find(|set| set.starts_with("__Host-sid=tn1_"))?;
    set.split(';').next().map(str::to_owned)
}

/// Whether an answer deletes the old cookie.
pub(crate) fn deletes_old(answer: &Answer) -> bool {
    answer.set_cookies().contains(&"old=; Path=/; Max-Age=0; Secure")
}
