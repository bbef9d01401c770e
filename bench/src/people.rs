//! Those who sign in: each a user of its own, with a device and 300 bytes of data.

use std::sync::Arc;

use serde_json::json;
use tenure::{Changes, Device, Sessions, SignIn, TOKEN_LEN, UserId};
use tokio::task::JoinSet;

use crate::progress::Progress;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// 300 bytes of data, key and value.
pub fn data(n: usize) -> serde_json::Value {
    json!(format!("{n:0294}"))
}

/// What one of them brings.
pub fn sign_in(n: usize) -> SignIn {
    SignIn::password(UserId::new(format!("u_{n}")).expect("a user id"))
        .data(Changes::default().set("cart", data(n)))
        .device(Device::from_request(Some(FIREFOX), "203.0.113.7".parse().ok()))
}

/// The tokens of those who signed in. Clones share them.
#[derive(Clone)]
pub struct Tokens(Arc<Vec<u8>>);

impl Tokens {
    /// Signs so many in, `at_once` at the same time, so that they share commits.
    pub async fn of(sessions: &Sessions, count: usize, at_once: usize) -> Self {
        let mut tokens = vec![0; count * TOKEN_LEN];
        let (mut tasks, mut progress) = (JoinSet::new(), Progress::new("signing in", count));
        for n in 0..count {
            let sessions = sessions.clone();
            tasks.spawn(
                async move { (n, sessions.sign_in(None, sign_in(n)).await.expect("signed in").token) },
            );
            while tasks.len() >= at_once || (n + 1 == count && !tasks.is_empty()) {
                let (n, token) = tasks.join_next().await.expect("one is left").expect("no panic");
                tokens[n * TOKEN_LEN..][..TOKEN_LEN].copy_from_slice(token.expose().as_bytes());
            }
            progress.at(n + 1);
        }
        progress.done();
        Self(Arc::new(tokens))
    }

    pub fn get(&self, n: usize) -> &[u8] {
        &self.0[n * TOKEN_LEN..][..TOKEN_LEN]
    }

    pub fn count(&self) -> usize {
        self.0.len() / TOKEN_LEN
    }
}
