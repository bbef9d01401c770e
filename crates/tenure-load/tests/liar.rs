//! A server that lies or stalls is found out, and one that does not is left in peace.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tenure_load::{Report, Settings, Target, Threshold, compare, run};
use tokio::net::TcpListener;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    AcceptsEnded,
    AcceptsMadeUp,
    LosesChanges,
    RefusesHonest,
    StallsOnce,
}

#[derive(Default)]
struct Held {
    count: u64,
    ended: bool,
}

struct Liar {
    lie: Lie,
    sessions: Mutex<HashMap<String, Held>>,
    asked: AtomicU64,
    /// Held while the server stalls.
    gate: tokio::sync::RwLock<()>,
}

impl Liar {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.lie == Lie::StallsOnce && number == 300 {
            let _closed = self.gate.write().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let _open = self.gate.read().await;
        let mut sessions = self.sessions.lock().unwrap();
        let token = asked["token"].as_str().unwrap_or_default().to_owned();
        let id = parts.uri.path().rsplit('/').next().unwrap().to_owned();
        let (status, said) = match (&parts.method, id.as_str()) {
            (&Method::POST, "verify") => {
                let held = sessions.get(&token);
                let right = held.is_some_and(|held| !held.ended);
                let ok = match self.lie {
                    Lie::AcceptsEnded => held.is_some(),
                    Lie::AcceptsMadeUp => right || held.is_none(),
                    Lie::RefusesHonest => right && !number.is_multiple_of(50),
                    _ => right,
                };
                let count = held.map_or(0, |held| held.count);
                let session = json!({ "id": token, "data": { "load": count } });
                (200, json!({ "verdict": if ok { "ok" } else { "inactive" }, "session": session }))
            }
            (&Method::POST, _) => {
                if let Some(guest) = sessions.get_mut(&token) {
                    guest.ended = true;
                }
                let new = format!("s{number}");
                sessions.insert(new.clone(), Held::default());
                (201, json!({ "token": new, "session": { "id": new } }))
            }
            (&Method::PATCH, _) => {
                if self.lie != Lie::LosesChanges {
                    sessions.get_mut(&id).unwrap().count = asked["data"]["set"]["load"].as_u64().unwrap();
                }
                (200, json!({}))
            }
            _ => {
                sessions.get_mut(&id).unwrap().ended = true;
                (204, Value::Null)
            }
        };
        Response::builder().status(status).body(Full::new(Bytes::from(said.to_string()))).unwrap()
    }
}

async fn loaded(lie: Lie) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let liar = Arc::new(Liar {
        lie,
        sessions: Mutex::default(),
        asked: AtomicU64::new(0),
        gate: tokio::sync::RwLock::new(()),
    });
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let liar = Arc::clone(&liar);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| {
                    let liar = Arc::clone(&liar);
                    async move { Ok::<_, Infallible>(liar.answer(request).await) }
                });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    });
    let settings = Settings {
        rate: 400.0,
        duration: Duration::from_millis(1_500),
        warm_up: Duration::from_millis(100),
        population: 60,
        mix: "guest=5,sign-in=5,check=60,change=15,end=5,attack=5,ended=5".parse().unwrap(),
        ..Settings::of(vec![server])
    };
    let target = Target::Api { key: "tnk_of_the_test".into() };
    let report = run(settings, target, std::future::pending(), |_| {}).await.unwrap();
    serving.abort();
    report
}

fn names(report: &Report) -> Vec<String> {
    let json: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    json["wrong"].as_object().unwrap().keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_lie_is_named_and_honesty_is_not() {
    let honest = loaded(Lie::None).await;
    assert_eq!((honest.wrong(), honest.errors().0), (0, 0), "{}", honest.to_text());
    let (missed, intended) = honest.missed();
    assert_eq!(intended, honest.errors().1 + missed);
    assert!(intended > 300, "{intended}");
    for (lie, name) in [
        (Lie::AcceptsEnded, "an ended session was accepted"),
        (Lie::AcceptsMadeUp, "a made-up session was accepted"),
        (Lie::LosesChanges, "an acknowledged change was lost"),
        (Lie::RefusesHonest, "an honest user was refused"),
    ] {
        let report = loaded(lie).await;
        let found = names(&report);
        assert!(found.contains(&name.to_owned()), "{name}: {}", report.to_text());
        // A made-up token that is accepted belongs to no session of anybody's, so nothing else is wrong.
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!("wrong>0".parse::<Threshold>().unwrap().crossed_by(&report).is_some());
        assert!(compare(&honest, &report).is_worse());
        assert!(report.to_html().contains(name) && !report.to_html().contains("<script"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_shows_in_all_requests_that_were_due_meanwhile() {
    let stalled = loaded(Lie::StallsOnce).await;
    // 400 a second for 0.3 s are a fifth of the run: also p90 has to know.
    let slow = "p90>100ms".parse::<Threshold>().unwrap().crossed_by(&stalled);
    assert!(slow.is_some(), "{}", stalled.to_text());
    assert_eq!(stalled.wrong(), 0, "{}", stalled.to_text());
    let again = Report::from_json(&stalled.to_json().unwrap()).unwrap();
    assert_eq!(again.to_text(), stalled.to_text());
}
