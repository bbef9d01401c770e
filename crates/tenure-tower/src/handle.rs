//! The session of one request: read when it is first touched, written before the answer
//! leaves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use tenure::clock::Timestamp;
use tenure::{
    Active, Changes, Check, Device, Inactive, Issued, NewGuest, SetCookie, SignIn, Snapshot, Verdict,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::adopt::Foreign;
use crate::error::Error;
use crate::settings::Settings;

/// An answer that is this quick cannot overtake another that sets a cookie.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What the layer puts into the extensions of a request.
pub(crate) struct Handle {
    pub(crate) settings: Arc<Settings>,
    /// The `Cookie` header that it brought, and the others when there are several.
    cookie: Option<HeaderValue>,
    more_cookies: Vec<HeaderValue>,
    passive: bool,
    arrived_at: Timestamp,
    user_agent: Option<HeaderValue>,
    ip: Option<IpAddr>,
    /// A cookie of another system that visitors are taken over from.
    foreign: Option<Foreign>,
    /// Whether the request goes through a layer further outside too.
    pub(crate) has_outer: bool,
    brought_foreign: bool,
    state: Mutex<State>,
}

/// What became of the session during the request.
#[derive(Default)]
pub(crate) struct State {
    /// What the check said, once the session was touched.
    verdict: Option<Verdict>,
    /// Changes that are written before the answer leaves.
    pub(crate) changes: Changes,
    /// The cookie to set.
    cookie: Option<Cookie>,
    /// What became of the cookie of the other system.
    foreign: LedTo,
    /// Somebody looked at the session.
    looked_at: bool,
}

/// What a cookie of the other system led to. It is deleted only when it is used up: while it may
/// still be good for something, here or there, it is not ours to delete.
#[derive(Clone, Copy, Default, PartialEq)]
enum LedTo {
    /// Nothing: it was not asked about, is nobody's, or its bearer is not let in for now.
    #[default]
    Nothing,
    /// A session here.
    Session,
    /// A session that is over, or out of which its visitor has just signed.
    End,
}

/// A cookie to set.
#[derive(Clone)]
enum Cookie {
    /// The browser is to forget it: because it was asked to, or because it is dead.
    Forget { signed_out: bool },
    /// A token, rotated or of a session that began or was authenticated.
    Token(Box<Issued>),
}

/// What a request leaves to do for its answer.
pub(crate) struct Finished {
    /// Whether the answer depends on the session.
    pub(crate) looked_at: bool,
    /// Whether a user is signed in.
    pub(crate) signed_in: bool,
    /// The cookie to set.
    pub(crate) cookie: Option<SetCookie>,
    /// Whether to delete the cookie of the other system.
    pub(crate) clear_foreign: bool,
    /// Whether everything was written.
    pub(crate) saved: Result<(), Error>,
}

impl State {
    /// What is left to do, when nothing is to be written or set.
    fn finished_already(&self) -> Option<Finished> {
        // Whoever looked in vain has answered so.
        let nothing_to_set = self.verdict.is_none() || (self.cookie.is_none() && self.foreign != LedTo::End);
        (nothing_to_set && self.changes.is_empty()).then_some(Finished {
            looked_at: self.looked_at,
            signed_in: self.verdict.as_ref().is_some_and(is_signed_in),
            cookie: None,
            clear_foreign: false,
            saved: Ok(()),
        })
    }
}

impl Handle {
    pub(crate) fn new(settings: Arc<Settings>, parts: &Parts, has_outer: bool) -> Self {
        // Headers are shared, not copied: most requests need none of it as text.
        let mut cookies = parts.headers.get_all(http::header::COOKIE).iter().cloned();
        let found = settings.adopt.as_ref().map(|adopt| adopt.find(parts));
        let (foreign, brought_foreign) = found.unwrap_or_default();
        Self {
            cookie: cookies.next(),
            more_cookies: cookies.collect(),
            foreign,
            has_outer,
            brought_foreign,
            passive: (settings.passive)(parts),
            arrived_at: settings.sessions.now(),
            user_agent: parts.headers.get(http::header::USER_AGENT).cloned(),
            ip: (settings.client_ip)(parts),
            state: Mutex::default(),
            settings,
        }
    }

    pub(crate) fn cookie_name(&self) -> &str {
        self.settings.sessions.cookie().name()
    }

    /// The session as the request found it; checks its token the first time.
    pub(crate) async fn look(&self) -> Result<Look<'_>, Error> {
        let mut state = self.lock().await;
        state.looked_at = true;
        if state.verdict.is_none() {
            let verdict = match self.check().await? {
                Verdict::Inactive(inactive) if !inactive.keeps_cookie() => {
                    self.taken_over(inactive, &mut state).await?
                }
                verdict => verdict,
            };
            if let Some(issued) = verdict.active().and_then(Active::renewed) {
                state.cookie = Some(Cookie::Token(Box::new(issued.clone())));
            }
            if verdict.inactive().is_some_and(|inactive| inactive.forget) {
                state.cookie = Some(Cookie::Forget { signed_out: false });
            }
            state.verdict = Some(verdict);
        }
        Ok(Look { handle: self, state })
    }

    fn demands(&self) -> Check {
        Check::any().touch(!self.passive).can_set_cookie(true).arrived_at(self.arrived_at).ip(self.ip)
    }

    async fn check(&self) -> Result<Verdict, Error> {
        let headers = self.cookie.iter().chain(&self.more_cookies).map(HeaderValue::as_bytes);
        Ok(self.settings.sessions.check_cookie(headers, &self.demands()).await?)
    }

    /// What a cookie of another system is good for, if there is one and it leads anywhere.
    async fn taken_over(&self, inactive: Inactive, state: &mut State) -> Result<Verdict, Error> {
        let (Some(adopt), Some(foreign)) = (&self.settings.adopt, &self.foreign) else {
            return Ok(Verdict::Inactive(inactive));
        };
        let Some(adoption) = adopt.whose(foreign.clone()).await? else {
            return Ok(Verdict::Inactive(inactive));
        };
        let adoption = adoption.device(self.device());
        match self.settings.sessions.adopt(adopt.name(), adoption, &self.demands()).await? {
            Verdict::Inactive(over) => {
                if over.forget {
                    state.foreign = LedTo::End;
                }
                // Without a cookie of ours there is none to forget.
                let mut inactive = inactive;
                if !inactive.forget {
                    inactive.reason = over.reason;
                }
                Ok(Verdict::Inactive(inactive))
            }
            verdict => {
                state.foreign = LedTo::Session;
                Ok(verdict)
            }
        }
    }

    /// What is left to do, when nothing is to be written or set and no part of the handler is still
    /// at work with the session.
    pub(crate) fn finished_already(&self) -> Option<Finished> {
        self.state.try_lock().ok()?.finished_already()
    }

    /// Writes what waits and says what is left to do. A cookie that was to be set is set also
    /// when something else could not be written: its token may be the only good one.
    pub(crate) async fn finish(&self) -> Finished {
        if let Some(finished) = self.lock().await.finished_already() {
            return finished;
        }
        let (saved, signed_in) = match self.look().await {
            Ok(mut look) => (look.save().await, look.signed_in().is_ok()),
            Err(error) => (Err(error), false),
        };
        let (cookie, led_to) = {
            let state = self.lock().await;
            (state.cookie.clone(), state.foreign)
        };
        let cookie = self.to_set(cookie).await;
        let used_up = match led_to {
            LedTo::Nothing => false,
            // Its place is taken by the cookie of ours that goes out with this answer.
            LedTo::Session => cookie.is_some(),
            LedTo::End => true,
        };
        let clear_foreign = self.brought_foreign && used_up;
        Finished { looked_at: true, signed_in, cookie, clear_foreign, saved }
    }

    /// The header for `cookie`, unless its token was replaced while the handler was at work: a
    /// slow answer must not overwrite a newer cookie (promise P10).
    async fn to_set(&self, cookie: Option<Cookie>) -> Option<SetCookie> {
        match cookie? {
            // A newer answer may have set a new one meanwhile; the next request asks anew.
            Cookie::Forget { signed_out } => {
                let under_way = self.settings.sessions.now().since(self.arrived_at);
                (signed_out || under_way <= AT_ONCE).then(|| self.settings.sessions.cookie().clear())
            }
            Cookie::Token(issued) => {
                self.settings.sessions.may_hand_out(&issued).await.then_some(issued.set_cookie)
            }
        }
    }

    /// The state, at once unless another part of the handler has it.
    async fn lock(&self) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(state) => state,
            // Rare, so on the heap: the futures of handlers stay small.
            Err(_) => Box::pin(self.state.lock()).await,
        }
    }

    pub(crate) fn device(&self) -> Device {
        let user_agent = self.user_agent.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()));
        Device::from_request(user_agent.as_deref(), self.ip)
    }
}

