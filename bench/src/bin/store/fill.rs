//! Filling a store: everybody signs in, a fifth of them so that they expire first.

use std::time::Duration;

use tenure::{SessionId, Stricter, TOKEN_LEN};
use tenure_bench::people::sign_in;
use tenure_bench::progress::Progress;
use tokio::task::JoinSet;

use crate::home::Home;

/// How many sign in at the same time, so that they share commits.
const AT_ONCE: usize = 1_024;

/// Those that expire first do so in so many groups, an hour after the other.
pub(crate) const GROUPS: usize = 20;
pub(crate) const APART: Duration = Duration::from_secs(3_600);

/// Of the sessions that stay alive, so many are to be changed or checked.
const SAMPLE: usize = 400_000;

/// What is known of a store that was filled.
pub(crate) struct Filled {
    /// How many sessions expire first.
    pub(crate) expiring: usize,
    /// Tokens of sessions that stay alive, spread over all of them.
    tokens: Vec<u8>,
    /// Other sessions that stay alive, spread in the same way.
    pub(crate) ids: Vec<SessionId>,
    pub(crate) per_second: f64,
}

impl Filled {
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.len() / TOKEN_LEN
    }

    pub(crate) fn token(&self, at: usize) -> &[u8] {
        &self.tokens[at * TOKEN_LEN..(at + 1) * TOKEN_LEN]
    }
}

pub(crate) async fn fill(home: &Home, sessions: usize) -> Filled {
    let open = home.open().await;
    let into = open.sessions(1 << 20).await;
    let expiring = sessions / 5;
    let every = (sessions - expiring).div_ceil(SAMPLE);
    let mut filled = Filled { expiring, tokens: Vec::new(), ids: Vec::new(), per_second: 0.0 };
    let (mut tasks, mut progress) = (JoinSet::new(), Progress::new("signing in", sessions));
    for n in 0..sessions {
        let group = n * GROUPS / expiring;
        let idle_seconds = (group < GROUPS).then(|| (group as u64 + 1) * APART.as_secs());
        let sign_in = sign_in(n).stricter(Stricter { idle_seconds, ..Stricter::default() });
        let (into, kept) = (into.clone(), n >= expiring && n.is_multiple_of(every));
        tasks.spawn(async move {
            let issued = into.sign_in(None, sign_in).await.expect("signed in");
            kept.then(|| (n, issued.session.id(), issued.token))
        });
        while tasks.len() >= AT_ONCE || (n + 1 == sessions && !tasks.is_empty()) {
            if let Some((n, id, token)) = tasks.join_next().await.expect("one is left").expect("no panic") {
                if n / every % 2 == 0 {
                    filled.ids.push(id);
                } else {
                    filled.tokens.extend_from_slice(token.expose().as_bytes());
                }
            }
        }
        progress.at(n + 1);
    }
    open.store.close().await;
    filled.per_second = progress.done();
    filled
}
