//! P1 against everything that goes on at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, join_all};
use tenure::{Actor, Changes, Issued, Method, Sessions, SignIn, Verdict};

use crate::support::{
    CART, Call, Gate, MINUTE, Trouble, World, active, look, on_each_engine, revoked, role, said, sign_in,
    soaked, user, visit,
};

on_each_engine! {
    p1_a_slow_load_cannot_bring_an_ended_session_back_into_memory;
    p1_a_change_under_way_cannot_revive_an_ended_session;
    p1_after_the_end_no_task_is_ever_told_ok;
    p1_sign_ins_racing_with_disabling_leave_no_live_session;
}

/// A way to change a session, and the tokens that it gives.
type Change = (Call, fn(Sessions, Issued) -> BoxFuture<'static, Vec<String>>);

const CHANGES: [Change; 5] = [
    (Call::Change, |sessions, issued| {
        Box::pin(async move {
            let active = active(&sessions, issued.token.expose()).await;
            let changed = sessions.update(&active, CART, |cart| cart.push("late".into()));
            changed.await.ok();
            Vec::new()
        })
    }),
    (Call::Prepare, |sessions, issued| {
        Box::pin(async move {
            let active = active(&sessions, issued.token.expose()).await;
            tokens(sessions.rotate(&active, Actor::application(), None).await)
        })
    }),
    (Call::Confirm, |sessions, issued| {
        Box::pin(async move {
            let active = active(&sessions, issued.token.expose()).await;
            let next = tokens(sessions.rotate(&active, Actor::application(), None).await);
            look(&sessions, &next[0]).await;
            next
        })
    }),
    (Call::SetRoles, |sessions, _| {
        Box::pin(async move {
            let (ann, admin) = (user("ann"), [role("admin")]);
            let changed = sessions.set_roles(&ann, &admin, Actor::application());
            changed.await.unwrap();
            Vec::new()
        })
    }),
    (Call::Authenticate, |sessions, issued| {
        Box::pin(async move {
            let active = active(&sessions, issued.token.expose()).await;
            let proof = SignIn::with(user("ann"), vec![Method::new("totp").unwrap()]);
            tokens(sessions.step_up(&active, proof).await)
        })
    }),
];

fn tokens(issued: Result<Issued, tenure::Error>) -> Vec<String> {
    let token = issued.map(|issued| issued.token.expose().to_owned());
    token.into_iter().collect()
}

/// Ways to end the session, with the reason that each gives.
type End = (fn(Sessions, Issued) -> BoxFuture<'static, ()>, &'static str);

const ENDS: [End; 4] = [
    (
        |sessions, issued| {
            Box::pin(async move {
                sessions.end(issued.session.id(), revoked()).await.unwrap();
            })
        },
        "revoked",
    ),
    (
        |sessions, _| {
            Box::pin(async move {
                sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
            })
        },
        "revoked",
    ),
    (
        |sessions, _| {
            Box::pin(async move {
                sessions.disable(&user("ann"), Actor::application()).await.unwrap();
                sessions.enable(&user("ann"), Actor::application()).await.unwrap();
            })
        },
        "user_disabled",
    ),
    (
        |sessions, _| {
            Box::pin(async move {
                sign_in(&sessions, "ann").await;
            })
        },
        "session_limit",
    ),
];

async fn p1_a_slow_load_cannot_bring_an_ended_session_back_into_memory(mut world: World) {
    world.policy.max_sessions = 1;
    let sessions = world.open().await;
    for (end, reason) in ENDS {
        let issued = sign_in(&sessions, "ann").await;
        let token = issued.token.expose().to_owned();
        // The check has read the session when its end comes; what it read arrives later.
        let gate = Gate::shut();
        world.faults.once(Call::Load, Trouble::HeldAfter(gate.clone()));
        let slow = tokio::spawn({
            let (sessions, token) = (sessions.clone(), token.clone());
            async move { said(&sessions, &token).await }
        });
        gate.somebody_waits().await;
        end(sessions.clone(), issued).await;
        gate.open();
        slow.await.unwrap();
        assert_eq!(said(&sessions, &token).await, reason);
        sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    }
}

async fn p1_a_change_under_way_cannot_revive_an_ended_session(mut world: World) {
    world.policy.max_sessions = 1;
    let sessions = world.open().await;
    let held: [fn(Gate) -> Trouble; 2] = [Trouble::HeldBefore, Trouble::HeldAfter];
    for (call, change) in CHANGES {
        for (end, reason) in ENDS {
            for hold in held {
                let issued = sign_in(&sessions, "ann").await;
                let gate = Gate::shut();
                world.faults.once(call, hold(gate.clone()));
                let changing = tokio::spawn(change(sessions.clone(), issued.clone()));
                gate.somebody_waits().await;
                end(sessions.clone(), issued.clone()).await;
                let first = issued.token.expose();
                assert_eq!(said(&sessions, first).await, reason, "{call:?}");
                gate.open();
                let mut tokens = changing.await.unwrap();
                tokens.push(first.to_owned());
                for token in tokens {
                    assert_eq!(said(&sessions, &token).await, reason, "{call:?}");
                    assert_eq!(visit(&sessions, &token).await.as_str(), "inactive", "{call:?}");
                }
                sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
            }
        }
    }
}

/// Real threads check, change and rotate one session while it ends.
async fn p1_after_the_end_no_task_is_ever_told_ok(world: World) {
    for round in 0..soaked(40, 1_000) {
        let sessions = world.open().await;
        let issued = sign_in(&sessions, "ann").await;
        let ended = Arc::new(AtomicBool::new(false));
        let tasks = (0..6).map(|task| {
            let hammer = Hammer {
                sessions: sessions.clone(),
                token: issued.token.expose().to_owned(),
                ended: Arc::clone(&ended),
            };
            tokio::spawn(async move {
                match task {
                    0 => hammer.changes().await,
                    1 => hammer.rotates().await,
                    _ => hammer.checks().await,
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for _ in 0..round * 7 {
            tokio::task::yield_now().await;
        }
        let acknowledged = sessions.end(issued.session.id(), revoked()).await.unwrap();
        let ends = crate::support::ends(&sessions, issued.session.id()).await;
        assert!(acknowledged, "nobody else ends it: {ends:?}");
        ended.store(true, Ordering::SeqCst);
        for task in join_all(tasks).await {
            task.unwrap();
        }
        world.shut_down(sessions).await;
    }
}

struct Hammer {
    sessions: Sessions,
    token: String,
    ended: Arc<AtomicBool>,
}

impl Hammer {
    /// Checks until the session is over, and then a while longer.
    async fn checks(self) {
        let mut after = 0;
        while after < 50 {
            let was_over = self.ended.load(Ordering::SeqCst);
            let verdict = look(&self.sessions, &self.token).await;
            if was_over {
                after += 1;
                assert_eq!(verdict.as_str(), "inactive", "a check that began after the end was acknowledged");
            }
            tokio::task::yield_now().await;
        }
    }

    async fn changes(self) {
        while let Verdict::Ok(active) = look(&self.sessions, &self.token).await {
            let changes = Changes::default().set("cart", vec!["apple"].into());
            self.sessions.change(&active, changes).await.ok();
        }
    }

    async fn rotates(self) {
        let mut token = self.token.clone();
        while let Verdict::Ok(active) = look(&self.sessions, &token).await {
            if let Ok(next) = self.sessions.rotate(&active, Actor::application(), None).await {
                token = next.token.expose().to_owned();
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn p1_sign_ins_racing_with_disabling_leave_no_live_session(world: World) {
    let sessions = world.open().await;
    for round in 0..soaked(10, 300) {
        let name = format!("user-{round}");
        let guests = join_all((0..4).map(|_| crate::support::guest_with_cart(&sessions, &["apple"]))).await;
        let sign_ins: Vec<_> = guests
            .into_iter()
            .map(|guest| {
                let (sessions, name) = (sessions.clone(), name.clone());
                tokio::spawn(async move {
                    let verdict = look(&sessions, guest.token.expose()).await;
                    sessions.sign_in(Some(&verdict), SignIn::password(user(&name))).await
                })
            })
            .collect();
        for _ in 0..round * 11 {
            tokio::task::yield_now().await;
        }
        sessions.disable(&user(&name), Actor::application()).await.unwrap();
        let answers = join_all(sign_ins).await;
        assert!(sessions.list(&user(&name)).await.unwrap().is_empty());
        for issued in answers.into_iter().flat_map(Result::unwrap) {
            assert_ne!(said(&sessions, issued.token.expose()).await, "ok");
        }
        let refused = sessions.sign_in(None, SignIn::password(user(&name))).await;
        assert_eq!(refused.unwrap_err().code(), "user_disabled");
        world.clock.advance(MINUTE);
    }
}
