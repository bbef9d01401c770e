//! Changing what a user may do, in sessions that are under way.

use std::sync::Arc;

use super::Sessions;
use super::core::detached;
use super::sign_in::at_most;
use crate::error::Error;
use crate::id::{Role, UserId};
use crate::reason::Actor;
use crate::record::MAX_ROLES;
use crate::store::{Mutation, Outcome};

impl Sessions {
    /// Replaces the roles in all sessions of a user. They act at the next check, and each
    /// token rotates at its user's next request (CS-SM-7). The limits of sessions that are under
    /// way stay; those of the new roles hold from the next authentication.
    ///
    /// # Example: no longer an administrator
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Actor, Memory, Role, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let (user, editor, admin) = (UserId::new("u_1")?, Role::new("editor")?, Role::new("admin")?);
    /// sessions.sign_in(None, SignIn::password(user.clone()).roles([editor.clone(), admin])).await?;
    ///
    /// assert_eq!(sessions.set_roles(&user, &[editor], Actor::application()).await?, 1);
    /// assert!(!sessions.list(&user).await?[0].has_role("admin"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than 64 roles; [`Error::Store`]: then some sessions may have
    /// the new roles and some not: repeat it.
    pub async fn set_roles(&self, user: &UserId, roles: &[Role], actor: Actor) -> Result<u64, Error> {
        at_most(MAX_ROLES, "a user has at most", "roles", roles.len())?;
        let (core, owner) = (Arc::clone(&self.core), self.owner(user));
        let roles = roles.to_vec();
        detached(async move {
            let mut changed = 0;
            for record in core.store.list(&owner).await? {
                let operation = core.operation(actor.clone());
                let reply = core.mutate(operation, record.id, Mutation::SetRoles(roles.clone())).await?;
                changed += u64::from(reply.outcome == Outcome::Applied);
            }
            Ok(changed)
        })
        .await
    }
}
