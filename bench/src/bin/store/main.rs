//! The embedded store with many sessions: changes beside a bare loop over the same SQL, checks
//! beside a sweep, opening beside an empty store, room on disk, memory.
//!
//! `store SESSIONS FOLDER` makes everything in a temporary folder inside FOLDER, which should lie
//! on a real disk, and removes it afterwards.

mod bare;
mod changes;
mod checks;
mod fill;
mod home;
mod memory;
mod opening;
mod size;

use std::path::Path;

use serde_json::json;
use tenure_bench::place::Place;

use crate::home::Home;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory", folder] => println!("{}", runtime.block_on(memory::measure(Path::new(folder)))),
        [sessions, folder] => {
            let sessions: usize = sessions.parse().expect("a number of sessions");
            assert!(sessions >= 10_000, "fewer than 10000 sessions tell nothing");
            let place = Place::in_folder(Path::new(folder));
            let home = Home::at(&place.join("full"));
            let filled = runtime.block_on(fill::fill(&home, sessions));
            let sizes = size::of(&home.database());
            let bare = place.join("bare.db");
            std::fs::copy(home.database(), &bare).expect("a copy for the bare loop");
            let opened = opening::measure(&runtime, &home, &Home::at(&place.join("empty")));
            let memory = memory::in_a_process_of_its_own(&home, &filled);
            let changed = changes::measure(&runtime, &home, &bare, &filled);
            let checked = checks::measure(&runtime, &home, &filled);
            println!(
                "{}",
                json!({
                    "sessions": sessions,
                    "filled_per_second": filled.per_second,
                    "size": sizes.each(sessions),
                    "opening": opened,
                    "memory": memory,
                    "changes": changed,
                    "checks": checked,
                })
            );
        }
        _ => panic!("store SESSIONS FOLDER"),
    }
}
