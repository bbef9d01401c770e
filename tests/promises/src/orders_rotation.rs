//! Every order in which rotation, sign-in and updates can meet at the store: nobody is signed
//! out by it (P10), nothing is lost (P2) and no ended session comes back (P1, P8).

use tenure::{Actor, Check, Error, Issued, Sessions, SignIn};

use crate::orders::{Before, END, Request, Saw, in_every_order, signed_in};
use crate::support::{
    CART, COUNT, Call, MINUTE, World, active, cart, guest_with_cart, look, said, user, word,
};

/// A request whose answer can set a cookie: `ok`, and the next token if it came along.
const VISIT: Request = Request {
    held_at: &[Call::Prepare],
    run: |sessions, before| {
        Box::pin(async move {
            let check = Check::any().can_set_cookie(true);
            let verdict = sessions.check(before.issued.token.expose().as_bytes(), &check).await.unwrap();
            let renewed = verdict.active().and_then(|active| active.renewed());
            renewed.map_or_else(|| word(&verdict), |issued| format!("ok {}", issued.token.expose()))
        })
    },
};

/// A request with the token before, whoever came with the next one meanwhile.
const OLD: Request = Request { held_at: &[Call::Load], ..VISIT };

/// A request with the prepared token.
const USE: Request = Request {
    held_at: &[Call::Confirm],
    run: |sessions, before| {
        Box::pin(async move { said(&sessions, before.next.as_ref().unwrap().token.expose()).await })
    },
};

const ADD: Request = Request {
    held_at: &[Call::Change, Call::Change],
    run: |sessions, before| {
        Box::pin(async move {
            code(sessions.update(&before.active, COUNT, |count| *count += 1).await.map(|_| "ok".into()))
        })
    },
};

const PUT_INTO_CART: Request = Request {
    held_at: &[Call::Change],
    run: |sessions, before| {
        Box::pin(async move {
            let put = sessions.update(&before.active, CART, |cart| cart.push("pear".into())).await;
            code(put.map(|_| "ok".into()))
        })
    },
};

const SIGN_IN: Request = Request {
    held_at: &[Call::Claim, Call::Create, Call::End],
    run: |sessions, before| {
        Box::pin(async move {
            let verdict = look(&sessions, before.issued.token.expose()).await;
            let issued = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await;
            code(issued.map(|issued| format!("ok {}", issued.token.expose())))
        })
    },
};

fn code(answer: Result<String, Error>) -> String {
    answer.unwrap_or_else(|error| error.code().into())
}

/// The tokens that were handed out.
fn handed_out(saw: &[Saw]) -> impl Iterator<Item = &str> {
    saw.iter().filter_map(|(_, word, _)| word.strip_prefix("ok "))
}

/// Which step of `order` is the one of `who` that comes after `before` others.
fn step(order: &[usize], who: usize, before: usize) -> usize {
    let mut steps = order.iter().enumerate().filter(|(_, at)| **at == who);
    steps.nth(before).expect("it has so many steps").0
}

async fn due_for_rotation(world: &World, sessions: &Sessions) -> Before {
    let before = signed_in(world, sessions).await;
    world.clock.advance(16 * MINUTE);
    before
}

async fn prepared(world: &World, sessions: &Sessions) -> Before {
    let before = signed_in(world, sessions).await;
    let next = sessions.rotate(&before.active, Actor::application(), None).await.unwrap();
    Before { next: Some(next), ..before }
}

async fn guest(world: &World, sessions: &Sessions) -> Before {
    let issued: Issued = guest_with_cart(sessions, &["apple"]).await;
    let active = active(sessions, issued.token.expose()).await;
    world.clock.advance(16 * MINUTE);
    Before { issued, active, next: None }
}

#[test]
fn p10_overlapping_requests_get_the_same_next_token_in_any_order() {
    in_every_order(&[VISIT, VISIT], 1 << 20, due_for_rotation, async |sessions, before, saw, order| {
        let first = handed_out(saw).next().expect("one of them gets it").to_owned();
        for (_, word, _) in saw {
            assert!(word == "ok" || *word == format!("ok {first}"), "{saw:?} in {order:?}");
        }
        assert_eq!(said(sessions, &first).await, "ok", "{order:?}");
        assert_eq!(said(sessions, before.issued.token.expose()).await, "ok", "in grace, {order:?}");
    });
}

#[test]
fn p10_the_first_uses_of_a_token_and_the_last_of_the_old_one_meet_in_any_order() {
    in_every_order(&[USE, USE, OLD], 1 << 20, prepared, async |sessions, before, saw, order| {
        let next = before.next.as_ref().unwrap().token.expose();
        for (_, word, _) in saw {
            assert!(word == "ok" || *word == format!("ok {next}"), "{saw:?} in {order:?}");
        }
        assert_eq!(said(sessions, next).await, "ok", "{order:?}");
        assert_eq!(said(sessions, before.issued.token.expose()).await, "ok", "in grace, {order:?}");
        let active = active(sessions, next).await;
        assert_eq!(active.session().generation(), 2, "two first uses are one rotation, {order:?}");
    });
}

#[test]
fn p1_no_rotation_revives_an_ended_session_in_any_order() {
    in_every_order(&[END, VISIT], 1 << 20, due_for_rotation, async |sessions, before, saw, order| {
        // The old one first: a check of the new one reads the store again.
        for token in [before.issued.token.expose()].into_iter().chain(handed_out(saw)) {
            assert_eq!(said(sessions, token).await, "revoked", "{order:?}");
        }
    });
    in_every_order(&[END, USE], 1 << 20, prepared, async |sessions, before, _, order| {
        for issued in [&before.issued, before.next.as_ref().unwrap()] {
            assert_eq!(said(sessions, issued.token.expose()).await, "revoked", "{order:?}");
        }
    });
}

