//! Plans worked out by hand, and the page held to what was measured.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fitting::{largest, one_store, plan};
use super::load::{Done, Load};
use super::measured::{Cost, DONE, Follow, Line, Measured, Second, Size};
use super::nodes::following;
use super::options::{Routing, Wanted};
use super::plan::Engine;
use super::run::{Options, say};
use super::said::{bytes, bytes_a_second, cores, rate, seconds, share};
use super::{book, plots};

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn second(events: f64, node_us: f64, server_us: f64) -> Second {
    Second { events, polls: 8.0 + events / 10.0, server_us, node_us, sent: events, received: 2.0 * events }
}

/// Round figures.
fn measured() -> Measured {
    let mut lines = vec![
        Line::Verify { micros: 10.0, request_bytes: 300.0, answer_bytes: 700.0 },
        Line::Near { resident: 2_000.0, counted: 2_500.0 },
    ];
    for engine in ["embedded", "postgres", "redis"] {
        let engine = engine.to_owned();
        lines.push(Line::Size(Size {
            engine: engine.clone(),
            sessions: 100_000,
            rows: 819.2,
            indexes: 180.8,
            users: 0.0,
            event: 100.0,
        }));
        for of in DONE {
            let first = (engine == "postgres").then_some(1_000.0);
            lines.push(Line::Cost(Cost {
                engine: engine.clone(),
                of: of.into(),
                per_second: 10_000.0,
                server_us: 100.0,
                client_us: 50.0,
                disk: 500.0,
                disk_first: first,
                sent: 200.0,
                received: 300.0,
                ..Cost::default()
            }));
        }
        for second in [second(0.0, 1_000.0, 2_000.0), second(1_000.0, 11_000.0, 22_000.0)] {
            lines.push(Line::Follow(Follow { engine: engine.clone(), second }));
        }
    }
    Measured { described: "By hand.".into(), lines }
}

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= wanted.abs() * 1e-9 + 1e-9, "{found} is not {wanted}");
}

fn options(words: &[&str]) -> Options {
    Options::parse(&[&["sizing"], words].concat()).unwrap()
}

#[test]
fn what_comes_in_is_as_by_hand() {
    let wanted = options(&["--sessions", "6_048_000"]).each().remove(0);
    let load = Load::of(&wanted);
    near(load.active, 604_800.0);
    near(load.requests, 60_480.0);
    near(load.changes, 604.8);
    // A session lives for 7 × 86,400 seconds.
    near(load.begins, 10.0);
    near(load.visits, 1_008.0);
    near(load.events(), 624.8);
    near(load.rows(), 6_048_000.0 + 864_000.0);
    // 624.8 a second fill five million in a little more than two hours.
    near(load.events_kept(), 5e6);
    near(load.log_reaches(), 5e6 / 624.8);
    // Each of 4 nodes loads who comes, and 3 load again what the fourth has changed.
    near(load.loads(&wanted, 4.0), 4.0 * 1_008.0 + 3.0 * 604.8);
    // Each of 4 nodes sees a session every 40 seconds, and writes that once a minute.
    near(load.touches(&wanted, 4.0), 604_800.0 * 4.0 / 60.0);
    // Each of 60 sees it every ten minutes: each request is written.
    near(load.touches(&wanted, 60.0), 60_480.0);
    let to_one = Wanted { routing: Routing::Session, ..wanted };
    near(load.loads(&to_one, 4.0), 1_008.0);
    near(load.touches(&to_one, 4.0), 10_080.0);
}

#[test]
fn nobody_changes_anything_and_nothing_is_loaded_again() {
    let wanted = options(&["--sessions", "6048000", "--changes", "0"]).each().remove(0);
    let load = Load::of(&wanted);
    near(load.loads(&wanted, 4.0), 4.0 * 1_008.0);
    near(load.log_reaches(), 5e6_f64.min(20.0 * 604_800.0) / 20.0);
}

#[test]
fn following_lies_on_lines_between_what_was_measured_and_beyond() {
    let seconds = [second(0.0, 1_000.0, 2_000.0), second(1_000.0, 11_000.0, 22_000.0)];
    let at = |events| following(&seconds, events);
    near(at(0.0).node_us, 1_000.0);
    near(at(500.0).node_us, 6_000.0);
    near(at(500.0).polls, 58.0);
    near(at(2_000.0).server_us, 42_000.0);
    near(at(2_000.0).polls, 108.0);
}

