//! Some milliseconds of load on one application.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tenure_servers::Redis;
use tokio::task::JoinSet;

use super::connection::{Connection, request};
use super::server::Server;
use crate::apps::{App, Route};

/// Visitors of one application, signed in, on their connections.
pub struct Load {
    server: Server,
    route: Route,
    has_sessions: bool,
    lanes: Vec<Lane>,
}

/// What a slice has measured.
pub struct Slice {
    pub per_second: f64,
    /// Microseconds of the server's processor time for each request.
    pub processor_us: f64,
    /// The part of the time in which the server was at work on one core, or more than one.
    pub busy: f64,
}

/// A connection and the visitors who take turns on it.
struct Lane {
    connection: Connection,
    visitors: Vec<Visitor>,
    next: usize,
}

struct Visitor {
    user: String,
    cookie: String,
    /// How far they have counted.
    count: u64,
    request: Vec<u8>,
}

impl Load {
    /// Starts the application, over this Redis if it needs one, and signs the visitors in.
    pub async fn start(
        app: App,
        route: Route,
        core: Option<usize>,
        redis: Option<&Redis>,
        connections: usize,
        visitors_each: usize,
    ) -> Self {
        let server = Server::start(app, core, redis);
        let mut lanes = Vec::new();
        for at in 0..connections {
            let numbers = at * visitors_each..(at + 1) * visitors_each;
            let lane = Lane::open(server.address(), route, numbers).await;
            lanes.push(lane.unwrap_or_else(|error| panic!("{}: signing in: {error}", app.name())));
        }
        Self { server, route, has_sessions: app.has_sessions(), lanes }
    }

    /// Asks for so long, on all connections at once.
    pub async fn slice(&mut self, long: Duration) -> Slice {
        let (route, has_sessions) = (self.route, self.has_sessions);
        let used = self.server.processor_time();
        let start = Instant::now();
        let mut driven = JoinSet::new();
        for lane in self.lanes.drain(..) {
            driven.spawn(lane.drive(route, has_sessions, start + long));
        }
        let mut requests = 0;
        while let Some(done) = driven.join_next().await {
            let (lane, count) = done.expect("no panic");
            self.lanes.push(lane);
            requests += count;
        }
        let took = start.elapsed();
        let used = self.server.processor_time() - used;
        Slice {
            per_second: requests as f64 / took.as_secs_f64(),
            processor_us: used.as_secs_f64() * 1e6 / requests as f64,
            busy: used.as_secs_f64() / took.as_secs_f64(),
        }
    }
}

impl Lane {
    async fn open(to: SocketAddr, route: Route, numbers: std::ops::Range<usize>) -> std::io::Result<Self> {
        let mut connection = Connection::open(to).await?;
        let mut visitors = Vec::new();
        for number in numbers {
            let user = format!("user-{number:04}");
            let answer = connection.ask(&request("POST", &format!("/sign-in/{user}"), None)).await?;
            let cookie = answer.cookie.ok_or_else(|| std::io::Error::other("no cookie"))?.to_owned();
            visitors.push(Visitor::new(user, cookie, route));
        }
        Ok(Self { connection, visitors, next: 0 })
    }

    async fn drive(mut self, route: Route, has_sessions: bool, until: Instant) -> (Self, u64) {
        let mut requests = 0;
        while Instant::now() < until {
            self.next = (self.next + 1) % self.visitors.len();
            let visitor = &mut self.visitors[self.next];
            let answer = self.connection.ask(&visitor.request).await;
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", visitor.user));
            visitor.count += 1;
            if has_sessions {
                let right = match route {
                    Route::Read => answer.body == visitor.user,
                    Route::Count => answer.body.parse() == Ok(visitor.count),
                };
                assert!(right, "{} after {}: {}", visitor.user, visitor.count, answer.body);
            }
            if let Some(cookie) = answer.cookie.filter(|cookie| *cookie != visitor.cookie) {
                visitor.cookie = cookie.to_owned();
                visitor.request = visitor.asking(route);
            }
            requests += 1;
        }
        (self, requests)
    }
}

impl Visitor {
    fn new(user: String, cookie: String, route: Route) -> Self {
        let mut visitor = Self { user, cookie, count: 0, request: Vec::new() };
        visitor.request = visitor.asking(route);
        visitor
    }

    fn asking(&self, route: Route) -> Vec<u8> {
        request(route.method(), &format!("/{}", route.name()), Some(&self.cookie))
    }
}
