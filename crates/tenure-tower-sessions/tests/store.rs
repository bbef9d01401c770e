//! The behaviour that tower-sessions tests its own stores for, and what this one does beyond. The
//! first five have the names that the cases have there.

mod support;

use std::time::Duration;

use serde_json::json;
use support::Kit;
use tenure::{EndReason, Reason, Role, SignIn, UserId};
use tenure_tower_sessions::TenureStore;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, ExpiredDeletion};

const MINUTE: Duration = Duration::from_secs(60);

fn record() -> Record {
    let expiry_date = OffsetDateTime::now_utc() + 30 * MINUTE;
    Record { id: Id::default(), data: Default::default(), expiry_date }
}

fn holding(key: &str, value: i32) -> Record {
    Record { data: [(key.to_owned(), json!(value))].into(), ..record() }
}

fn of_users(kit: &Kit) -> TenureStore {
    TenureStore::new(&kit.sessions).signed_in_by(|data| {
        let user = UserId::new(data.get("user")?.as_str()?).ok()?;
        Some(SignIn::password(user).roles(vec![Role::new("customer").ok()?]))
    })
}

fn of_user(name: &str) -> Record {
    Record { data: [("user".to_owned(), json!(name))].into(), ..record() }
}

async fn created(store: &TenureStore, mut record: Record) -> Record {
    store.create(&mut record).await.unwrap();
    record
}

fn value(record: &Option<Record>, key: &str) -> Option<i64> {
    record.as_ref()?.data.get(key)?.as_i64()
}

fn told(error: Error) -> String {
    match error {
        Error::Backend(text) | Error::Encode(text) | Error::Decode(text) => text,
    }
}

#[tokio::test]
async fn test_create() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        assert!(store.create(&mut record()).await.is_ok());
    }
}

/// There a save makes a session of any id. Here that is refused: it would bring an ended session
/// back to life, and make one of an id that somebody planted.
#[tokio::test]
async fn test_save() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let mut known = created(&store, record()).await;
        known.data.insert("foo".into(), json!(42));
        store.save(&known).await.unwrap();
        assert_eq!(value(&store.load(&known.id).await.unwrap(), "foo"), Some(42));

        let planted = record();
        assert!(told(store.save(&planted).await.unwrap_err()).contains("session_not_found"));
        assert_eq!(store.load(&planted.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn test_load() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let record = created(&store, record()).await;
        assert_eq!(store.load(&record.id).await.unwrap(), Some(record));
        assert_eq!(store.load(&Id::default()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn test_delete() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let record = created(&store, record()).await;
        store.delete(&record.id).await.unwrap();
        assert_eq!(store.load(&record.id).await.unwrap(), None);
        store.delete(&record.id).await.unwrap();
        store.delete(&Id::default()).await.unwrap();
    }
}

#[tokio::test]
async fn test_create_id_collision() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let first = created(&store, holding("foo", 1)).await;
        let second = created(&store, Record { id: first.id, ..holding("foo", 2) }).await;
        assert_ne!(first.id, second.id);
        assert_eq!(value(&store.load(&first.id).await.unwrap(), "foo"), Some(1));
    }
}

#[tokio::test]
async fn a_late_save_cannot_revive_an_ended_session() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let record = created(&store, holding("foo", 1)).await;
        let late = store.load(&record.id).await.unwrap().unwrap();
        store.delete(&record.id).await.unwrap();
        assert!(store.save(&late).await.is_err());
        assert_eq!(store.load(&record.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn parallel_requests_that_set_different_keys_lose_nothing() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let id = created(&store, holding("kept", 0)).await.id;
        let mut one = store.load(&id).await.unwrap().unwrap();
        let mut other = store.load(&id).await.unwrap().unwrap();
        let mut third = store.load(&id).await.unwrap().unwrap();
        one.data.insert("a".into(), json!(1));
        other.data.insert("b".into(), json!(2));
        third.data.remove("kept");
        for saved in [&one, &other, &third] {
            store.save(saved).await.unwrap();
        }
        let found = store.load(&id).await.unwrap();
        assert_eq!((value(&found, "a"), value(&found, "b"), value(&found, "kept")), (Some(1), Some(2), None));
    }
}

