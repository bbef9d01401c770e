//! What the writer is asked to do.

use tenure::store::StoreError;

use crate::error::Result;
use crate::txn::Txn;

/// What an operation is for, when there is no room for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It can wait until there is room again.
    Ordinary,
    /// It ends sessions or removes what is no longer needed: it uses the reserve.
    Essential,
}

/// An operation under way.
pub(crate) trait Job: Send {
    /// Runs it. It may run again, if the transaction is lost before the commit.
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<()>;
    /// What it is for.
    fn need(&self) -> Need;
    /// It failed, and is not to be run again.
    fn fail(&mut self, error: StoreError);
    /// Whether it failed.
    fn has_failed(&self) -> bool;
    /// Tells whoever asked.
    fn answer(self: Box<Self>);
}