fn is_signed_in(verdict: &Verdict) -> bool {
    verdict.active().is_some_and(|active| active.session().is_signed_in())
}

/// A session that was looked at, held for as long as something is done with it.
pub(crate) struct Look<'h> {
    handle: &'h Handle,
    pub(crate) state: MutexGuard<'h, State>,
}

impl Look<'_> {
    pub(crate) fn verdict(&self) -> &Verdict {
        self.state.verdict.as_ref().expect("looking at a session checks its token first")
    }

    pub(crate) fn active(&self) -> Option<&Active> {
        self.verdict().active()
    }

    /// The active session, signed in or guest.
    pub(crate) fn session(&self) -> Option<&Arc<Snapshot>> {
        self.active().map(Active::session)
    }

    /// The active session of a signed-in user.
    pub(crate) fn signed_in(&self) -> Result<&Active, Error> {
        if let Some(inactive) = self.verdict().inactive() {
            return Err(Error::NotSignedIn(inactive.reason));
        }
        let signed_in = self.active().filter(|active| active.session().is_signed_in());
        signed_in.ok_or(Error::NotSignedIn(tenure::Reason::NotAccepted))
    }

    /// The active session, or none for a visitor who may begin anew. That is not one whose token
    /// was replaced: their browser may hold the newer one already, which nothing may overwrite
    /// (promise P10).
    fn active_or_nobody(&self) -> Result<Option<&Active>, Error> {
        match self.verdict().inactive() {
            Some(inactive) if inactive.keeps_cookie() => Err(Error::NotSignedIn(inactive.reason)),
            _ => Ok(self.active()),
        }
    }

    /// The active session; a guest session begins when there is none.
    pub(crate) async fn active_or_guest(&mut self, data: Changes) -> Result<(Active, bool), Error> {
        if let Some(active) = self.active_or_nobody()? {
            return Ok((active.clone(), false));
        }
        let new = NewGuest::with(data).device(self.handle.device());
        let issued = self.handle.settings.sessions.create_guest(new).await?;
        self.adopt(issued).await?;
        let active =
            self.active().cloned().ok_or(tenure::Error::Bug("a guest that has just begun is not active"))?;
        Ok((active, true))
    }

    /// Goes on with a session whose token was just made.
    pub(crate) async fn adopt(&mut self, issued: Issued) -> Result<(), Error> {
        let token = issued.token.clone();
        self.state.cookie = Some(Cookie::Token(Box::new(issued)));
        let check = Check::any().touch(false);
        let verdict = self.handle.settings.sessions.check(token.expose().as_bytes(), &check).await?;
        self.state.verdict = Some(verdict);
        Ok(())
    }

    /// The session was changed: later readers see it as it is now.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        let Some(active) = self.active().cloned() else {
            return Ok(());
        };
        let refreshed = self.handle.settings.sessions.refresh(active).await?;
        self.state.verdict = Some(refreshed);
        Ok(())
    }

    /// Writes the changes that wait.
    pub(crate) async fn save(&mut self) -> Result<(), Error> {
        if self.state.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.state.changes);
        let (active, began) = self.active_or_guest(changes.clone()).await?;
        if !began {
            self.handle.settings.sessions.change(&active, changes).await?;
            self.refresh().await?;
        }
        Ok(())
    }

    pub(crate) async fn sign_in(&mut self, sign_in: SignIn) -> Result<(), Error> {
        // What a guest has done before goes along; without a guest it is written afterwards.
        if self.active().is_some() {
            self.save().await?;
        }
        let sign_in = sign_in.device(self.handle.device());
        let presented = self.state.verdict.clone();
        let issued = self.handle.settings.sessions.sign_in(presented.as_ref(), sign_in).await?;
        self.adopt(issued).await?;
        self.save().await
    }

    /// Ends the session; fine when there is none. A token that was replaced ends nothing, so its
    /// bearer is not told that they are out.
    pub(crate) async fn sign_out(&mut self) -> Result<(), Error> {
        if let Some(active) = self.active_or_nobody()? {
            self.handle.settings.sessions.sign_out(active).await?;
        }
        self.forget(tenure::EndReason::Logout.into()).await;
        Ok(())
    }

    /// The session is over, here and where it came from.
    pub(crate) async fn forget(&mut self, reason: tenure::Reason) {
        let Handle { settings, .. } = self.handle;
        if let Some(adopt) = settings.adopt.as_ref().filter(|adopt| adopt.forgets())
            && let Some(old_id) = self.session().and_then(|session| settings.sessions.adopted_from(session))
        {
            adopt.forgotten(old_id).await;
        }
        self.state.verdict = Some(Verdict::Inactive(Inactive::new(reason)));
        self.state.cookie = Some(Cookie::Forget { signed_out: true });
        // Whoever signs out is not to be let in again by what else they brought.
        self.state.foreign = LedTo::End;
        self.state.changes = Changes::default();
    }
}
