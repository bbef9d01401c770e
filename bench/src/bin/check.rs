//! A check from memory, token to verdict, on one core, against its floor: decoding the token,
//! SHA-256 of its secret, one lookup in a sharded map, one reading of the clock.

use std::hint::black_box;

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use tenure::clock::{Clock, SystemClock};
use tenure::{Check, Sessions, SignIn, UserId, Verdict};
use tenure_bench::hollow::HollowEngine;
use tenure_bench::rounds::{jumping, median, resident, time};
use tenure_bench::sharded::Sharded;

const TOKEN: usize = 96;
const ROUNDS: usize = 15;
const CHECKS: usize = 200_000;

#[derive(Default)]
struct Floor(Sharded<[u8; 32]>);

impl Floor {
    fn check(&self, token: &[u8]) -> bool {
        let mut raw = [0; 69];
        let Ok(69) = BASE64URL_NOPAD.decode_mut(&token[4..], &mut raw) else { return false };
        let id: [u8; 16] = raw[1..17].try_into().expect("16 bytes");
        let hash: [u8; 32] = Sha256::digest(&raw[21..53]).into();
        let known = self.0.get(&id);
        let now = SystemClock.running();
        known.is_some_and(|known| *known == hash) && !now.is_zero()
    }
}

async fn fill(sessions: &Sessions, count: usize) -> (Vec<u8>, Floor) {
    let mut tokens = Vec::with_capacity(count * TOKEN);
    let floor = Floor::default();
    for n in 0..count {
        let user = UserId::new(format!("u_{n}")).expect("a user id");
        let issued = sessions.sign_in(None, SignIn::password(user)).await.expect("signed in");
        let token = issued.token.expose().as_bytes();
        let verdict = sessions.check(token, &Check::signed_in()).await.expect("checked");
        assert!(matches!(verdict, Verdict::Ok(_)));
        tokens.extend_from_slice(token);
    }
    (tokens, floor)
}

fn fill_floor(floor: &Floor, tokens: &[u8]) {
    for token in tokens.chunks(TOKEN) {
        let raw = BASE64URL_NOPAD.decode(&token[4..]).expect("a token");
        let id: [u8; 16] = raw[1..17].try_into().expect("16 bytes");
        let hash: [u8; 32] = Sha256::digest(&raw[21..53]).into();
        floor.0.insert(id, hash);
    }
}

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).map(|n| n.parse().expect("a number")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for count in counts {
        let before = resident();
        let sessions = runtime
            .block_on(Sessions::builder(HollowEngine).cache_bytes(64 << 30).without_background().open())
            .expect("a hollow store");
        let (tokens, floor) = runtime.block_on(fill(&sessions, count));
        let each = (resident() - before) as f64 / count as f64 - TOKEN as f64;
        fill_floor(&floor, &tokens);
        let token = |at: usize| &tokens[at * TOKEN..(at + 1) * TOKEN];
        let check = Check::signed_in().touch(true);
        let (mut ours, mut floors) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (took, ()) = time(|| {
                for at in jumping(round, CHECKS, count) {
                    assert!(black_box(floor.check(token(at))));
                }
            });
            floors.push(took.as_nanos() as f64 / CHECKS as f64);
            let (took, ()) = time(|| {
                runtime.block_on(async {
                    for at in jumping(round, CHECKS, count) {
                        let verdict = sessions.check(token(at), &check).await;
                        assert!(matches!(black_box(verdict), Ok(Verdict::Ok(_))));
                    }
                });
            });
            ours.push(took.as_nanos() as f64 / CHECKS as f64);
        }
        let ratios: Vec<f64> = ours.iter().zip(&floors).map(|(ours, floor)| ours / floor).collect();
        let result = json!({
            "sessions": count,
            "check_ns": median(ours),
            "floor_ns": median(floors),
            "ratio": median(ratios),
            "bytes_each": each,
        });
        println!("{result}");
    }
}