#[test]
fn to_follow_more_never_costs_less() {
    let mut measured = measured();
    let noise = Follow { engine: "redis".into(), second: second(2_000.0, 10_000.0, 30_000.0) };
    measured.lines.push(Line::Follow(noise));
    let found = measured.follows("redis");
    near(found[2].node_us, 11_000.0);
    near(found[2].server_us, 30_000.0);
}

#[test]
fn a_plan_for_redis_is_as_by_hand() {
    let wanted = options(&["--sessions", "6048000", "--routing", "session"]).each().remove(0);
    let measured = measured();
    let plan = one_store(Engine::Redis, &measured, &wanted).unwrap();
    assert!(plan.fits());
    let done = Done::by(&measured, "redis", &plan.load, &wanted, 2.0).unwrap();
    // Loads, changes, activity, thrice ten a second, and events to forget.
    let calls = 1_008.0 + 604.8 + 10_080.0 + 30.0 + 624.8;
    near(done.sum(|_| 1.0), calls);
    // Two nodes, one of which may be missing: checks, calls, and what it follows of three primaries.
    near(plan.nodes.count, 2.0);
    near(plan.nodes.cores, (60_480.0 * 10.0 + calls * 50.0 + 3_000.0 + 624.8 * 10.0) / 1e6);
    near(plan.nodes.near, 604_800.0 * 2_000.0);
    near(plan.nodes.wire, 60_480.0 * 1_000.0 + calls * 500.0 + 3.0 * 624.8);
    // One primary would have 1.23 s of calls in a second; three have half of theirs at the most.
    let time =
        |primaries: f64| (calls * 100.0 / primaries + 2.0 * (2_000.0 + 20.0 * 624.8 / primaries)) / 1e6;
    assert!(time(2.0) > 0.5 && time(3.0) < 0.5, "{} {}", time(2.0), time(3.0));
    assert_eq!(plan.rows[0], ("primaries", "3".into()));
    assert_eq!(plan.rows[2], ("partitions to plan", "96".into()));
    // 6.912 million rows of 1,000 bytes and five million events of 100.
    assert_eq!(plan.rows[3], ("memory of each", "2.47 GB".into()));
    let (telling, log) = (2.0 * (2_000.0 + 20.0 * 624.8 / 3.0), calls * 500.0 / 3.0);
    assert_eq!(plan.rows[4].1, share(calls * 100.0 / 3.0 / 1e6));
    assert_eq!(plan.rows[5].1, share(telling / 1e6));
    // What calls receive, what two nodes are told, and the file for a replica.
    let out = calls * 300.0 / 3.0 + 2.0 * 2.0 * 624.8 / 3.0 + log;
    assert_eq!(plan.rows[6].1, bytes_a_second(out));
    assert_eq!(plan.rows[7].1, bytes_a_second(log));
    assert_eq!(plan.rows[8].1, rate(1_008.0 + 604.8 + 20.0));
    // A share of the sessions is lost with a node, and comes at the rate at which it was asked.
    assert_eq!(plan.losing[0].1, "302,000");
    assert_eq!(plan.losing[1].1, "30,200");
    // Three primaries could answer 30,000, and do so much else.
    let left = 30_000.0 * (1.0 - (calls * 100.0 / 3.0 + telling) / 1e6);
    assert_eq!(plan.losing[2].1, share(30_240.0 / left));
    assert_eq!(plan.losing[3].1, seconds(302_400.0 / left));
    assert_eq!(plan.losing[8].1, "33.3 %");
}

#[test]
fn a_plan_for_postgres_is_as_by_hand() {
    let wanted = options(&["--sessions", "6048000", "--routing", "session"]).each().remove(0);
    let measured = measured();
    let plan = one_store(Engine::Postgres, &measured, &wanted).unwrap();
    let said = |name: &str| plan.rows.iter().find(|(of, _)| *of == name).unwrap().1.clone();
    assert_eq!(said("on disk, without the write-ahead log"), "7.41 GB");
    // Ten rows in a page: of 691,200 pages 1 - 0.9^10 have an active session.
    let pages: f64 = 691_200.0 * (1.0 - 0.9_f64.powi(10));
    let hot = pages * 8_192.0 + 6_912_000.0 * 180.8;
    assert_eq!(said("of it in use, to be in memory"), bytes(hot));
    let (calls, telling) = (1_234.76e3, 2.0 * (2_000.0 + 20.0 * 624.8));
    near(calls, (1_008.0 + 604.8 + 10_080.0 + 30.0 + 624.8) * 100.0);
    assert_eq!(said("cores at work: calls"), "1.23");
    assert_eq!(said("cores at work: telling the nodes"), cores(telling / 1e6));
    // In 300 seconds so many writes fall on those pages that most are not the first.
    let falling = 300.0 * (604.8 + 10_080.0);
    let first = pages * (1.0 - (-falling / pages).exp());
    let others = (1_008.0 + 30.0 + 624.8) * 1_000.0;
    let log = others + (falling * 500.0 + first * 500.0) / 300.0;
    assert_eq!(said("write-ahead log"), bytes_a_second(log));
    assert_eq!(said("connections"), "38");
}

