//! A primary of Redis that does not know that another has taken its place.

use std::time::Duration;

use tenure::clock::{Clock, SystemClock};
use tenure::{Blame, MasterKey, Sessions};
use tenure_redis::Redis;
use tenure_servers::{RedisSentinel, Signal};

use crate::support::{Road, answered, check, checked, logout, sign_in, user};

const BOUND: Duration = Duration::from_secs(1);

async fn node(url: String) -> Sessions {
    let key = MasterKey::from_hex(&"5a".repeat(32)).unwrap();
    let engine = Redis::at(url).master_key(key).replicas(1).timeout(Duration::from_millis(500));
    Sessions::builder(engine.replica_timeout(Duration::from_millis(200))).open().await.unwrap()
}

/// A primary stands still, sentinels put another in its place, and a session is ended there. Then the old
/// one goes on, cut off from sentinels and replicas, and so is one node, which reaches only that primary.
/// What it says of the session is an answer of before the end: nobody is to hear it.
#[tokio::test(flavor = "multi_thread")]
async fn p1_a_primary_that_was_replaced_is_not_believed_when_its_replicas_do_not_confirm_it() {
    let servers = RedisSentinel::start(2);
    let mut roads = Vec::new();
    for port in servers.ports() {
        roads.push(Road::to(port).await);
    }
    let ports: Vec<u16> = roads.iter().map(|road| road.port).collect();
    let (here, there) = (node(servers.url()).await, node(RedisSentinel::url_by(&ports)).await);
    let (ended, kept) = (sign_in(&here, "ann").await, sign_in(&here, "ben").await);
    for token in [&ended, &kept] {
        assert_eq!(check(&there, token).await.unwrap().as_str(), "ok");
    }
    let old = servers.primary();
    old.until("WAIT 2 1000", "2");
    roads.iter().for_each(Road::cut);
    old.signal(Signal::Stop);
    answered(async || here.end_all_of(&user("ann"), None, logout()).await).await;
    let acknowledged = SystemClock.running();
    assert_ne!(servers.primary().port(), old.port());
    // From here on nobody can tell the old primary, nor this node, that there is another.
    servers.signal_sentinels(Signal::Stop);
    old.signal(Signal::Continue);
    assert!(old.cli("ROLE").starts_with("master"), "it believes itself");
    let mut unknown = 0;
    while SystemClock.running() < acknowledged + 4 * BOUND {
        let began = SystemClock.running();
        match check(&there, &ended).await {
            Ok(verdict) => {
                assert_eq!(verdict.as_str(), "ok", "it cannot know");
                let late = began.saturating_sub(acknowledged);
                assert!(late < BOUND, "accepted {late:?} after the end was acknowledged");
            }
            Err(error) => {
                assert_eq!(error.blame(), Blame::Store, "{error}");
                unknown += 1;
            }
        }
        // What would be lost is not acknowledged either.
        let lost = there.sign_in(None, tenure::SignIn::password(user("eve"))).await;
        assert_eq!(lost.err().map(|error| error.blame()), Some(Blame::Store));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(unknown > 0, "beyond the bound nothing is known");
    servers.signal_sentinels(Signal::Continue);
    roads.iter().for_each(Road::mend);
    for (token, verdict) in [(&ended, "inactive"), (&kept, "ok")] {
        assert_eq!(checked(&there, token).await.as_str(), verdict);
    }
}
