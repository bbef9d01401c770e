//! Two cookies in one application: a site, and its administration with rules of its own.
//!
//! ```console
//! cargo run -p tenure-examples --bin two-cookies
//! ```
//!
//! Then open <http://127.0.0.1:8714>.

use std::time::Duration;

use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use tenure_tower::{
    CookieSettings, Guard, In, Memory, Preset, Realm, Session, SessionLayer, Sessions, SignIn, SignedIn,
    UserId,
};
use tower_http::csrf::CsrfLayer;

/// The area of those who run the site.
struct Admin;

/// Sessions of the administration: in a realm of their own, so that no cookie of the site opens
/// it; under the strictest policy; with a cookie that is never sent from another site's page.
fn administration(site: &Sessions) -> Result<Sessions, Box<dyn std::error::Error>> {
    let cookie = CookieSettings::new("__Host-admin")?.strict();
    Ok(site.in_realm(Realm::new("admin")?, cookie, Preset::AsvsL3.policy())?)
}

fn app(site: &Sessions, admin: &Sessions) -> Router {
    let inside = Router::new()
        .route("/admin", get(dashboard))
        // Whoever has not shown a password within a quarter of an hour does so again.
        .route_layer(Guard::signed_in().area::<Admin>().max_auth_age(Duration::from_secs(15 * 60)));
    Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/admin/sign-in", get(|| async { Html(ADMIN_FORM) }).post(admin_sign_in))
        .route("/admin/sign-out", post(admin_sign_out))
        .merge(inside)
        .layer(SessionLayer::new(site))
        .layer(SessionLayer::new(admin).area::<Admin>().sign_in_at("/admin/sign-in"))
        .layer(CsrfLayer::new())
}

/// One request, two sessions: who is it for the site, and for the administration?
async fn home(site: Session, admin: In<Admin, Session>) -> Result<Html<String>, tenure_tower::Error> {
    let told = |user: Option<UserId>| user.map_or("nobody".into(), |user| user.to_string());
    let (site, admin) = (told(site.user().await?), told(admin.user().await?));
    Ok(Html(format!("<p>To the site you are {site}, to the administration {admin}.</p>{FORMS}")))
}

/// Here everybody may in; see the example `sign-in` for passwords.
async fn sign_in(s: Session) -> Result<Redirect, tenure_tower::Error> {
    s.sign_in(SignIn::password(UserId::new("u_ann")?)).await?;
    Ok(Redirect::to("/"))
}

async fn sign_out(s: Session) -> Result<Redirect, tenure_tower::Error> {
    s.sign_out().await?;
    Ok(Redirect::to("/"))
}

async fn admin_sign_in(s: In<Admin, Session>) -> Result<Redirect, tenure_tower::Error> {
    s.sign_in(SignIn::password(UserId::new("a_ann")?)).await?;
    Ok(Redirect::to("/admin"))
}

async fn admin_sign_out(s: In<Admin, Session>) -> Result<Redirect, tenure_tower::Error> {
    s.sign_out().await?;
    Ok(Redirect::to("/"))
}

async fn dashboard(me: In<Admin, SignedIn>) -> String {
    format!("{} runs the place", me.user())
}

const FORMS: &str = r#"<form method="post">
  <button formaction="/sign-in">Sign in</button> <button formaction="/sign-out">Sign out</button>
  <button formaction="/admin/sign-in">Sign in to the administration</button>
  <button formaction="/admin/sign-out">Leave it</button>
</form><p><a href="/admin">Administration</a>"#;

const ADMIN_FORM: &str = r#"<form method="post"><button>Sign in to the administration</button></form>"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Sessions::open(Memory).await?;
    let admin = administration(&site)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8714").await?;
    eprintln!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(&site, &admin)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::{COOKIE, SET_COOKIE};
    use axum::http::{Method, Request, StatusCode};
    use http_body_util::BodyExt;
    use tenure_tower::tenure::testing::TestKit;
    use tower::ServiceExt;

    use super::*;

    struct Browser {
        app: Router,
        kit: TestKit,
        cookies: Vec<String>,
    }

    impl Browser {
        async fn new() -> Self {
            let kit = TestKit::new().await;
            let app = app(&kit.sessions, &administration(&kit.sessions).unwrap());
            Self { app, kit, cookies: Vec::new() }
        }

        /// The status and the page; cookies that are set are kept.
        async fn ask(&mut self, method: Method, path: &str) -> (StatusCode, String) {
            let request = Request::builder().method(method).uri(path).header(COOKIE, self.cookies.join("; "));
            let answer = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            for set in answer.headers().get_all(SET_COOKIE) {
                let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
                let name = pair.split('=').next().unwrap();
                self.cookies.retain(|kept| kept.split('=').next() != Some(name));
                self.cookies.extend((!pair.ends_with('=')).then_some(pair));
            }
            let status = answer.status();
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(page.to_vec()).unwrap())
        }
    }

    #[tokio::test]
    async fn each_area_has_its_own_cookie_and_neither_opens_the_other() {
        let mut browser = Browser::new().await;
        browser.ask(Method::POST, "/sign-in").await;
        assert_eq!(browser.ask(Method::GET, "/admin").await.0, StatusCode::UNAUTHORIZED);
        let secret = browser.cookies[0].split_once('=').unwrap().1.to_owned();
        browser.cookies.push(format!("__Host-admin={secret}"));
        assert_eq!(browser.ask(Method::GET, "/admin").await.0, StatusCode::UNAUTHORIZED);

        browser.ask(Method::POST, "/admin/sign-in").await;
        assert_eq!(browser.ask(Method::GET, "/admin").await, (StatusCode::OK, "a_ann runs the place".into()));
        let (_, page) = browser.ask(Method::GET, "/").await;
        assert!(page.contains("you are u_ann, to the administration a_ann"), "{page}");
    }

    #[tokio::test]
    async fn leaving_the_site_leaves_the_administration_alone() {
        let mut browser = Browser::new().await;
        browser.ask(Method::POST, "/sign-in").await;
        browser.ask(Method::POST, "/admin/sign-in").await;
        browser.ask(Method::POST, "/sign-out").await;
        let (_, page) = browser.ask(Method::GET, "/").await;
        assert!(page.contains("you are nobody, to the administration a_ann"), "{page}");
    }

    #[tokio::test]
    async fn the_administration_asks_again_after_a_quarter_of_an_hour() {
        let mut browser = Browser::new().await;
        browser.ask(Method::POST, "/sign-in").await;
        browser.ask(Method::POST, "/admin/sign-in").await;
        for _ in 0..3 {
            browser.kit.advance(Duration::from_secs(4 * 60)).await;
            assert_eq!(browser.ask(Method::GET, "/admin").await.0, StatusCode::OK);
        }
        browser.kit.advance(Duration::from_secs(4 * 60)).await;
        // Still signed in, and not for this: `step_up_required`.
        assert_eq!(browser.ask(Method::GET, "/admin").await.0, StatusCode::FORBIDDEN);
        assert_eq!(browser.ask(Method::GET, "/").await.0, StatusCode::OK);
    }
}
