//! The server: what it is made of and how it runs.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tenure::Sessions;
use tokio::net::TcpListener;

use crate::app::App;
use crate::entrance::Entrance;
use crate::keys::ApiKeys;
use crate::limits::{Limits, Places, bound};
use crate::mover::Mover;
use crate::{
    auth, connection, documents, end, entrance, headers, health, issue, metrics, moving, problem, sessions,
    users, verify,
};

/// Settings of a [`Server`].
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Who may ask. Without a key every route but health and documents answers 401.
    pub api_keys: ApiKeys,
    /// What it takes at the most.
    pub limits: Limits,
    /// Who moves the sessions to another store, if that may be asked.
    pub mover: Option<Mover>,
}

/// The HTTP API over the sessions of one realm.
///
/// # Example: serve until the process is told to stop
/// ```no_run
/// use tenure::{Memory, Sessions};
/// use tenure_server::{ApiKey, ApiKeys, KnownKey, Scope, Server, ServerOptions};
///
/// # async fn example(key: ApiKey, stop: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::open(Memory).await?;
/// let now = sessions.now();
/// let known = KnownKey::new(&key, "shop", sessions.realm().clone(), [Scope::Admin], now);
/// let options = ServerOptions { api_keys: ApiKeys::new([known]), ..ServerOptions::default() };
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8700").await?;
/// Server::new(sessions.clone(), options).run(listener, stop).await?;
/// sessions.close().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    app: App,
}

impl Server {
    /// A server over `sessions`.
    pub fn new(sessions: Sessions, options: ServerOptions) -> Self {
        let app =
            App { sessions, keys: Arc::new(options.api_keys), limits: options.limits, mover: options.mover };
        Self { app }
    }

    /// The routes, to be served by whoever likes to. The bounds on connections are
    /// [`run`](Self::run)'s.
    pub fn router(&self) -> Router {
        self.routes(Places::new(self.app.limits))
    }

    fn routes(&self, places: Places) -> Router {
        let api = Router::new()
            .route("/v1/sessions", post(issue::create).get(sessions::list))
            .route(entrance::CHECK, post(verify::verify))
            .route("/v1/sessions/sign-in", post(issue::sign_in))
            .route("/v1/sessions/rotate", post(issue::rotate))
            .route("/v1/sessions/end", post(end::end))
            .route("/v1/sessions/{id}", get(sessions::show).patch(sessions::change).delete(sessions::end))
            .route("/v1/users/{user}/sessions", get(users::list).delete(users::end))
            .route("/v1/store/copy", post(moving::begin).get(moving::show))
            .route_layer(from_fn_with_state(self.app.clone(), auth::authenticate))
            .route_layer(from_fn_with_state(places, bound));
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/metrics", get(metrics::metrics))
            .route("/readyz", get(health::ready))
            .route("/openapi.json", get(documents::openapi))
            .route("/docs/errors.md", get(documents::errors))
            .merge(api)
            .fallback(problem::no_such_route)
            .layer(from_fn_with_state(self.app.clone(), headers::dress))
            .with_state(self.app.clone())
    }

    /// Answers what comes in at `listener` until `shutdown`, then finishes what is under way.
    /// The sessions stay open: close them when everything that uses them has stopped.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn run(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let places = Places::new(self.app.limits);
        let entrance = Entrance::new(self.app.clone(), places.clone(), self.routes(places));
        connection::serve_by(listener, entrance, self.app.limits, shutdown).await
    }
}
