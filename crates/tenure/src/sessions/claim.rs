//! A guest who signs in: the guest is claimed, its user's session is created, the guest ends. Anybody can
//! finish what was begun.

use std::collections::BTreeMap;
use std::time::Duration;

use super::issue::{Attempt, Issued};
use super::verdict::Active;
use super::{Sessions, SignIn};
use crate::error::Error;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::{Claim, NewSession, Record, State, Value};
use crate::seal::Sealed;
use crate::store::rules::CLAIM_LIFETIME_MS;
use crate::store::{Admission, Mutation, Operation, Outcome, Refusal};
use crate::vault;

/// What the keys begin with that Tenure itself keeps in the data of a session.
const OF_TENURE: &str = "tenure/";

impl Sessions {
    pub(super) async fn sign_in_guest(
        &self,
        guest: &Active,
        attempt: &Attempt,
        sign_in: &SignIn,
    ) -> Result<Issued, Error> {
        let user = self.core.store.user(&self.owner(&sign_in.user)).await?;
        if user.disabled_at.is_some() {
            return Err(Refusal::UserDisabled.into());
        }
        let (target, admission) = self.session_of_user(attempt, sign_in)?;
        let target = NewSession { previous: Some(guest.session.id()), ..target };
        let admission = Admission { epoch: Some(user.epoch), burn: true, ..admission };
        let operation = attempt.operation(self, 1);
        let receipt = operation.receipt.clone().map(Sealed::from);
        let claim = Claim { attempt: attempt.id, target, carry: sign_in.carry.clone(), admission, receipt };
        let mutation = Mutation::Claim { generation: guest.generation, claim: Box::new(claim) };
        let claiming = Operation { receipt: None, ..operation };
        let reply = self.core.mutate(claiming, guest.session.id(), mutation).await?;
        match reply.outcome {
            Outcome::Refused(
                Refusal::Superseded | Refusal::Ended(EndReason::SignedIn) | Refusal::WrongState,
            ) => {
                let replaced = reply.record.ok_or(Refusal::Missing)?;
                self.sign_in_after(&replaced, attempt, sign_in).await
            }
            Outcome::Refused(refusal) => Err(refusal.into()),
            _ => {
                let claimed = reply.record.ok_or(Refusal::Missing)?;
                let target = self.complete(claimed).await?;
                self.issue(attempt, target, 1).await
            }
        }
    }

    /// Signs in with a token that a sign-in has replaced: the answer of that one was lost, or
    /// two went at once. If the session that it led to is the same user's and alive, this is a
    /// new authentication in it, so that the cart is there and no second session.
    pub(super) async fn sign_in_after(
        &self,
        replaced: &Record,
        attempt: &Attempt,
        sign_in: &SignIn,
    ) -> Result<Issued, Error> {
        let is_claimed = |record: &Record| matches!(record.state, State::Claimed(_));
        let mut record = self.core.store.load(replaced.id).await?;
        let was_claimed = is_claimed(replaced) || record.as_ref().is_some_and(is_claimed);
        if let Some(claimed) = record.take_if(|record| is_claimed(record)) {
            match self.complete(claimed).await {
                // It was met too late; this sign-in goes on without it.
                Err(Error::Refused(Refusal::SignedOut)) => {}
                done => drop(done?),
            }
            record = self.core.store.load(replaced.id).await?;
        }
        if was_claimed && record.as_ref().is_some_and(|record| matches!(record.state, State::Guest)) {
            // It was let go and has its cart still: the next try takes that along.
            return Err(Refusal::SignedOut.into());
        }
        let led_to = record.and_then(|record| record.ended().map_or(Some(replaced.id), |ended| ended.next));
        if let Some(id) = led_to
            && let Some(moved) = self.core.find(id).await?
            && moved.user() == Some(&sign_in.user)
            && moved.dead(self.core.clock.now()).is_none()
        {
            let generation = moved.generation();
            return self.authenticate(moved.record(), generation, attempt, sign_in, true).await;
        }
        self.sign_in_anew(attempt, sign_in).await
    }

    /// Finishes the move of a claimed guest, whoever began it. Gives the session it moved to.
    async fn complete(&self, claimed: Record) -> Result<crate::store::Reply, Error> {
        let State::Claimed(claim) = &claimed.state else {
            return Err(Error::Bug("only a claimed guest can be moved"));
        };
        let next = Some(claim.target.id);
        let moved = || Ending::new(EndReason::SignedIn, Actor::system());
        let since = self.core.clock.now().since(claim.target.id.made_at());
        if since > Duration::from_millis(CLAIM_LIFETIME_MS) {
            // What it led to may have begun and ended since: it must not begin again.
            self.core.automatic(claimed.id, Mutation::End { ending: moved(), next }).await?;
            return Err(Refusal::SignedOut.into());
        }
        let comes_along = |key: &String| {
            key.starts_with(OF_TENURE) || claim.carry.as_ref().is_none_or(|carry| carry.contains(key))
        };
        let open = |(key, value): (&String, &Value)| {
            Ok((key.clone(), vault::open_value(&self.core.keys, claimed.id, key, value)?))
        };
        let carried = claimed.data.iter().filter(|(key, _)| comes_along(key)).map(open);
        let data = carried.collect::<Result<BTreeMap<String, Vec<u8>>, Error>>()?;
        let target = NewSession { data: self.sealed(claim.target.id, &data), ..claim.target.clone() };
        let receipt = claim.receipt.clone().map(Sealed::into_bytes);
        let operation = Operation { id: claim.attempt, actor: Actor::system(), receipt };
        let reply = self.core.create(operation, target, claim.admission.clone()).await?;
        let burnt = reply.record.as_ref().is_some_and(Record::is_burnt);
        let refusal = match &reply.outcome {
            Outcome::Refused(refusal) => Some(refusal.clone()),
            _ if burnt => Some(Refusal::SignedOut),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.core.automatic(claimed.id, Mutation::Release { attempt: claim.attempt }).await?;
            return Err(refusal.into());
        }
        self.core.automatic(claimed.id, Mutation::End { ending: moved(), next }).await?;
        Ok(reply)
    }

    /// Finishes a move that was met half-done, without keeping the one who met it waiting.
    pub(super) fn complete_soon(&self, claimed: Record) {
        let sessions = self.clone();
        tokio::spawn(async move {
            let id = claimed.id;
            if let Err(error) = sessions.complete(claimed).await {
                tracing::info!(session = %id, code = error.code(), "a sign-in that was met half-done did not go through");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestKit;
    use crate::{Adoption, Changes, Check, UserId};

    #[tokio::test]
    async fn where_a_guest_came_from_comes_along_whatever_is_carried() {
        let kit = TestKit::new().await;
        let data = Changes::default().set("cart", vec!["tea"].into()).set("draft", "x".into());
        let adoption = Adoption::of_guest("row-1", kit.sessions.now(), data);
        let guest = kit.sessions.adopt("old", adoption, &Check::any()).await.unwrap();
        let sign_in = SignIn::password(UserId::new("u_ada").unwrap()).carry(["cart"]);
        let issued = kit.sessions.sign_in(Some(&guest), sign_in).await.unwrap();
        assert_eq!(kit.sessions.adopted_from(&issued.session).as_deref(), Some("row-1"));
        assert_eq!(issued.session.keys().filter(|key| !key.starts_with(OF_TENURE)).count(), 1);
    }
}
