//! The names of what a store is asked.

use super::Mutation;

/// What a store is asked: an operation of [`Store`](crate::store::Store), and for
/// [`mutate`](crate::store::Store::mutate) which [`Mutation`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
#[cfg_attr(not(any(test, feature = "testing")), expect(unreachable_pub, reason = "`testing` shows it"))]
pub enum Call {
    /// [`create`](crate::store::Store::create).
    Create,
    /// [`load`](crate::store::Store::load).
    Load,
    /// [`Mutation::Change`].
    Change,
    /// [`Mutation::Prepare`].
    Prepare,
    /// [`Mutation::Confirm`].
    Confirm,
    /// [`Mutation::Authenticate`].
    Authenticate,
    /// [`Mutation::SetRoles`].
    SetRoles,
    /// [`Mutation::Claim`].
    Claim,
    /// [`Mutation::Release`].
    Release,
    /// [`Mutation::End`].
    End,
    /// [`Mutation::EndIfDue`].
    EndIfDue,
    /// [`touch`](crate::store::Store::touch).
    Touch,
    /// [`replay`](crate::store::Store::replay).
    Replay,
    /// [`list`](crate::store::Store::list).
    List,
    /// [`end_all_of`](crate::store::Store::end_all_of).
    EndAllOf,
    /// [`user`](crate::store::Store::user).
    User,
    /// [`set_disabled`](crate::store::Store::set_disabled).
    SetDisabled,
    /// [`page`](crate::store::Store::page).
    Page,
    /// [`sweep`](crate::store::Store::sweep).
    Sweep,
    /// [`events`](crate::store::Store::events).
    Events,
    /// [`news`](crate::store::Store::news).
    News,
}

impl Call {
    pub(crate) fn of(mutation: &Mutation) -> Self {
        match mutation {
            Mutation::Change { .. } => Self::Change,
            Mutation::Prepare { .. } => Self::Prepare,
            Mutation::Confirm { .. } => Self::Confirm,
            Mutation::Authenticate(_) => Self::Authenticate,
            Mutation::SetRoles(_) => Self::SetRoles,
            Mutation::Claim { .. } => Self::Claim,
            Mutation::Release { .. } => Self::Release,
            Mutation::End { .. } => Self::End,
            Mutation::EndIfDue => Self::EndIfDue,
        }
    }
}
