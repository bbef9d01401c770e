//! Whatever a client sends as `Cookie`, it is nobody, nothing ends, and nothing breaks.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use tenure::testing::TestKit;
use tenure::{Check, Verdict};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static WORLD: RefCell<Option<(Runtime, TestKit, String)>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        let (runtime, kit, cookie) = world.get_or_insert_with(|| {
            let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
            let kit = runtime.block_on(TestKit::new());
            let cookie = runtime.block_on(kit.sign_in_as("u_1"));
            (runtime, kit, cookie)
        });
        // The bytes over the token of a living session, from a place that they choose.
        let (at, rest) = bytes.split_first().map_or((0, bytes), |(at, rest)| (usize::from(*at), rest));
        let mut forged = cookie.clone().into_bytes();
        for (place, byte) in forged.iter_mut().skip(at % 120).zip(rest) {
            *place = *byte;
        }
        for header in [bytes, &forged] {
            let verdict =
                runtime.block_on(kit.sessions.check_cookie([header], &Check::any())).expect("memory answers");
            assert!(matches!(verdict, Verdict::Inactive(_)) || header == cookie.as_bytes());
        }
        assert!(runtime.block_on(kit.user_of(cookie)).is_some(), "a forged token has ended a session");
    });
});