#[test]
fn a_plan_for_one_machine_is_as_by_hand() {
    let wanted = options(&["--sessions", "604800"]).each().remove(0);
    let plan = one_store(Engine::Embedded, &measured(), &wanted).unwrap();
    assert!(plan.fits());
    // People who come, changes, activity, thrice one a second, and events to forget.
    let (loads, writes) = (100.8, 60.48 + 1_008.0 + 3.0 + 62.48);
    near(plan.nodes.cores, (6_048.0 * 10.0 + (loads + writes) * 50.0) / 1e6);
    assert_eq!(plan.rows[1], ("of the one writer's time", share(writes / 10_000.0)));
    assert_eq!(plan.rows[2], ("written to disk", bytes_a_second(writes * 500.0)));
}

#[test]
fn what_does_not_fit_is_divided_among_as_few_stores_as_can_be() {
    let wanted = options(&["--sessions", "1e9", "--routing", "session"]).each().remove(0);
    let measured = measured();
    let (most, short) = largest(Engine::Postgres, &measured, &wanted).unwrap();
    let of = |sessions| Wanted { sessions, ..wanted.clone() };
    assert!(one_store(Engine::Postgres, &measured, &of(most * 0.999)).unwrap().fits());
    assert!(!one_store(Engine::Postgres, &measured, &of(most * 1.001)).unwrap().fits());
    assert!(!short.is_empty());
    let plan = plan(Engine::Postgres, &measured, &wanted).unwrap();
    near(plan.stores, (1e9 / most).ceil());
    assert!(plan.fits());
}

#[test]
fn each_row_of_a_table_has_as_many_cells_as_its_head() {
    for (name, part) in book::parts(&measured(), &Options::of_the_page().unwrap().each()).unwrap() {
        let cells = |line: &str| line.matches('|').count();
        let mut lines = part.lines().filter(|line| line.starts_with('|'));
        let Some(head) = lines.next() else { continue };
        lines.for_each(|line| assert_eq!(cells(line), cells(head), "{name}: {line}"));
    }
}

#[test]
fn what_no_number_of_stores_helps_is_told() {
    let told = say(&measured(), &["sizing", "--sessions", "1000", "--fill", "0"]).unwrap_err().to_string();
    assert!(told.contains("no number of stores is enough"), "{told}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for words in [["--active", "1.5"], ["--every", "0"], ["--sessions", "many"], ["--replicas", "0.5"]] {
        assert!(Options::parse(&[&["sizing"], &words[..]].concat()).is_err(), "{words:?}");
    }
}

#[test]
fn figures_survive_being_written_and_what_lacks_some_is_refused() {
    let whole = measured();
    let again = Measured::of(&whole.text().unwrap()).unwrap();
    assert_eq!(again.text().unwrap(), whole.text().unwrap());
    for at in 0..whole.lines.len() {
        let mut lines = whole.lines.clone();
        let gone = lines.remove(at);
        if matches!(&gone, Line::Follow(follow) if follow.engine == "embedded") {
            continue;
        }
        let less = Measured { lines, ..whole.clone() };
        assert!(Measured::of(&less.text().unwrap()).is_err(), "{at}");
    }
}

#[test]
fn the_page_says_what_was_measured_and_what_its_commands_say() {
    let measured = Measured::read(&docs().join("sizing.json")).unwrap();
    let wanted = Options::of_the_page().unwrap().each();
    let page = fs::read_to_string(docs().join("sizing.md")).unwrap();
    let commands = AtomicUsize::new(0);
    let renewed = book::page(&page, &measured, &wanted, &|words| {
        commands.fetch_add(1, Ordering::Relaxed);
        say(&measured, words)
    });
    assert!(page == renewed.unwrap(), "docs/sizing.md is stale: `cargo xtask sizing --write` writes it anew");
    assert_eq!(commands.into_inner(), page.matches("\ncargo xtask ").count(), "each block has one command");
    for (name, plot) in plots::all(&measured).unwrap() {
        let kept = fs::read_to_string(docs().join(name)).unwrap();
        assert!(kept == plot, "docs/{name} is stale: `cargo xtask sizing --write` writes it anew");
    }
}
