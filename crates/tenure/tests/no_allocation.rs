//! What a check from memory costs that no clock shows.

use allocation_counter::measure;
use tenure::testing::TestKit;
use tenure::{Check, SignIn, Verdict};

/// How many allocations `checks` checks of one token make, all from memory.
fn allocations(checks: u32, check: &Check) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let kit = runtime.block_on(TestKit::new());
    let issued = runtime.block_on(kit.sessions.sign_in(None, SignIn::password("u_1".parse().unwrap())));
    let token = issued.unwrap().token;
    let run = |times: u32| {
        runtime.block_on(async {
            for _ in 0..times {
                let verdict = kit.sessions.check(token.expose().as_bytes(), check).await;
                assert!(matches!(verdict, Ok(Verdict::Ok(_))));
            }
        });
    };
    run(2);
    measure(|| run(checks)).count_total
}

#[test]
fn p9_a_check_from_memory_allocates_nothing() {
    for check in [Check::signed_in(), Check::any().can_set_cookie(true)] {
        // The runtime's own, however many checks there are.
        assert_eq!(allocations(1_000, &check), allocations(1, &check));
    }
}

#[test]
fn an_allocation_would_be_counted() {
    assert!(measure(|| drop(std::hint::black_box(vec![1]))).count_total > 0);
}