#[tokio::test]
async fn a_map_that_was_cleared_takes_the_place_of_everything() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let id = created(&store, holding("foo", 1)).await.id;
        store.save(&Record { id, ..holding("bar", 2) }).await.unwrap();
        let found = store.load(&id).await.unwrap();
        assert_eq!((value(&found, "foo"), value(&found, "bar")), (None, Some(2)));
    }
}

/// As a login that calls `cycle_id` and goes on writing while the browser's other tab is served.
#[tokio::test]
async fn p2_a_save_right_after_the_create_takes_no_key_of_another_request() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let mut first = created(&store, holding("a", 1)).await;
        let mut other = store.load(&first.id).await.unwrap().unwrap();
        other.data.insert("b".into(), json!(1));
        store.save(&other).await.unwrap();
        first.data.insert("c".into(), json!(1));
        first.data.remove("a");
        store.save(&first).await.unwrap();
        let now = store.load(&first.id).await.unwrap();
        assert_eq!(["a", "b", "c"].map(|key| value(&now, key)), [None, Some(1), Some(1)]);
    }
}

/// What the documentation says does not hold: the second save writes the request's keys again. Those
/// that only others have set it leaves.
#[tokio::test]
async fn a_second_save_of_one_request_writes_its_own_keys_again_and_no_others() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let record = created(&store, holding("a", 1)).await;
        let mut one = store.load(&record.id).await.unwrap().unwrap();
        one.data.insert("a".into(), json!(2));
        store.save(&one).await.unwrap();
        let mut two = store.load(&record.id).await.unwrap().unwrap();
        two.data.extend([("a".into(), json!(3)), ("b".into(), json!(3))]);
        store.save(&two).await.unwrap();
        one.data.insert("c".into(), json!(2));
        store.save(&one).await.unwrap();
        let now = store.load(&record.id).await.unwrap();
        assert_eq!(["a", "b", "c"].map(|key| value(&now, key)), [Some(2), Some(3), Some(2)]);
    }
}

/// An application that takes names of keys from its visitors.
#[tokio::test]
async fn a_key_of_the_name_that_marks_what_was_loaded_is_refused_and_takes_nothing() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let record = created(&store, holding("a", 1)).await;
        let mut one = store.load(&record.id).await.unwrap().unwrap();
        let mut two = one.clone();
        one.data.insert("b".into(), json!(1));
        store.save(&one).await.unwrap();
        for theirs in [json!(1), json!({}), json!({ "a": "x" })] {
            two.data.insert("tower-sessions/base".into(), theirs.clone());
            assert!(told(store.save(&two).await.unwrap_err()).contains("the store's own"));
            let mut new = holding("tower-sessions/base", 1);
            new.data.insert("tower-sessions/base".into(), theirs);
            assert!(told(store.create(&mut new).await.unwrap_err()).contains("the store's own"));
        }
        let now = store.load(&record.id).await.unwrap();
        assert_eq!((value(&now, "a"), value(&now, "b")), (Some(1), Some(1)));
    }
}

#[tokio::test]
async fn the_date_of_tower_sessions_and_the_limits_of_the_policy_hold_together() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let short = created(&store, record()).await;
        let days = OffsetDateTime::now_utc() + 2_000 * MINUTE;
        let long = created(&store, Record { expiry_date: days, ..record() }).await;
        kit.clock.advance(31 * MINUTE);
        assert_eq!(store.load(&short.id).await.unwrap(), None, "past its date");
        let over = kit.sessions.get(store.session_id(&short.id).unwrap()).await.unwrap().unwrap();
        assert_eq!(over.end_reason(), Some(EndReason::IdleTimeout));
        assert!(store.load(&long.id).await.unwrap().is_some());
        // Each look is activity: a guest's limit of two hours of idleness moves on.
        for _ in 0..3 {
            kit.clock.advance(100 * MINUTE);
            assert!(store.load(&long.id).await.unwrap().is_some());
        }
        kit.clock.advance(121 * MINUTE);
        store.delete_expired().await.unwrap();
        assert_eq!(store.load(&long.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_users_sessions_are_listed_and_can_be_ended() {
    for kit in Kit::each().await {
        let store = of_users(&kit);
        let ada = UserId::new("u_ada").unwrap();
        let guest = created(&store, holding("cart", 1)).await;
        let first = created(&store, of_user("u_ada")).await;
        let second = created(&store, of_user("u_ada")).await;
        created(&store, of_user("u_bob")).await;
        let listed = kit.sessions.list(&ada).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|session| session.has_role("customer")));
        assert!(listed.iter().any(|session| Some(session.id()) == store.session_id(&first.id)));

        kit.sessions.disable(&ada, tenure::Actor::application()).await.unwrap();
        assert_eq!(store.load(&first.id).await.unwrap(), None);
        assert_eq!(store.load(&second.id).await.unwrap(), None);
        assert!(store.load(&guest.id).await.unwrap().is_some());
        let refused = store.create(&mut of_user("u_ada")).await.unwrap_err();
        assert!(told(refused).contains("user_disabled"));
    }
}

