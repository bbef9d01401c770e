//! The servers there are, and which of them has what.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::Value;
use tenure::store::StoreError;
use tokio::sync::Mutex;

use crate::answer::text;
use crate::connect::{Settings, client, connect};
use crate::link::Link;
use crate::url::{Address, Kind, Target};

/// After the first failure, a server is left alone for this long; then for twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// It is left alone for no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for one of several that could say where the primaries are.
const LOOKING: Duration = Duration::from_secs(1);

/// All servers of a store.
pub(crate) struct Servers {
    target: Target,
    pub(crate) settings: Settings,
    routes: RwLock<Arc<Routes>>,
    /// The number of the last look that has begun.
    looks: AtomicU64,
    /// One look at a time; who waits for its turn is mostly served by the one before.
    looking: Mutex<Looked>,
    /// With whom the next look begins, so that one that is cut off is not asked each time.
    next: AtomicUsize,
}

/// The last look that is over, and how it went.
#[derive(Default)]
struct Looked {
    over: u64,
    went: Option<StoreError>,
}

/// Which primary has which slots.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) nodes: Vec<Arc<Node>>,
    /// First and last slot, and whose they are; everything is the first node's if there are none.
    ranges: Vec<(u16, u16, usize)>,
}

/// A primary, connected or not.
pub(crate) struct Node {
    address: Address,
    link: RwLock<Option<Arc<Link>>>,
    /// How often in a row it could not be reached. One tries at a time.
    failures: Mutex<u32>,
    left_alone: AtomicBool,
}

impl Routes {
    /// Whose a slot is.
    pub(crate) fn of(&self, slot: u16) -> Option<&Arc<Node>> {
        if self.ranges.is_empty() {
            return self.nodes.first();
        }
        let range = self.ranges.iter().find(|(from, to, _)| (*from..=*to).contains(&slot))?;
        self.nodes.get(range.2)
    }
}

impl Servers {
    pub(crate) fn new(target: Target, settings: Settings) -> Self {
        let routes = match &target.kind {
            Kind::Alone(address) => {
                Routes { nodes: vec![Arc::new(Node::at(address.clone()))], ranges: vec![] }
            }
            _ => Routes::default(),
        };
        let (looks, looking, next) = Default::default();
        Self { target, settings, routes: RwLock::new(Arc::new(routes)), looks, looking, next }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.target.is_cluster()
    }

