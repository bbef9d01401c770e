//! A run: requests begin when they are due.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::HeaderValue;
use tenure::clock::{Clock, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::chance::Chance;
use crate::client::Client;
use crate::drive::Driver;
use crate::live::Live;
use crate::people::People;
use crate::plan::{Kind, Settings};
use crate::record::Record;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::shared::Shared;
use crate::web::Web;
use crate::{LoadError, request};

/// How often is told how it goes.
const TELL: Duration = Duration::from_millis(500);

/// How long the one who begins requests sleeps before looking whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How many of the first sessions are made at once.
const AT_ONCE: usize = 8;

/// What is loaded.
///
/// # Example
/// ```
/// let target = tenure_load::Target::Api { key: "tnk_secret".into() };
/// assert!(!format!("{target:?}").contains("secret"));
/// ```
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Target {
    /// Tenure's API.
    Api {
        /// An API key with the scopes `check`, `issue` and `manage`.
        key: String,
    },
    /// A web application.
    Web(Scenario),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Api { .. } => f.write_str("Api"),
            Self::Web(scenario) => f.debug_tuple("Web").field(scenario).finish(),
        }
    }
}

/// Loads the servers until the duration is over or `stop` is ready, and tells `watch` how it goes
/// twice a second.
///
/// # Example
/// ```
/// use tenure_load::{LoadError, Settings, Target, run};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let settings = Settings::of(vec!["https://127.0.0.1:8700".into()]);
/// let target = Target::Api { key: String::new() };
/// let refused = run(settings, target, std::future::pending(), |_| {}).await;
/// assert!(matches!(refused, Err(LoadError::Settings(why)) if why.contains("https")));
/// # });
/// ```
///
/// # Errors
/// When the settings do not fit, or the first sessions cannot be made.
pub async fn run(
    settings: Settings,
    target: Target,
    stop: impl Future<Output = ()>,
    mut watch: impl FnMut(&Live),
) -> Result<Report, LoadError> {
    settings.check()?;
    let shared = Arc::new(shared(settings, target)?);
    let began_at = SystemClock.wall().to_string();
    let limit = Arc::new(Semaphore::new(shared.settings.outstanding));
    tokio::pin!(stop);
    let filling = fill(&shared);
    let filled = tokio::select! {
        filled = filling => filled.map(|()| true)?,
        () = &mut stop => false,
    };
    let start = shared.now();
    let whole = shared.settings.warm_up + shared.settings.duration;
    if !filled {
        shared.stop.store(true, Ordering::Relaxed);
    }
    let beginner = {
        let (shared, limit, handle) = (Arc::clone(&shared), Arc::clone(&limit), Handle::current());
        tokio::task::spawn_blocking(move || begin(&shared, &limit, &handle, start))
    };
    let mut over = std::pin::pin!(beginner);
    let mut stopped_early = !filled;
    let last = loop {
        tokio::select! {
            last = &mut over => break last.unwrap_or(start),
            () = &mut stop, if !stopped_early => {
                stopped_early = true;
                shared.stop.store(true, Ordering::Relaxed);
            }
            () = tokio::time::sleep(TELL) => watch(&live(&shared, &limit, start, whole)),
        }
    };
    // Each request has an end of its own, so this has one too.
    let all = u32::try_from(shared.settings.outstanding).unwrap_or(u32::MAX);
    limit.acquire_many(all).await.ok();
    watch(&live(&shared, &limit, start, whole));
    let counted = last.saturating_sub(start).saturating_sub(shared.settings.warm_up);
    Ok(report(&shared, began_at, stopped_early, counted))
}

fn shared(settings: Settings, target: Target) -> Result<Shared, LoadError> {
    let mut fresh = Chance::fresh();
    let run = fresh.text(8).replace(['-', '_'], "x");
    let (driver, key, accounts) = match target {
        Target::Api { key } => {
            let mut header = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
                .map_err(|_| LoadError::Settings("this is no API key".into()))?;
            header.set_sensitive(true);
            (Driver::Api(Api { run }), Some(header), None)
        }
        Target::Web(scenario) => {
            let accounts = scenario.people();
            (Driver::Web(Web { scenario, run }), None, accounts)
        }
    };
    let people = People::new(settings.population, accounts, driver.follows_guests());
    Ok(Shared {
        client: Client::new(key, settings.patience),
        people: Mutex::new(people),
        record: Mutex::new(Record::new(settings.duration)),
        turn: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        began: SystemClock.running(),
        driver,
        settings,
    })
}