#[tokio::test]
async fn who_is_signed_in_cannot_change_under_the_same_id() {
    for kit in Kit::each().await {
        let store = of_users(&kit);
        let guest = created(&store, holding("cart", 1)).await;
        let ada = created(&store, of_user("u_ada")).await;
        for changed in [
            Record { id: guest.id, ..of_user("u_ada") },
            Record { id: ada.id, ..of_user("u_bob") },
            Record { id: ada.id, ..holding("cart", 1) },
        ] {
            assert!(told(store.save(&changed).await.unwrap_err()).contains("cycle_id"));
        }
        assert_eq!(value(&store.load(&guest.id).await.unwrap(), "cart"), Some(1));
    }
}

#[tokio::test]
async fn a_stolen_store_holds_no_id() {
    let [_, kit] = Kit::each().await;
    let store = TenureStore::new(&kit.sessions);
    let mut ids = Vec::new();
    for n in 0..20 {
        let mut record = created(&store, holding("foo", n)).await;
        record.data.insert("more".into(), json!("secret-of-the-visitor"));
        store.save(&record).await.unwrap();
        ids.push(record.id);
    }
    let mut files = 0;
    for file in std::fs::read_dir(kit.folder.path().join("store")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        files += usize::from(!bytes.is_empty());
        let holds = |what: &[u8]| memchr::memmem::find(&bytes, what).is_some();
        for id in &ids {
            assert!(
                !holds(&id.0.to_le_bytes())
                    && !holds(&id.0.to_be_bytes())
                    && !holds(id.to_string().as_bytes())
            );
        }
        assert!(!holds(b"secret-of-the-visitor"));
    }
    assert!(files > 0);
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_and_no_empty_session() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        let mut record = created(&store, holding("foo", 1)).await;
        kit.sessions.store().close().await;
        kit.clock.advance(3 * 60 * MINUTE);
        assert!(store.load(&record.id).await.is_err());
        assert!(store.save(&record).await.is_err());
        assert!(store.delete(&record.id).await.is_err());
        assert!(store.create(&mut record).await.is_err());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_limit() {
    for kit in Kit::each().await {
        let store = TenureStore::new(&kit.sessions);
        for (key, says) in [
            (String::new(), "1 to 64 bytes"),
            ("k".repeat(65), "1 to 64 bytes"),
            ("tower-sessions/expiry".into(), "another"),
        ] {
            let refused = store.create(&mut holding(&key, 1)).await.unwrap_err();
            assert!(told(refused).contains(says), "{key}");
        }
        let mut large = record();
        large.data.insert("k".into(), json!("x".repeat(33_000)));
        assert!(told(store.create(&mut large).await.unwrap_err()).contains("32768"));
    }
}

#[tokio::test]
async fn an_end_is_told_with_its_reason() {
    for kit in Kit::each().await {
        let store = of_users(&kit);
        let record = created(&store, of_user("u_ada")).await;
        let id = store.session_id(&record.id).unwrap();
        let told = kit.sessions.ended(id);
        let (reason, _) = tokio::join!(told, store.delete(&record.id));
        assert_eq!(reason.unwrap(), Reason::Ended(EndReason::Logout));
    }
}
