//! What the server takes at the most, so that no client can wear it out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::codes;
use crate::problem::Problem;

/// How large a request's body may be.
pub const MAX_BODY: usize = 64 * 1024;

/// What the server takes at the most. The defaults suit one busy machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are open at once; further ones wait in the system's queue.
    pub connections: usize,
    /// How many requests are worked on at once; beyond, the answer is 503.
    pub requests: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// How long a request may take in all.
    pub request: Duration,
    /// How long requests that are under way get to finish when the server stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            requests: 512,
            head: Duration::from_secs(30),
            body: Duration::from_secs(5),
            request: Duration::from_secs(7),
            stop: Duration::from_secs(8),
        }
    }
}

/// The places for requests that are worked on at once.
#[derive(Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    limits: Limits,
}

impl Places {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { free: Arc::new(Semaphore::new(limits.requests)), limits }
    }

    /// A place for a request, if there is one.
    pub(crate) fn take(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.free.try_acquire().map_err(|_| {
            let detail = format!("{} requests are under way, which is the limit", self.limits.requests);
            Problem::new(&codes::OVERLOADED, detail)
        })
    }

    /// Works on a request that began so long ago, for as long as it may still take.
    pub(crate) async fn within<T>(
        &self,
        began: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        let limit = self.limits.request;
        tokio::time::timeout(limit.saturating_sub(began), work).await.map_err(|_| {
            let detail = format!("a request has {} s in all", limit.as_secs_f32());
            Problem::new(&codes::REQUEST_TIMEOUT, detail)
        })
    }
}

/// Bounds how many requests there are at once and how long each takes. What a request has
/// begun to change goes on to its end also when its answer comes too late.
pub(crate) async fn bound(State(places): State<Places>, request: Request, next: Next) -> Response {
    let _place = match places.take() {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    places.within(Duration::ZERO, next.run(request)).await.unwrap_or_else(IntoResponse::into_response)
}
