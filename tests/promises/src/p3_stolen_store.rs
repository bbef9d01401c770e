//! P3: whoever holds a full copy of the store, and the source code, cannot use a session.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use tenure::record::Record;
use tenure::{Actor, Changes, Check, Device, IdempotencyKey, MasterKey, NewGuest, Sessions, SignIn, Verdict};
use tenure_embedded::{AfterRestore, Embedded};

use crate::support::{
    HOUR, MINUTE, Parts, Seen, World, active, hash, look, master_key, on_each_engine, revoked, said, user,
    visit,
};

on_each_engine! {
    p3_cs_sm_3_nothing_secret_or_personal_passes_to_the_store_in_clear;
    p3_a_copy_of_the_store_presents_no_session;
    p3_a_copy_of_the_store_follows_no_session_through_its_rotations;
    p3_a_token_of_the_past_and_a_copy_of_the_store_give_no_token_of_today;
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) needle-of-a-user-agent Firefox/140.0";
const IP: &str = "203.0.113.77";
const VALUE: &str = "needle-of-a-value";
const IDEMPOTENCY_KEY: &str = "needle-of-an-idempotency-key";

/// A day in a shop: tokens of every kind are made, used, replaced and dead.
async fn busy_day(world: &World, sessions: &Sessions) -> Vec<String> {
    let device = Device::from_request(Some(AGENT), IP.parse::<IpAddr>().ok());
    let data = Changes::default().set("note", VALUE.into());
    let key = || Some(IdempotencyKey::new(IDEMPOTENCY_KEY).unwrap());
    let new = NewGuest::with(data).device(device.clone()).idempotency_key(key());
    let guest = sessions.create_guest(new).await.unwrap();
    let mut tokens = vec![guest.token.expose().to_owned()];

    let verdict = look(sessions, &tokens[0]).await;
    let ann = || SignIn::password(user("ann")).device(device.clone()).idempotency_key(key());
    let issued = sessions.sign_in(Some(&verdict), ann()).await.unwrap();
    tokens.push(issued.token.expose().to_owned());
    let holder = active(sessions, &tokens[1]).await;
    sessions.change(&holder, Changes::default().set("more", VALUE.into())).await.unwrap();
    for _ in 0..3 {
        world.clock.advance(16 * MINUTE);
        let Verdict::Ok(holder) = visit(sessions, tokens.last().unwrap()).await else { panic!("alive") };
        if let Some(renewed) = holder.renewed() {
            tokens.push(renewed.token.expose().to_owned());
            visit(sessions, tokens.last().unwrap()).await;
        }
    }
    let holder = active(sessions, tokens.last().unwrap()).await;
    let stepped = sessions.step_up(&holder, ann()).await.unwrap();
    tokens.push(stepped.token.expose().to_owned());
    let over = sessions.sign_in(None, SignIn::password(user("bob")).device(device)).await.unwrap();
    tokens.push(over.token.expose().to_owned());
    sessions.end(over.session.id(), revoked()).await.unwrap();

    // At the end of the day a token waits for its first use, its secret sealed in the store.
    world.clock.advance(MINUTE);
    let holder = active(sessions, stepped.token.expose()).await;
    let next = sessions.rotate(&holder, Actor::application(), key()).await.unwrap();
    tokens.push(next.token.expose().to_owned());
    sessions.maintain().await.unwrap();
    tokens
}

/// Everything that must not be found, under its name.
fn needles(tokens: &[String]) -> BTreeMap<String, Vec<u8>> {
    let mut needles = BTreeMap::new();
    for (n, token) in tokens.iter().enumerate() {
        let parts = Parts::of(token);
        needles.insert(format!("secret {n}"), parts.secret.to_vec());
        needles.insert(format!("tag {n}"), parts.tag.to_vec());
        needles.insert(format!("token {n}"), token.as_bytes()[70..].to_vec());
    }
    needles.insert("master key".into(), HEXLOWER.decode(master_key().to_hex().as_bytes()).unwrap());
    for purpose in ["tag/1", "route", "successor", "data/1", "receipt"] {
        needles.insert(format!("key for {purpose}"), master_key().derive(purpose).to_vec());
    }
    for text in ["needle-of-a-user-agent", IP, VALUE, IDEMPOTENCY_KEY] {
        needles.insert(text.into(), text.as_bytes().to_vec());
    }
    needles
}

