//! What a server is asked, whichever kind it is, and what its answers say.

use crate::client::{Answer, Ask, Client, Failure};
use crate::who::{Credential, Issued, Seen, Who};
use crate::{api, web};

/// How often what can be repeated without harm is tried.
const TRIES: usize = 3;

/// The way to ask.
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub(crate) enum Driver {
    Api(api::Api),
    Web(web::Web),
}

impl Driver {
    /// Begins a guest session; none where guests are not followed.
    pub(crate) fn guest(&self) -> Ask {
        match self {
            Self::Api(_) => api::create(None),
            Self::Web(web) => web.visit(),
        }
    }

    pub(crate) fn sign_in(&self, guest: Option<&Who>, number: u64) -> Ask {
        match self {
            Self::Api(api) => match guest {
                Some(guest) => api.sign_in(guest, number),
                None => api::create(Some(&api.user(number))),
            },
            Self::Web(web) => web.sign_in(number),
        }
    }

    pub(crate) fn check(&self, credential: &Credential) -> Ask {
        match self {
            Self::Api(_) => api::verify(credential),
            Self::Web(web) => web.who(credential),
        }
    }

    /// Sets the counter of a session, or makes another request where there is none.
    pub(crate) fn change(&self, who: &Who, count: u64) -> Ask {
        match self {
            Self::Api(_) => api::change(who, count),
            Self::Web(web) => web.request(who, count),
        }
    }

    pub(crate) fn end(&self, who: &Who) -> Ask {
        match self {
            Self::Api(_) => api::end(who),
            Self::Web(web) => web.sign_out(who),
        }
    }

    pub(crate) fn made_up(&self, text: String) -> Credential {
        match self {
            Self::Api(_) => Credential(format!("tn1_{text}")),
            Self::Web(web) => web.made_up(&text),
        }
    }

    /// How often something is tried that changes anything. An operation of Tenure's API that comes twice
    /// is done once; of a web application nobody knows.
    pub(crate) fn tries(&self) -> usize {
        match self {
            Self::Api(_) => TRIES,
            Self::Web(_) => 1,
        }
    }

    /// Whether guests have sessions that can be followed.
    pub(crate) fn follows_guests(&self) -> bool {
        matches!(self, Self::Api(_))
    }

    pub(crate) fn issued(&self, answer: &Answer, number: u64, guest: bool) -> Result<Issued, Failure> {
        match self {
            Self::Api(_) => api::issued(answer),
            Self::Web(web) => web.issued(answer, number, guest),
        }
    }

    /// `number` is none for somebody who is nobody.
    pub(crate) fn seen(
        &self,
        answer: &Answer,
        asked: &Credential,
        number: Option<u64>,
    ) -> Result<Seen, Failure> {
        match self {
            Self::Api(_) => api::seen(answer),
            Self::Web(web) => web.seen(answer, asked, number),
        }
    }

    /// What a change or another request of somebody was answered.
    pub(crate) fn changed(&self, answer: &Answer, asked: &Credential, count: u64) -> Result<Seen, Failure> {
        match self {
            Self::Api(_) => match answer.status {
                200 => Ok(Seen::Accepted { id: None, count: None, renewed: None }),
                404 | 410 => Ok(Seen::Refused),
                status => Err(Failure(format!("status {status}"))),
            },
            Self::Web(web) => web.answered(answer, asked, count),
        }
    }

    pub(crate) fn ended(&self, answer: &Answer) -> Result<(), Failure> {
        let fits = match self {
            Self::Api(_) => answer.status == 204,
            Self::Web(web) => web.has_signed_out(answer),
        };
        if fits { Ok(()) } else { Err(Failure(format!("status {}", answer.status))) }
    }
}

/// Asks at the servers in turn until one answers: three times at most, and only what can be
/// repeated without harm.
pub(crate) async fn ask(
    client: &Client,
    servers: impl Iterator<Item = &str>,
    ask: &Ask,
    tries: usize,
) -> (Result<Answer, Failure>, u64) {
    let mut last = Err(Failure("connection".into()));
    let mut retries = 0;
    for (try_, server) in servers.take(tries).enumerate() {
        retries = try_ as u64;
        last = client.ask(server, ask).await;
        match &last {
            Err(failure) if failure.may_pass() => {}
            _ => break,
        }
    }
    (last, retries)
}
