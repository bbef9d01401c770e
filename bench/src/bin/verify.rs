//! `POST /v1/sessions/verify` beside a bare hyper server that answers the same bytes to the same
//! request. Each server has one thread, and is asked over so many connections at once that it is
//! never idle; whoever asks does as little as can be.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tenure::random::SystemRandom;
use tenure::{Changes, Device, Memory, Sessions, SignIn, UserId};
use tenure_bench::rounds::median;
use tenure_server::{ApiKey, ApiKeys, KnownKey, Scope, Server, ServerOptions};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(700);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn main() {
    let only = std::env::args().nth(1);
    let (tenure, key, token) = serve_tenure();
    let request = request(&key, &token);
    let answer = one_answer(tenure.at, &request);
    let bare = serve_bare(&answer);
    let same = one_answer(bare.at, &request);
    assert_eq!(without_date(&same), without_date(&answer), "the bare server answers the same");
    // For a profile of one of them.
    if let Some(only) = only {
        let rate = ask(if only == "bare" { &bare } else { &tenure }, &request, answer.len(), 20 * ROUND);
        eprintln!("{:.0} a second, {:.2} µs each", rate.per_second, rate.micros);
        return;
    }
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let of = |server| ask(server, &request, answer.len(), ROUND);
        let (our, floor) = if round % 2 == 0 {
            let our = of(&tenure);
            (our, of(&bare))
        } else {
            let floor = of(&bare);
            (of(&tenure), floor)
        };
        // The first warms up.
        if round > 0 {
            ours.push(our);
            floors.push(floor);
        }
    }
    let both = || ours.iter().zip(&floors);
    let result = json!({
        "request_bytes": request.len(),
        "answer_bytes": answer.len(),
        "connections": CONNECTIONS,
        "per_second": median(ours.iter().map(|rate| rate.per_second).collect()),
        "bare_per_second": median(floors.iter().map(|rate| rate.per_second).collect()),
        "micros": median(ours.iter().map(|rate| rate.micros).collect()),
        "bare_micros": median(floors.iter().map(|rate| rate.micros).collect()),
        "ratio_per_second": median(both().map(|(our, bare)| our.per_second / bare.per_second).collect()),
        "ratio": median(both().map(|(our, bare)| bare.micros / our.micros).collect()),
    });
    println!("{result}");
}

/// A server's own thread.
fn on_a_thread<F: Future<Output = ()>>(
    name: &str,
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> Asked {
    let (tell, told) = std::sync::mpsc::channel();
    let work = move || {
        let runtime: Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let thread = Path::new("/proc").join(std::fs::read_link("/proc/thread-self").expect("Linux"));
            tell.send(Asked { at: listener.local_addr().expect("an address"), thread })
                .expect("somebody waits");
            serve(listener).await;
        });
    };
    std::thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
    told.recv().expect("the server listens")
}

/// The real thing, with one session of 300 bytes of data: its address, an API key, a token.
fn serve_tenure() -> (Asked, String, String) {
    let key = ApiKey::generate(&SystemRandom);
    let (tell, told) = std::sync::mpsc::channel();
    let secret = key.expose().to_owned();
    let at = on_a_thread("tenure", move |listener| async move {
        let sessions = Sessions::open(Memory).await.expect("sessions in memory");
        let sign_in = SignIn::password(UserId::new("u_8fa1").expect("a user id"))
            .data(Changes::default().set("cart", json!("x".repeat(294))))
            .device(Device::from_request(Some(FIREFOX), "203.0.113.7".parse().ok()));
        let issued = sessions.sign_in(None, sign_in).await.expect("signed in");
        tell.send(issued.token.expose().to_owned()).expect("somebody waits");
        let known = KnownKey::new(&key, "bench", sessions.realm().clone(), [Scope::Check], sessions.now());
        let options = ServerOptions { api_keys: ApiKeys::new([known]), ..ServerOptions::default() };
        let served = Server::new(sessions, options).run(listener, std::future::pending()).await;
        served.expect("the listener lasts");
    });
    (at, secret, told.recv().expect("a token"))
}

fn request(key: &str, token: &str) -> Vec<u8> {
    let body = json!({ "token": token }).to_string();
    format!(
        "POST /v1/sessions/verify HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads a request to its end, and gives an answer that was made before.
fn serve_bare(answer: &[u8]) -> Asked {
    let text = String::from_utf8(answer.to_vec()).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let own = |name: &str| matches!(name, "date" | "content-length");
    let headers =
        head.lines().skip(1).filter_map(|line| line.split_once(": ")).filter(|(name, _)| !own(name));
    let headers = headers.map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    });
    let (headers, body): (HeaderMap, _) = (headers.collect(), Bytes::from(body.to_owned()));
    on_a_thread("bare", move |listener| async move {
        let made = Arc::new((headers, body));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).ok();
            let made = Arc::clone(&made);
            let answer = service_fn(move |request: Request<Incoming>| {
                let made = Arc::clone(&made);
                async move {
                    request.into_body().collect().await.expect("the whole request");
                    let mut answer = Response::new(Full::new(made.1.clone()));
                    *answer.headers_mut() = made.0.clone();
                    Ok::<_, Infallible>(answer)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    })
}

fn one_answer(at: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(at);
    stream.write_all(request).expect("sent");
    let (mut answer, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut part).expect("received");
        assert!(read > 0, "the server hung up");
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
            assert!(head.starts_with("HTTP/1.1 200 ") && body.contains(r#""verdict":"ok""#), "{text}");
            return answer;
        }
    }
}

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

fn without_date(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let mut lines: Vec<String> =
        text.split("\r\n").filter(|line| !line.starts_with("date: ")).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Asks for `time` over all connections. Half of them have asked while the answers of the other
/// half are read, so that the server always has something to do, and whoever asks never looks for
/// who has an answer.
fn ask(server: &Asked, request: &[u8], answer: usize, time: Duration) -> Rate {
    let mut halves: [Vec<TcpStream>; 2] =
        std::array::from_fn(|_| (0..CONNECTIONS / 2).map(|_| connect(server.at)).collect());
    let mut buffer = vec![0; answer];
    let (began, worked, mut answers) = (Instant::now(), server.worked(), 0);
    for stream in halves.iter_mut().flatten() {
        stream.write_all(request).expect("sent");
    }
    let mut last = false;
    while !last {
        last = began.elapsed() >= time;
        for half in &mut halves {
            // The last that asked is answered last: whoever waits for it is woken once for all.
            for stream in half.iter_mut().rev() {
                stream.read_exact(&mut buffer).expect("answered");
                assert!(buffer.starts_with(b"HTTP/1.1 200 OK\r\n"), "another answer");
            }
            answers += half.len();
            for stream in half.iter_mut().filter(|_| !last) {
                stream.write_all(request).expect("sent");
            }
        }
    }
    let worked = server.worked() - worked;
    Rate {
        per_second: answers as f64 / began.elapsed().as_secs_f64(),
        micros: worked.as_secs_f64() * 1e6 / answers as f64,
    }
}

/// What came of asking.
struct Rate {
    /// Answers a second.
    per_second: f64,
    /// How long the server's thread worked for one.
    micros: f64,
}

/// A server that is asked.
struct Asked {
    at: SocketAddr,
    thread: PathBuf,
}

impl Asked {
    /// How long its thread has been on a processor.
    fn worked(&self) -> Duration {
        let text = std::fs::read_to_string(self.thread.join("schedstat")).expect("the kernel counts");
        let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds");
        Duration::from_nanos(nanos)
    }
}
