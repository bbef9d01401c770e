//! What the log holds, and what it never holds.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::Method;
use common::{api, issued};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_and_no_key_is_ever_in_the_log() {
    let log = Log::default();
    let everything =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(everything).unwrap();
    let api = api().await;
    let mut secrets = vec![api.key.clone()];

    let (_, guest) = api.guest().await;
    let asked = json!({ "token": guest, "user": "u_private", "methods": ["password"] });
    let (id, token) = issued(&api.post("/v1/sessions/sign-in", asked).await.expect(200));
    let (_, next) = issued(&api.post("/v1/sessions/rotate", json!({ "token": token })).await.expect(200));
    api.verify(&next).await;
    api.kit.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(api.verify(&token).await["reason"], "token_reuse");
    api.post("/v1/sessions/verify", json!({ "token": next, "touch": guest })).await;
    api.patch(&id, None, json!({ "data": { "set": { "cart": "private-value" } } })).await;
    let mut stranger = api.request(Method::GET, "/v1/sessions?user=u_private", "");
    let wrong = format!("tnk_{}", "W".repeat(43));
    stranger.headers_mut().insert("authorization", format!("Bearer {wrong}").parse().unwrap());
    api.send(stranger).await.refused(401, "unauthorized");
    api.kit.sessions.close().await.unwrap();
    api.post("/v1/sessions/verify", json!({ "cookie": format!("__Host-sid={next}") })).await;

    secrets.extend([guest, token, next, wrong, "private-value".into(), "u_private".into()]);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a replaced token was presented"), "{text}");
    assert!(text.contains("store_unavailable") && text.contains("/v1/sessions/verify"), "{text}");
    for secret in secrets {
        let part = &secret[..secret.len().min(20)];
        assert!(!text.contains(part), "{part}… is in the log: {text}");
    }
}
