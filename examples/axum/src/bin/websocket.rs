//! A WebSocket that closes when its session ends: signed out, revoked from another device, or
//! timed out.
//!
//! ```console
//! cargo run -p tenure-examples --bin websocket
//! ```
//!
//! Then open <http://127.0.0.1:8712> in two tabs, and sign out in one of them.

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use tenure_tower::tenure::Error;
use tenure_tower::{Memory, Reason, Session, SessionLayer, Sessions, SignIn, SignedIn, UserId};
use tokio::select;
use tower_http::csrf::CsrfLayer;

/// The close code of RFC 6455 (§7.4.1) for "not allowed any more".
const POLICY: u16 = 1008;

/// The close code for "try again later".
const TRY_AGAIN_LATER: u16 = 1013;

fn app(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/live", any(live))
        .layer(SessionLayer::new(sessions))
        .layer(CsrfLayer::new())
}

/// Here everybody may in.
async fn sign_in(s: Session) -> Result<Redirect, tenure_tower::Error> {
    s.sign_in(SignIn::password(UserId::new("u_1")?)).await?;
    Ok(Redirect::to("/"))
}

async fn sign_out(s: Session) -> Result<Redirect, tenure_tower::Error> {
    s.sign_out().await?;
    Ok(Redirect::to("/"))
}

/// The upgrade is a request like any other: it needs a session. `ended` outlives it.
async fn live(
    me: SignedIn,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, tenure_tower::Error> {
    if is_foreign(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let ended = me.session().ended().await?;
    Ok(upgrade.max_message_size(64 * 1024).on_upgrade(|socket| converse(socket, ended)))
}

/// Whether a page of another origin asks. A socket is opened by GET, which the layer against
/// forged forms lets through.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else { return false };
    origin.split_once("://").map(|(_, host)| host) != text(HOST)
}

/// An open socket is no activity: somebody who only listens is signed out when the idle limit
/// comes, and the socket closes.
async fn converse(mut socket: WebSocket, ended: impl Future<Output = Result<Reason, Error>>) {
    let mut ended = std::pin::pin!(ended);
    loop {
        select! {
            why = &mut ended => {
                let (code, reason) = match why {
                    Ok(reason) => (POLICY, reason.to_string()),
                    Err(_) => (TRY_AGAIN_LATER, "unavailable".into()),
                };
                socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await.ok();
                return;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let said = Message::Text(format!("you said {text}").into());
                    if socket.send(said).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

const PAGE: &str = r#"<form method="post"><button formaction="/sign-in">Sign in</button>
  <button formaction="/sign-out">Sign out</button></form>
<p id="state">…</p>
<script>
  const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
  const say = (text) => { document.getElementById("state").textContent = text; };
  socket.onopen = () => say("connected");
  socket.onclose = (event) => say(`closed: ${event.reason || event.code}`);
</script>"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::open(Memory).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8712").await?;
    eprintln!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(&sessions)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{SinkExt, StreamExt};
    use tenure_tower::tenure::Ending;
    use tenure_tower::tenure::testing::TestKit;
    use tenure_tower::{Actor, EndReason};
    use tokio::net::TcpListener;
    use tokio_tungstenite::connect_async;
    use tokio_tungstenite::tungstenite;
    use tungstenite::client::IntoClientRequest;

    use super::*;

    type Client =
        tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

    async fn connect(kit: &TestKit, cookie: &str) -> Result<Client, tungstenite::Error> {
        connect_from(kit, cookie, None).await
    }

    async fn connect_from(
        kit: &TestKit,
        cookie: &str,
        origin: Option<&str>,
    ) -> Result<Client, tungstenite::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}/live", listener.local_addr().unwrap());
        let app = app(&kit.sessions);
        tokio::spawn(async { axum::serve(listener, app).await });
        let mut request = address.into_client_request().unwrap();
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        origin.map(|origin| request.headers_mut().insert(ORIGIN, origin.parse().unwrap()));
        Ok(connect_async(request).await?.0)
    }

    /// The word with which the server closes.
    async fn closed(client: &mut Client) -> String {
        loop {
            match client.next().await.expect("a close frame first").unwrap() {
                tungstenite::Message::Close(frame) => return frame.unwrap().reason.to_string(),
                other => assert!(!other.is_close()),
            }
        }
    }

    #[tokio::test]
    async fn it_answers_until_the_session_is_revoked() {
        let kit = TestKit::new().await;
        let cookie = kit.sign_in_as("u_1").await;
        let mut client = connect(&kit, &cookie).await.unwrap();
        client.send("hello".into()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "you said hello");
        let ending = Ending::new(EndReason::Revoked, Actor::application());
        kit.sessions.end_all_of(&UserId::new("u_1").unwrap(), None, ending).await.unwrap();
        assert_eq!(closed(&mut client).await, "revoked");
    }

    #[tokio::test]
    async fn it_closes_when_the_session_times_out() {
        let kit = TestKit::new().await;
        let cookie = kit.sign_in_as("u_1").await;
        let mut client = connect(&kit, &cookie).await.unwrap();
        kit.advance(Duration::from_secs(31 * 60)).await;
        assert_eq!(closed(&mut client).await, "idle_timeout");
    }

    #[tokio::test]
    async fn nobody_connects_without_a_session_or_from_another_site() {
        let kit = TestKit::new().await;
        let cookie = kit.sign_in_as("u_1").await;
        for (cookie, origin, status) in [("", None, 401), (&*cookie, Some("https://evil.example"), 403)] {
            let error = connect_from(&kit, cookie, origin).await.unwrap_err();
            let tungstenite::Error::Http(answer) = error else { panic!("{error}") };
            assert_eq!(answer.status(), status);
        }
    }
}
