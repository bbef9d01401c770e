//! Where requests come in from a connection: checks go straight to work, all others to the router.
//!
//! A back end asks for a check with each request of each visitor, so that route takes no way round.
//! Step by step the same happens as on the way through the router, and a test compares the answers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::response::IntoResponse;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;

use crate::app::App;
use crate::keys::Scope;
use crate::limits::Places;
use crate::problem::Problem;
use crate::{auth, body, codes, headers, verify};

/// The route that goes straight.
pub(crate) const CHECK: &str = "/v1/sessions/verify";

/// How many bytes an answer mostly has at the most.
const ANSWER: usize = 2_048;

type Answer = Response<Either<Full<Bytes>, Body>>;

/// What answers the requests of a connection.
#[derive(Clone)]
pub(crate) struct Entrance(Arc<Inner>);

struct Inner {
    app: App,
    places: Places,
    router: TowerToHyperService<Router>,
}

impl Entrance {
    /// Checks take their places from the same `places` as what goes through `router`.
    pub(crate) fn new(app: App, places: Places, router: Router) -> Self {
        Self(Arc::new(Inner { app, places, router: TowerToHyperService::new(router) }))
    }
}

impl Service<Request<Incoming>> for Entrance {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        if request.method() == Method::POST && request.uri().path() == CHECK {
            Box::pin(async move { Ok(inner.check(request).await) })
        } else {
            let answer = inner.router.call(request);
            Box::pin(async move { answer.await.map(|answer| answer.map(Either::Right)) })
        }
    }
}

impl Inner {
    async fn check(&self, request: Request<Incoming>) -> Answer {
        let began = headers::began(&self.app);
        let mut answer = match self.answer(request).await {
            Ok(json) => {
                let mut answer = Response::new(Either::Left(Full::new(json.into())));
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answer
            }
            Err(problem) => problem.into_response().map(Either::Right),
        };
        headers::finish(&self.app, &mut answer, (&Method::POST, CHECK), began);
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Vec<u8>, Problem> {
        let _place = self.places.take()?;
        let began = self.app.sessions.running();
        let (head, body) = request.into_parts();
        auth::must_have(auth::caller(&self.app, &head.headers)?, Scope::Check)?;
        // Two times after one another and not one within the other: what need not wait sets no timer.
        let limits = self.app.limits;
        let asked = if limits.body < limits.request {
            body::json(&head.headers, body, limits.body).await?
        } else {
            self.places.within(Duration::ZERO, body::json(&head.headers, body, limits.body)).await??
        };
        let answer = self
            .places
            .within(self.app.sessions.running().saturating_sub(began), verify::decide(&self.app, asked))
            .await??;
        let mut json = Vec::with_capacity(ANSWER);
        serde_json::to_writer(&mut json, &answer)
            .map_err(|error| Problem::new(&codes::INTERNAL_ERROR, error.to_string()))?;
        Ok(json)
    }
}
