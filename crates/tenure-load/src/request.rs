//! One request of a run, and the judgement on its answer.

use std::time::Duration;

use crate::chance::Chance;
use crate::client::{Answer, Ask, Failure};
use crate::drive::ask;
use crate::people::{Action, Gone};
use crate::shared::Shared;
use crate::who::{Credential, Seen, Who};

/// What an answer can do wrong.
const REFUSED: &str = "an honest user was refused";
const ENDED: &str = "an ended session was accepted";
const MADE_UP: &str = "a made-up session was accepted";
const LOST: &str = "an acknowledged change was lost";
const MIXED_UP: &str = "the answer was about another session";

/// How long the random part of a token is.
const TOKEN: usize = 92;

/// Makes a request; gives why there is no answer, where there is none.
pub(crate) async fn make(
    shared: &Shared,
    action: Action,
    intended: Duration,
    chance: &mut Chance,
) -> Option<Failure> {
    let wrong = |what, id: &str| shared.record().wrong(what, id, intended);
    let done = match action {
        Action::Guest => guest(shared, chance).await,
        Action::SignIn { guest, number } => sign_in(shared, guest, number, chance).await,
        Action::Check { serial, who, acked, acked_at } => {
            let count_due = acked_at + shared.settings.bound <= shared.now();
            check(shared, serial, &who, if count_due { acked } else { 0 }, wrong).await
        }
        Action::Change { serial, who, count } => change(shared, serial, &who, count, wrong).await,
        Action::End { serial, who } => {
            let answer = asked(shared, shared.driver.end(&who), shared.driver.tries()).await;
            let ended = answer.and_then(|answer| shared.driver.ended(&answer));
            let at = ended.is_ok().then(|| shared.now());
            shared.people().left(serial, at);
            ended
        }
        Action::Ended(gone) => present_ended(shared, &gone, wrong).await,
        Action::Attack => {
            let credential = shared.driver.made_up(chance.text(TOKEN));
            match seen(shared, &credential, None).await {
                Ok(Seen::Accepted { id, .. }) => {
                    wrong(MADE_UP, &id.unwrap_or_else(|| "unnamed".into()));
                    Ok(())
                }
                Ok(Seen::Refused) => Ok(()),
                Err(failure) => Err(failure),
            }
        }
    };
    done.err()
}

async fn asked(shared: &Shared, what: Ask, tries: usize) -> Result<Answer, Failure> {
    let (answer, retries) = ask(&shared.client, shared.servers(), &what, tries).await;
    if retries > 0 {
        shared.record().retries += retries;
    }
    answer
}

/// With an idempotency key where the API has one: a lost answer is asked for again.
async fn begun(shared: &Shared, mut what: Ask, chance: &mut Chance) -> Result<Answer, Failure> {
    if shared.driver.tries() > 1 {
        what.idempotency_key = Some(chance.text(32));
    }
    asked(shared, what, shared.driver.tries()).await
}

async fn guest(shared: &Shared, chance: &mut Chance) -> Result<(), Failure> {
    let answer = begun(shared, shared.driver.guest(), chance).await;
    let issued = answer.and_then(|answer| shared.driver.issued(&answer, 0, true));
    if !shared.driver.follows_guests() {
        return issued.map(drop);
    }
    let (issued, failure) = halves(issued);
    shared.people().arrived(issued, None, shared.now());
    failure
}

async fn sign_in(
    shared: &Shared,
    guest: Option<(u64, Who)>,
    number: u64,
    chance: &mut Chance,
) -> Result<(), Failure> {
    let what = shared.driver.sign_in(guest.as_ref().map(|(_, who)| who), number);
    let answer = begun(shared, what, chance).await;
    let (issued, failure) = halves(answer.and_then(|answer| shared.driver.issued(&answer, number, false)));
    let now = shared.now();
    let mut people = shared.people();
    if let Some((serial, _)) = guest {
        // The guest's token is dead once it is acknowledged; before, nobody knows.
        people.left(serial, issued.is_some().then_some(now));
    }
    people.arrived(issued, Some(number), now);
    failure
}

fn halves<T>(result: Result<T, Failure>) -> (Option<T>, Result<(), Failure>) {
    match result {
        Ok(value) => (Some(value), Ok(())),
        Err(failure) => (None, Err(failure)),
    }
}

async fn seen(shared: &Shared, credential: &Credential, number: Option<u64>) -> Result<Seen, Failure> {
    let answer = asked(shared, shared.driver.check(credential), 1).await?;
    shared.driver.seen(&answer, credential, number)
}

async fn check(
    shared: &Shared,
    serial: u64,
    who: &Who,
    due: u64,
    wrong: impl Fn(&'static str, &str),
) -> Result<(), Failure> {
    match seen(shared, &who.credential, Some(who.number)).await? {
        Seen::Refused => refused(shared, serial, who, wrong),
        Seen::Accepted { id, count, renewed } => {
            if id.is_some_and(|id| id != who.id) {
                wrong(MIXED_UP, &who.id);
            }
            if due > 0 && shared.driver.follows_guests() && count.unwrap_or(0) < due {
                wrong(LOST, &who.id);
            }
            if let Some(renewed) = renewed {
                shared.people().renewed(serial, renewed);
            }
        }
    }
    Ok(())
}

/// Somebody is refused. Wrong, unless they were leaving; and they are told once, for they are out.
fn refused(shared: &Shared, serial: u64, who: &Who, wrong: impl Fn(&'static str, &str)) {
    let mut people = shared.people();
    if people.get(serial).is_some_and(|person| !person.leaving) {
        people.left(serial, None);
        drop(people);
        wrong(REFUSED, &who.id);
    }
}

async fn change(
    shared: &Shared,
    serial: u64,
    who: &Who,
    count: u64,
    wrong: impl Fn(&'static str, &str),
) -> Result<(), Failure> {
    let answer = asked(shared, shared.driver.change(who, count), shared.driver.tries()).await;
    let changed = answer.and_then(|answer| shared.driver.changed(&answer, &who.credential, count));
    let acked = matches!(changed, Ok(Seen::Accepted { .. })).then_some(count);
    shared.people().changed(serial, acked, shared.now());
    match changed? {
        Seen::Refused => refused(shared, serial, who, wrong),
        Seen::Accepted { renewed: Some(renewed), .. } => shared.people().renewed(serial, renewed),
        Seen::Accepted { .. } => {}
    }
    Ok(())
}

async fn present_ended(
    shared: &Shared,
    gone: &Gone,
    wrong: impl Fn(&'static str, &str),
) -> Result<(), Failure> {
    let due = gone.at + shared.settings.bound <= shared.now();
    let seen = seen(shared, &gone.who.credential, Some(gone.who.number)).await?;
    if due && matches!(seen, Seen::Accepted { .. }) {
        wrong(ENDED, &gone.who.id);
    }
    Ok(())
}
