//! Running a property on many cases, with a world of its own for each.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use super::people::soaked;
use super::world::World;

/// Runs `property` on many cases of `strategy`, each in a new world. A failure is shown with
/// the smallest case that still fails.
pub(crate) fn for_many<S, P>(strategy: &S, world: fn() -> World, property: P)
where
    S: Strategy<Value: Debug>,
    P: AsyncFn(World, S::Value),
{
    let config = Config {
        cases: soaked(64, 2_000),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let run = TestRunner::new(config).run(strategy, |case| {
        runtime.block_on(property(world(), case));
        Ok(())
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

/// The same property on each engine: `name(strategy, property)`.
macro_rules! property_on_each_engine {
    ($($(#[$attribute:meta])* $name:ident: $strategy:expr;)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            #[test]
            fn memory() {
                crate::support::for_many(&$strategy, crate::support::World::memory, super::$name);
            }

            #[test]
            fn embedded() {
                crate::support::for_many(&$strategy, crate::support::World::embedded, super::$name);
            }
        }
    )+};
}
pub(crate) use property_on_each_engine;