    /// Whether a primary may be elsewhere after a while.
    pub(crate) fn moves(&self) -> bool {
        !matches!(self.target.kind, Kind::Alone(_))
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection to a primary.
    ///
    /// # Errors
    /// As [`Link::open`]; Unavailable while the server is left alone.
    pub(crate) async fn link(&self, node: &Arc<Node>) -> Result<Arc<Link>, StoreError> {
        if let Some(link) = node.live() {
            return Ok(link);
        }
        let mut failures = node.failures.lock().await;
        if let Some(link) = node.live() {
            return Ok(link);
        }
        if node.left_alone.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable(format!(
                "no connection to {}, which is tried again soon",
                node.address
            )));
        }
        match Link::open(&self.target, &node.address, &self.settings).await {
            Ok(link) => {
                let link = Arc::new(link);
                *failures = 0;
                node.set(Some(Arc::clone(&link)));
                tracing::debug!(server = %node.address, "connected");
                Ok(link)
            }
            Err(error) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << (*failures).min(10)).min(LONGEST_PAUSE);
                *failures += 1;
                tracing::warn!(server = %node.address, %error, "no connection");
                node.left_alone.store(true, Ordering::Relaxed);
                let node = Arc::clone(node);
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    node.left_alone.store(false, Ordering::Relaxed);
                });
                Err(error)
            }
        }
    }

    /// A connection to a server that a redirection named.
    ///
    /// # Errors
    /// As for [`link`](Self::link).
    pub(crate) async fn link_to(&self, address: &Address) -> Result<Arc<Link>, StoreError> {
        let routes = self.routes();
        match routes.nodes.iter().find(|node| node.address == *address) {
            Some(node) => self.link(node).await,
            None => Link::open(&self.target, address, &self.settings).await.map(Arc::new),
        }
    }

    /// Finds out anew where the primaries are, unless somebody did since `seen`.
    ///
    /// # Errors
    /// Unavailable when nobody says.
    pub(crate) async fn look(&self, seen: &Arc<Routes>) -> Result<(), StoreError> {
        // A look that begins from now on is good for this.
        let good = self.looks.load(Ordering::SeqCst) + 1;
        let mut turn = self.looking.lock().await;
        let now = self.routes();
        if !Arc::ptr_eq(&now, seen) && !now.nodes.is_empty() {
            return Ok(());
        }
        if turn.over < good {
            let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
            turn.went = self.find(&now).await.err();
            turn.over = look;
        }
        turn.went.clone().map_or(Ok(()), Err)
    }

    async fn find(&self, now: &Routes) -> Result<(), StoreError> {
        let found = match &self.target.kind {
            Kind::Alone(_) => return Ok(()),
            Kind::Sentinel { sentinels, service } => {
                let primary = self.ask_sentinels(sentinels, service).await?;
                vec![(0, u16::MAX, primary)]
            }
            Kind::Cluster { seeds } => {
                let known = now.nodes.iter().map(|node| node.address.clone());
                self.ask_cluster(known.chain(seeds.iter().cloned()).collect()).await?
            }
        };
        let mut places = HashMap::new();
        let mut routes = Routes::default();
        for (from, to, address) in found {
            let place = *places.entry(address.clone()).or_insert_with(|| {
                let known = now.nodes.iter().find(|node| node.address == address);
                routes.nodes.push(known.cloned().unwrap_or_else(|| Arc::new(Node::at(address))));
                routes.nodes.len() - 1
            });
            routes.ranges.push((from, to, place));
        }
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
        Ok(())
    }

    async fn ask_sentinels(&self, sentinels: &[Address], service: &str) -> Result<Address, StoreError> {
        let mut why = StoreError::Unavailable("no sentinel answers".into());
        for sentinel in self.in_turn(sentinels) {
            let login = self.settings.sentinel_login.as_deref();
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("get-master-addr-by-name").arg(service);
            match self.ask_one(self.target.sentinel(&sentinel, login)?, &sentinel, &ask).await {
                Ok(Value::Array(said)) => match said.as_slice() {
                    [host, port] => {
                        if let Ok(port) = text(Some(port)).parse() {
                            return Ok(Address { host: text(Some(host)).to_owned(), port });
                        }
                    }
                    _ => {
                        why = StoreError::Unavailable(format!(
                            "{sentinel} does not say which server is the primary"
                        ))
                    }
                },
                Ok(_) => {
                    why = StoreError::Unavailable(format!("{sentinel} does not know the service {service}"))
                }
                Err(StoreError::Configuration(said)) => {
                    why = StoreError::Configuration(format!(
                        "{said}; sentinels have a login of their own (in Rust: `Redis::sentinel_login`)"
                    ))
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    async fn ask_cluster(&self, known: Vec<Address>) -> Result<Vec<(u16, u16, Address)>, StoreError> {
        let mut why = StoreError::Unavailable("no server of the cluster answers".into());
        for server in self.in_turn(&known) {
            let mut ask = redis::cmd("CLUSTER");
            ask.arg("SLOTS");
            match self.ask_one(self.target.server(&server)?, &server, &ask).await {
                Ok(Value::Array(ranges)) if !ranges.is_empty() => {
                    return Ok(ranges.iter().filter_map(|range| slots(range, &server)).collect());
                }
                Ok(_) => why = StoreError::Unavailable(format!("{server} does not say who has which slots")),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn in_turn(&self, addresses: &[Address]) -> Vec<Address> {
        let mut addresses = addresses.to_vec();
        let by = self.next.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        addresses.rotate_left(by);
        addresses
    }

    async fn ask_one(
        &self,
        info: redis::ConnectionInfo,
        address: &Address,
        command: &redis::Cmd,
    ) -> Result<Value, StoreError> {
        let within = LOOKING.min(self.settings.timeout);
        let client = client(info, &self.settings)?;
        let mut connection = connect(&client, address, within, within).await?;
        let said = connection.send_packed_command(command).await;
        let said = said.map_err(|error| StoreError::Unavailable(crate::error::broken(address, &error)))?;
        match &said {
            Value::ServerError(error) => {
                let why = format!("{address} says {} {}", error.code(), error.details().unwrap_or_default());
                Err(match error.code() {
                    "NOPERM" | "NOAUTH" => StoreError::Configuration(why),
                    _ => StoreError::Unavailable(why),
                })
            }
            _ => Ok(said),
        }
    }

    /// Where one hears what is published, and how to connect there.
    ///
    /// # Errors
    /// Unavailable when no primary is known.
    pub(crate) fn listening(&self, slot: u16) -> Result<(redis::Client, Address), StoreError> {
        let unknown = || StoreError::Unavailable("no server of Redis is known".into());
        let address = self.routes().of(slot).map(|node| node.address.clone()).ok_or_else(unknown)?;
        Ok((client(self.target.server(&address)?, &self.settings)?, address))
    }

    /// Lets go of all connections.
    pub(crate) fn close(&self) {
        for node in &self.routes().nodes {
            node.set(None);
        }
    }
}

impl Node {
    fn at(address: Address) -> Self {
        Self {
            address,
            link: RwLock::default(),
            failures: Mutex::default(),
            left_alone: AtomicBool::new(false),
        }
    }

    /// Whether it is the one at this address.
    pub(crate) fn is_at(&self, address: &Address) -> bool {
        self.address == *address
    }

    fn live(&self) -> Option<Arc<Link>> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().filter(|link| !link.is_broken()).cloned()
    }

    fn set(&self, link: Option<Arc<Link>>) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

/// First and last slot and the primary, from what `CLUSTER SLOTS` says. An empty host is that of the
/// server that was asked.
fn slots(range: &Value, asked: &Address) -> Option<(u16, u16, Address)> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(from), Value::Int(to), Value::Array(primary), ..] = range.as_slice() else { return None };
    let host = match text(primary.first()) {
        "" | "?" => asked.host.clone(),
        host => host.to_owned(),
    };
    let Some(Value::Int(port)) = primary.get(1) else { return None };
    Some((
        u16::try_from(*from).ok()?,
        u16::try_from(*to).ok()?,
        Address { host, port: u16::try_from(*port).ok()? },
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn all_who_do_not_know_where_the_primary_is_share_one_question() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis-sentinel://{}/shop", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        // A sentinel that breaks off.
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let settings = Settings {
            timeout: Duration::from_secs(5),
            replicas: 0,
            replica_timeout: Duration::from_secs(1),
            bound: Duration::from_secs(1),
            authority: None,
            sentinel_login: None,
        };
        let servers = Servers::new(Target::parse(&url).unwrap(), settings);
        let routes = servers.routes();
        let all = futures_util::future::join_all((0..200).map(|_| servers.look(&routes))).await;
        assert!(all.iter().all(Result::is_err));
        let asked = asked.load(Ordering::SeqCst);
        assert!((1..=2).contains(&asked), "{asked} questions");
    }
}
