//! A node whose road to the engine is cut.

use std::time::Duration;

use tenure::Blame;
use tenure::clock::{Clock, SystemClock};

use crate::support::{Kind, Place, Road, check, checked, logout, sign_in, user};

const BOUND: Duration = Duration::from_secs(1);

/// While it is cut off, another node ends the session. Nothing that begins later than the bound after
/// that is accepted; nobody is told that they are signed out; and once the road is mended, the end is
/// known.
async fn cut_off(kind: Kind) {
    let place = Place::of(kind);
    let road = Road::to(place.port()).await;
    let (here, there) = (place.node().await, place.node_by(road.port).await);
    let (ended, kept) = (sign_in(&here, "ann").await, sign_in(&here, "ben").await);
    for token in [&ended, &kept] {
        assert_eq!(check(&there, token).await.unwrap().as_str(), "ok");
    }
    road.cut();
    here.end_all_of(&user("ann"), None, logout()).await.unwrap();
    let acknowledged = SystemClock.running();
    let mut unknown = 0;
    while SystemClock.running() < acknowledged + 3 * BOUND {
        let began = SystemClock.running();
        match check(&there, &ended).await {
            Ok(verdict) => {
                assert_eq!(verdict.as_str(), "ok", "it cannot know");
                let late = began.saturating_sub(acknowledged);
                assert!(late < BOUND, "accepted {late:?} after the end was acknowledged");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => {
                assert_eq!(error.blame(), Blame::Store, "{error}");
                unknown += 1;
            }
        }
    }
    assert!(unknown > 0, "beyond the bound nothing is known");
    road.mend();
    assert_eq!(checked(&there, &ended).await.as_str(), "inactive");
    assert_eq!(checked(&there, &kept).await.as_str(), "ok", "nobody else is signed out");
    here.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_node_that_is_cut_off_accepts_nothing_beyond_the_bound_on_postgres() {
    cut_off(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_node_that_is_cut_off_accepts_nothing_beyond_the_bound_on_redis() {
    cut_off(Kind::Redis).await;
}