/// Half of the population, so that there is somebody to ask for.
async fn fill(shared: &Arc<Shared>) -> Result<(), LoadError> {
    let wanted = shared.people().most().div_ceil(2);
    let mut chance = Chance::new(shared.settings.seed);
    let mut made = 0;
    while made < wanted {
        let some = AT_ONCE.min(wanted - made);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..some {
            let action = shared.people().action(Kind::SignIn, &mut chance);
            let shared = Arc::clone(shared);
            let mut own = Chance::fresh();
            tasks.spawn(async move { request::make(&shared, action, Duration::ZERO, &mut own).await });
        }
        while let Some(done) = tasks.join_next().await {
            if let Ok(Some(failure)) = done {
                return Err(LoadError::Unavailable(failure.0));
            }
        }
        made += some;
    }
    Ok(())
}

/// Begins each request when it is due: on a thread of its own, whose sleep is finer than the
/// runtime's millisecond. Gives the moment the last one was due.
fn begin(shared: &Arc<Shared>, limit: &Arc<Semaphore>, handle: &Handle, start: Duration) -> Duration {
    let settings = &shared.settings;
    let mut chance = Chance::new(settings.seed);
    let end = start + settings.warm_up + settings.duration;
    let mut due = start;
    loop {
        let gap = -(1.0 - chance.part()).ln() / settings.rate;
        due += Duration::from_secs_f64(gap);
        while !shared.stop.load(Ordering::Relaxed) {
            match due.min(end).saturating_sub(shared.now()) {
                Duration::ZERO => break,
                left => std::thread::sleep(left.min(LOOK)),
            }
        }
        if shared.stop.load(Ordering::Relaxed) {
            return shared.now().min(end);
        }
        if due >= end {
            return end;
        }
        let counts_at = (due - start).checked_sub(settings.warm_up);
        let permit = Arc::clone(limit).try_acquire_owned();
        if let Some(at) = counts_at {
            shared.record().intended(at, permit.is_err());
        }
        let kind = settings.mix.pick(chance.part());
        let Ok(permit) = permit else { continue };
        let action = shared.people().action(kind, &mut chance);
        let (shared, mut own) = (Arc::clone(shared), Chance::fresh());
        handle.spawn(async move {
            let kind = action.kind();
            let failure = request::make(&shared, action, counts_at.unwrap_or_default(), &mut own).await;
            if let Some(at) = counts_at {
                let latency = shared.now().saturating_sub(due);
                shared.record().done(kind, at, latency, failure.as_ref().map(|failure| &*failure.0));
            }
            drop(permit);
        });
    }
}

fn live(shared: &Shared, limit: &Semaphore, start: Duration, whole: Duration) -> Live {
    let elapsed = shared.now().saturating_sub(start).min(whole);
    let people = shared.people().len();
    let record = shared.record();
    let total = record.total();
    Live {
        phase: if elapsed < shared.settings.warm_up { "warm-up" } else { "load" },
        elapsed,
        whole,
        people,
        outstanding: shared.settings.outstanding.saturating_sub(limit.available_permits()),
        done: total.done,
        errors: total.errors,
        wrong: record.wrong_so_far(),
        missed: record.missed,
        p50_ms: total.p50_ms,
        p99_ms: total.p99_ms,
        max_ms: total.max_ms,
        p99s: record.p99s(),
    }
}

fn report(shared: &Shared, began_at: String, stopped_early: bool, counted: Duration) -> Report {
    let settings = &shared.settings;
    let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
    let told = BTreeMap::from([
        ("servers".to_owned(), settings.servers.join(" ")),
        ("rate".into(), format!("{} requests a second", settings.rate)),
        ("duration".into(), seconds(settings.duration)),
        ("warm-up".into(), seconds(settings.warm_up)),
        ("population".into(), format!("at most {}", shared.people().most())),
        ("requests at once".into(), format!("at most {}", settings.outstanding)),
        ("timeout".into(), seconds(settings.patience)),
        ("mix".into(), settings.mix.to_string()),
        ("bound".into(), seconds(settings.bound)),
        ("seed".into(), settings.seed.to_string()),
    ]);
    let record = shared.record();
    let (timeline, slot_seconds) = record.timeline();
    Report {
        format: 1,
        version: env!("CARGO_PKG_VERSION").into(),
        began_at,
        stopped_early,
        settings: told,
        seconds: counted.as_secs_f64(),
        intended: record.intended,
        missed: record.missed,
        total: record.total(),
        kinds: record.kinds(),
        errors: record.errors().clone(),
        wrong: record.wrongs().clone(),
        retries: record.retries,
        percentiles: record.percentiles(),
        timeline,
        slot_seconds,
    }
}