/// Looks for each needle, raw and in the encodings that people use.
fn assert_absent(needles: &BTreeMap<String, Vec<u8>>, haystack: &[u8], place: &str) {
    for (name, raw) in needles {
        let texts = [HEXLOWER.encode(raw), HEXUPPER.encode(raw)].into_iter().map(String::into_bytes);
        // Base64 of something that stands within something else begins at any of three places.
        let shifted = (0..3).flat_map(|shift| {
            let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(raw.iter().copied()).collect();
            [BASE64.encode(&padded), BASE64URL_NOPAD.encode(&padded)].map(|text| {
                let end = text.len().saturating_sub(4);
                text.as_bytes()[4..end].to_vec()
            })
        });
        for form in texts.chain(shifted).chain([raw.clone()]) {
            let found = memchr::memmem::find(haystack, &form).is_some();
            assert!(!found, "{name} is in {place}");
        }
    }
}

/// The bytes without long rows of zeros, which hide nothing and take long to search.
fn without_gaps(bytes: &[u8]) -> Vec<u8> {
    let is_gap = |chunk: &[u8]| chunk.iter().all(|byte| *byte == 0);
    bytes
        .chunk_by(|a, b| (*a == 0) == (*b == 0))
        .filter(|run| run.len() < 64 || !is_gap(run))
        .flatten()
        .copied()
        .collect()
}

fn copy_of(folder: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

async fn p3_cs_sm_3_nothing_secret_or_personal_passes_to_the_store_in_clear(world: World) {
    let seen = Seen::from_now(&world.faults);
    let sessions = world.open().await;
    let tokens = busy_day(&world, &sessions).await;
    assert!(tokens.len() >= 6);
    let needles = needles(&tokens);
    let passed = seen.all();
    assert!(passed.len() > 20);
    for bytes in &passed {
        assert_absent(&needles, bytes, "what passes to the store");
    }
    // The search finds what is there: hashes, and the id.
    let everything = passed.concat();
    let known = BTreeMap::from([("hash".to_owned(), hash(&Parts::of(&tokens[1]).secret).to_vec())]);
    let found = std::panic::catch_unwind(|| assert_absent(&known, &everything, "it"));
    assert!(found.is_err(), "the hash is what the store holds");

    if let Some(folder) = world.folder() {
        let files = |folder: &Path| -> Vec<PathBuf> {
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|p| p.is_file()).collect()
        };
        for running in [true, false] {
            if !running {
                world.shut_down(sessions.clone()).await;
            }
            assert!(!files(&folder).is_empty());
            for file in files(&folder) {
                let bytes = without_gaps(&fs::read(&file).unwrap());
                assert_absent(&needles, &bytes, &file.display().to_string());
            }
        }
        assert!(!folder.join("master.key").exists());
    }
}

/// All records that passed, as a thief of the store has them: for each token the last.
fn dump(seen: &Seen) -> Vec<Record> {
    let mut records = seen.records();
    records.reverse();
    let mut met = std::collections::HashSet::new();
    records.retain(|r| met.insert((r.id, r.secrets.generation, r.secrets.successor.is_some())));
    records
}

/// What somebody can try with what a store holds: every stored byte string in place of the
/// secret, every generation near, and every tag they can think of.
fn attempts(records: &[Record], keys: &[MasterKey]) -> Vec<String> {
    let mut tokens = Vec::new();
    for record in records {
        let secrets = &record.secrets;
        let mut guesses = vec![[0; 32], *secrets.hash.as_bytes(), hash(secrets.hash.as_bytes())];
        guesses.extend(secrets.superseded.iter().map(|old| *old.hash.as_bytes()));
        if let Some(successor) = &secrets.successor {
            guesses.push(*successor.hash.as_bytes());
            guesses.extend(successor.sealed.windows(32).map(|window| <[u8; 32]>::try_from(window).unwrap()));
        }
        for generation in secrets.generation..=secrets.generation + 1 {
            for guess in &guesses {
                for key in keys {
                    tokens.push(Parts::forged(key, record.id, generation, *guess).token());
                }
                let mut parts = Parts::forged(&keys[0], record.id, generation, *guess);
                for tag in [[0; 16], parts.tag_by(&[]), parts.tag_by(&[0; 32]), parts.tag_by(guess)] {
                    parts.tag = tag;
                    tokens.push(parts.token());
                }
            }
        }
    }
    tokens
}

