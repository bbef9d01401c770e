//! Tokens as an attacker collects them to guess the next: statistics over the secrets in them.
//! A false alarm of this whole file is less likely than one in a billion runs.

use std::collections::HashSet;

use data_encoding::BASE64URL_NOPAD;
use tenure::GuestPolicy;
use tenure::testing::TestKit;
use tenure::{Check, NewGuest, Policy, Sessions, SignIn, TOKEN_LEN};

/// Secrets of a megabyte in total.
const MEGABYTE: usize = 1 << 20;
const SECRET: usize = 32;
/// How far a value may be off, in standard deviations: normal values are further off once in
/// 24 billion.
const FAR: f64 = 6.6;
/// The same for each of 256 values at once.
const FAR_EACH: f64 = 7.2;

/// The secret in a token: `tn1_` + base64url(key number 1 ‖ session id 16 ‖ generation 4 ‖
/// secret 32 ‖ tag 16 bytes).
fn secret(token: &str) -> [u8; SECRET] {
    assert_eq!(token.len(), TOKEN_LEN);
    let raw = BASE64URL_NOPAD.decode(&token.as_bytes()[4..]).expect("base64url");
    raw[21..53].try_into().expect("32 bytes")
}

/// The secrets of new guests, one after the other.
async fn secrets_of_guests(sessions: &Sessions, count: usize) -> Vec<[u8; SECRET]> {
    let mut secrets = Vec::with_capacity(count);
    for _ in 0..count {
        let guest = sessions.create_guest(NewGuest::default()).await.expect("a guest gets in");
        secrets.push(secret(guest.token.expose()));
    }
    secrets
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("few enough"))
}

/// How many bits of these are ones.
fn ones(bytes: impl Iterator<Item = u8>) -> f64 {
    f64::from(bytes.map(u8::count_ones).sum::<u32>())
}

/// Ones and zeros are as frequent (NIST SP 800-22, 2.1), in standard deviations.
fn monobit(bytes: &[u8]) -> f64 {
    let n = number(bytes.len() * 8);
    (ones(bytes.iter().copied()) - n / 2.0).abs() / (n.sqrt() / 2.0)
}

/// As many runs of equal bits as there should be (NIST SP 800-22, 2.3), in standard deviations.
fn runs(bytes: &[u8]) -> f64 {
    let n = number(bytes.len() * 8);
    let share = ones(bytes.iter().copied()) / n;
    let within = ones(bytes.iter().map(|byte| (byte ^ (byte >> 1)) & 0x7f));
    let between = ones(bytes.windows(2).map(|pair| (pair[0] >> 7) ^ (pair[1] & 1)));
    let both = share * (1.0 - share);
    (1.0 + within + between - 2.0 * n * both).abs() / (2.0 * n.sqrt() * both)
}

/// All values of a byte are as frequent: Pearson's chi-square with 255 degrees of freedom, as a
/// normal value by Wilson and Hilferty. Too even is as bad as too uneven.
fn chi_square(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = f64::from(counts.iter().sum::<u32>()) / 256.0;
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let spread = 2.0 / (9.0 * 255.0);
    ((chi / 255.0).cbrt() - (1.0 - spread)).abs() / spread.sqrt()
}

/// The bit of a secret that is most one-sided over all secrets, in standard deviations.
fn most_fixed_bit(secrets: &[[u8; SECRET]]) -> f64 {
    let n = number(secrets.len());
    let off = (0..SECRET * 8).map(|bit| {
        let ones = ones(secrets.iter().map(|secret| secret[bit / 8] >> (bit % 8) & 1));
        (ones - n / 2.0).abs() / (n.sqrt() / 2.0)
    });
    off.fold(0.0, f64::max)
}

/// What is wrong with these bytes.
fn not_random(bytes: &[u8]) -> Vec<String> {
    let found = [("monobit", monobit(bytes)), ("runs", runs(bytes)), ("chi-square", chi_square(bytes))];
    let off = found.iter().filter(|(_, off)| off.is_nan() || *off > FAR);
    off.map(|(test, off)| format!("{test}: {off:.1} standard deviations off")).collect()
}

#[tokio::test]
async fn asvs_7_2_3_a_megabyte_of_secrets_looks_random() {
    let guest = GuestPolicy { new_per_minute: u32::MAX, ..GuestPolicy::default() };
    let kit = TestKit::with_policy(Policy { guest, ..Policy::default() }).await;
    let secrets = secrets_of_guests(&kit.sessions, MEGABYTE / SECRET).await;
    assert_eq!(not_random(secrets.as_flattened()), Vec::<String>::new());
    let off = most_fixed_bit(&secrets);
    assert!(off < FAR_EACH, "one bit of the secrets is {off:.1} standard deviations off");
    assert_eq!(secrets.iter().collect::<HashSet<_>>().len(), secrets.len());
}

/// Every bit of the secret moves: 256 of them, and none of what is fixed is counted.
#[tokio::test]
async fn cs_sm_2_every_bit_of_a_secret_moves_whatever_is_fixed_around_it() {
    let kit = TestKit::new().await;
    // One session that signs in again and again, so that its id gives no randomness away.
    let proof = || SignIn::password("u_1".parse().unwrap());
    let mut issued = kit.sessions.sign_in(None, proof()).await.unwrap();
    let (id, mut secrets) = (issued.session.id(), Vec::new());
    for _ in 0..128 {
        assert_eq!(issued.session.id(), id);
        secrets.push(secret(issued.token.expose()));
        let check = Check::any().touch(false);
        let verdict = kit.sessions.check(issued.token.expose().as_bytes(), &check).await.unwrap();
        issued = kit.sessions.sign_in(Some(&verdict), proof()).await.unwrap();
    }
    let ever =
        secrets.iter().fold([0; SECRET], |ever, secret| std::array::from_fn(|at| ever[at] | secret[at]));
    let always = secrets
        .iter()
        .fold([0xff; SECRET], |always, secret| std::array::from_fn(|at| always[at] & secret[at]));
    assert_eq!((ever, always), ([0xff; SECRET], [0; SECRET]), "a bit that is always the same");
    for pair in secrets.windows(2) {
        let moved: u32 = pair[0].iter().zip(&pair[1]).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert!((64..=192).contains(&moved), "{moved} of 256 bits differ from one secret to the next");
    }
}

/// Two processes that begin alike draw different secrets: nothing about them follows from the
/// time, a counter or a seed.
#[tokio::test]
async fn asvs_7_2_3_two_servers_that_begin_alike_draw_different_secrets() {
    let (one, other) = (TestKit::new().await, TestKit::new().await);
    let mut all = HashSet::new();
    for kit in [&one, &other] {
        all.extend(secrets_of_guests(&kit.sessions, 100).await);
    }
    assert_eq!(all.len(), 200);
}

#[test]
fn what_is_not_random_is_found() {
    let counting: Vec<u8> = (0..MEGABYTE).map(|at| at.to_le_bytes()[0]).collect();
    let texts: Vec<u8> = counting.iter().map(|byte| b"0123456789abcdef"[usize::from(byte % 16)]).collect();
    // Every bit that the generator of Knuth's MMIX gives below the highest ones is poor.
    let mut state = 1_u64;
    let poor: Vec<u8> = (0..MEGABYTE)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[0]
        })
        .collect();
    for bad in [vec![0; MEGABYTE], vec![0x55; MEGABYTE], counting, texts, poor] {
        assert_ne!(not_random(&bad), Vec::<String>::new(), "{:?}", &bad[..16]);
    }
}