#[test]
fn p2_two_updates_of_one_key_both_count_in_any_order() {
    in_every_order(&[ADD, ADD], 1 << 20, signed_in, async |sessions, before, saw, order| {
        assert!(saw.iter().all(|(_, word, _)| word == "ok"), "{saw:?} in {order:?}");
        let active = active(sessions, before.issued.token.expose()).await;
        assert_eq!(COUNT.read(active.session()).unwrap(), Some(2), "{order:?}");
    });
}

#[test]
fn p2_two_sign_ins_of_one_guest_are_one_session_with_the_cart_in_any_order() {
    let early = Request { held_at: &[Call::Claim, Call::Create], ..SIGN_IN };
    let late = Request { held_at: &[Call::Create, Call::End], ..SIGN_IN };
    for requests in [[early, early], [early, late]] {
        in_every_order(&requests, 1 << 20, guest, async |sessions, before, saw, order| {
            let mut good = Vec::new();
            for (_, word, _) in saw {
                match word.strip_prefix("ok ") {
                    Some(token) if said(sessions, token).await == "ok" => good.push(token),
                    Some(token) => assert_eq!(said(sessions, token).await, "superseded", "{order:?}"),
                    None => assert_eq!(word, "token_superseded", "{order:?}"),
                }
            }
            assert_eq!(good.len(), 1, "one of them has the newest token: {saw:?} in {order:?}");
            assert_eq!(cart(sessions, good[0]).await, ["apple"], "{order:?}");
            assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1, "{order:?}");
            assert_eq!(said(sessions, before.issued.token.expose()).await, "superseded", "{order:?}");
        });
    }
}

#[test]
fn p2_what_goes_into_the_cart_during_the_sign_in_is_there_or_refused_in_any_order() {
    in_every_order(&[SIGN_IN, PUT_INTO_CART], 1 << 20, guest, async |sessions, _, saw, order| {
        let token = handed_out(saw).next().expect("the user gets in");
        let put = saw.iter().find(|(who, ..)| *who == 1).map(|(_, word, _)| word.as_str());
        match put {
            Some("ok") => assert_eq!(cart(sessions, token).await, ["apple", "pear"], "{order:?}"),
            Some("token_superseded" | "session_ended") => {
                assert_eq!(cart(sessions, token).await, ["apple"], "{order:?}");
            }
            other => panic!("{other:?} in {order:?}"),
        }
    });
}

#[test]
fn p10_a_guest_whose_token_rotates_signs_in_in_any_order() {
    let sign_in = Request { held_at: &[Call::Claim, Call::Create], ..SIGN_IN };
    in_every_order(&[sign_in, VISIT], 1 << 20, guest, async |sessions, before, saw, order| {
        let word_of = |of| saw.iter().find(|(who, ..)| *who == of).map(|(_, word, _)| word.as_str());
        let token = word_of(0).and_then(|word| word.strip_prefix("ok ")).expect("the user gets in");
        assert_eq!(cart(sessions, token).await, ["apple"], "{order:?}");
        let renewed = word_of(1).and_then(|word| word.strip_prefix("ok "));
        for token in renewed.into_iter().chain([before.issued.token.expose()]) {
            assert_eq!(said(sessions, token).await, "superseded", "{saw:?} in {order:?}");
        }
    });
}

/// Whoever asked who the user is before the end acted is not signed in afterwards, and the cart
/// is there; whoever asked later is signed in.
fn sign_in_meets_the_end(held_at: &'static [Call], asks_at: usize) {
    let sign_in = Request { held_at, ..SIGN_IN };
    in_every_order(&[sign_in, END], 1 << 20, guest, async |sessions, before, saw, order| {
        let asks_later = step(order, 0, asks_at) > step(order, 1, 1);
        let guest = before.issued.token.expose();
        let token = handed_out(saw).next();
        match (token, asks_later) {
            (Some(token), true) => assert_eq!(cart(sessions, token).await, ["apple"], "{order:?}"),
            (Some(token), false) => assert_eq!(said(sessions, token).await, "revoked", "{order:?}"),
            (None, false) => {
                assert!(saw.iter().any(|(_, word, _)| is_refused(word)), "{saw:?} in {order:?}");
                if look(sessions, guest).await.active().is_some() {
                    assert_eq!(cart(sessions, guest).await, ["apple"], "{order:?}");
                } else {
                    assert!(
                        !saw.iter().any(|(_, word, _)| word == "signed_out_meanwhile"),
                        "{saw:?} in {order:?}"
                    );
                }
            }
            (None, true) => panic!("{saw:?} in {order:?}"),
        }
        let alive = usize::from(asks_later);
        assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), alive, "{order:?}");
    });
}

/// Signed out before the sign-in was done, or after, before its answer.
fn is_refused(word: &str) -> bool {
    ["signed_out_meanwhile", "session_ended"].contains(&word)
}

#[test]
fn p1_p8_a_sign_in_and_the_end_of_all_sessions_meet_in_any_order() {
    sign_in_meets_the_end(&[Call::User, Call::Claim, Call::Create], 1);
    sign_in_meets_the_end(&[Call::Create, Call::End], 0);
}