async fn p3_a_copy_of_the_store_presents_no_session(world: World) {
    let seen = Seen::from_now(&world.faults);
    let sessions = world.open().await;
    let tokens = busy_day(&world, &sessions).await;
    let live = tokens.last().unwrap();
    // Forging works for who has the key and the secret: the test knows the form.
    let real = Parts::of(live);
    let id = tenure::SessionId::from_bytes(real.id);
    assert_eq!(Parts::forged(&master_key(), id, real.generation, real.secret).token(), *live);

    let own = MasterKey::from_hex(&"07".repeat(32)).unwrap();
    // Even somebody who has the master key too gets past the tag only: no hash gives a secret.
    for keys in [vec![own.clone()], vec![master_key()]] {
        let has_key = keys[0].to_hex() == master_key().to_hex();
        for token in attempts(&dump(&seen), &keys) {
            let verdict = sessions.check(token.as_bytes(), &Check::any()).await.unwrap();
            let reason = verdict.reason().expect("nothing lets them in").to_string();
            assert!(has_key || reason == "malformed", "{reason}");
        }
        if !has_key {
            assert_eq!(said(&sessions, live).await, "ok", "and they end nothing");
        }
    }
    if let Some(folder) = world.folder() {
        assert_copy_is_useless(&world, &sessions, &folder, &own, &tokens).await;
    }
}

/// The thief runs the server on the copied folder.
async fn assert_copy_is_useless(
    world: &World,
    sessions: &Sessions,
    folder: &Path,
    own: &MasterKey,
    tokens: &[String],
) {
    world.shut_down(sessions.clone()).await;
    let den = tempfile::tempdir().unwrap();
    copy_of(folder, &den.path().join("store"));
    let engine = || {
        Embedded::at(den.path().join("store"))
            .config_dir(den.path().join("config"))
            .after_restore(AfterRestore::Accept)
    };
    let open =
        |engine: Embedded| Sessions::builder(engine).clock(world.clock.clone()).without_background().open();
    let refused = open(engine().master_key(own.clone())).await.unwrap_err();
    assert_eq!(refused.blame(), tenure::Blame::Configuration, "{refused}");
    let refused = open(engine()).await.unwrap_err();
    assert_eq!(refused.blame(), tenure::Blame::Configuration, "a store that exists gets no new key");

    // With the key it is the same store: what is kept in clear there would show now.
    let theirs = open(engine().master_key(master_key())).await.unwrap();
    assert_eq!(said(&theirs, tokens.last().unwrap()).await, "ok");
    theirs.close().await.unwrap();
}

async fn p3_a_copy_of_the_store_follows_no_session_through_its_rotations(world: World) {
    let seen = Seen::from_now(&world.faults);
    let sessions = world.open().await;
    let issued = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    let mut token = issued.token.expose().to_owned();
    for _ in 0..4 {
        world.clock.advance(16 * MINUTE);
        let Verdict::Ok(holder) = visit(&sessions, &token).await else { panic!("alive") };
        let next = holder.renewed().expect("due").token.expose().to_owned();
        // A copy is taken while the successor waits, and the thief tries to open it.
        let prepared: Vec<Record> =
            dump(&seen).into_iter().filter(|record| record.secrets.successor.is_some()).collect();
        assert!(!prepared.is_empty());
        let own = [MasterKey::from_hex(&"07".repeat(32)).unwrap()];
        for guess in attempts(&prepared[..1], &own) {
            assert_eq!(said(&sessions, &guess).await, "malformed");
        }
        token = next;
        assert_eq!(said(&sessions, &token).await, "ok");
        let wiped = sessions.store().load(issued.session.id()).await.unwrap().unwrap();
        assert!(wiped.secrets.successor.is_none(), "the sealed copy is gone with the first use");
    }
}

async fn p3_a_token_of_the_past_and_a_copy_of_the_store_give_no_token_of_today(world: World) {
    let sessions = world.open().await;
    let issued = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    let old = issued.token.expose().to_owned();
    let holder = active(&sessions, &old).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    world.clock.advance(MINUTE);
    // The old token opens nothing that the store still holds: presenting it is theft.
    let record = sessions.store().load(issued.session.id()).await.unwrap().unwrap();
    assert!(record.secrets.successor.is_none());
    let bytes = record.encode();
    let needles = BTreeMap::from([
        ("the secret of today".to_owned(), Parts::of(next.token.expose()).secret.to_vec()),
        ("the secret of the past".to_owned(), Parts::of(&old).secret.to_vec()),
    ]);
    assert_absent(&needles, &bytes, "the record");
    assert_eq!(said(&sessions, &old).await, "token_reuse");
    world.clock.advance(HOUR);
    let ended = sessions.store().load(issued.session.id()).await.unwrap().unwrap();
    assert!(ended.data.is_empty() && ended.secrets.successor.is_none(), "what ended holds nothing");
}
