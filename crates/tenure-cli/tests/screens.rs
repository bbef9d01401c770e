//! What a person or a program sees: help, exit statuses, JSON, colours, completions, manual pages.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::process::Command;

use common::{Home, told};
use serde_json::Value;

/// Every command, as one types it.
const COMMANDS: [&[&str]; 17] = [
    &[],
    &["serve"],
    &["load"],
    &["load", "compare"],
    &["sessions"],
    &["sessions", "list"],
    &["sessions", "show"],
    &["sessions", "end"],
    &["policy"],
    &["policy", "show"],
    &["policy", "check"],
    &["store"],
    &["store", "copy"],
    &["store", "verify"],
    &["store", "backup"],
    &["completions"],
    &["man"],
];

/// The page that names every exit status and every field of JSON.
const PAGE: &str = include_str!("../../../docs/cli.md");

fn help(home: &Home, command: &[&str]) -> String {
    let (code, help, err) = home.run(&[command, &["--help"]].concat());
    assert_eq!((code, err.as_str()), (0, ""), "{command:?}");
    help
}

/// Says that a test did not run, for `cargo xtask test` to count.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// Whether a program is here to be asked.
fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn every_command_there_is_has_an_example_and_fits_a_hundred_columns() {
    let home = Home::new();
    for command in COMMANDS {
        let help = help(&home, command);
        assert!(help.contains("Example:\n") || help.contains("Examples:\n"), "{command:?}: {help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
        let list = help.split("Commands:\n").nth(1).unwrap_or_default();
        let below = list
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next());
        for name in below.filter(|name| *name != "help") {
            let whole = [command, &[name]].concat();
            assert!(COMMANDS.contains(&&*whole), "{whole:?} is in no test");
        }
    }
}

#[test]
fn commands_that_do_something_explain_their_exit_status() {
    let home = Home::new();
    for command in COMMANDS {
        let help = help(&home, command);
        let does = ["serve", "list", "show", "end", "check", "verify", "backup"];
        if command.last().is_none_or(|name| does.contains(name)) {
            assert!(help.contains("Exit status:\n  0  "), "{command:?}: {help}");
        }
    }
}

#[test]
fn each_exit_status_means_what_the_help_says() {
    let home = Home::new();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["policy", "check"], 0, ""),
        (&["man", "--dir", "nowhere"], 1, "nowhere/tenure"),
        (&["serv"], 2, "'serve'"),
        (&["serve", "--store", "nothing"], 2, "embedded:DIR"),
        (&["policy", "show", "--config", "nowhere.toml"], 2, "nowhere.toml"),
        (&["store", "backup", "nowhere", "copy.db"], 2, "there is no store in nowhere"),
        (&["sessions", "list"], 2, "admin-api-key"),
        (&["policy", "check", "--preset", "asvs-l3"], 3, ""),
        (&["store", "verify", "nowhere"], 3, "there is no store in nowhere"),
    ];
    for (args, expected, said) in cases {
        let (code, out, err) = home.run(args);
        assert_eq!(code, expected, "{args:?}: {out}{err}");
        assert!(err.contains(said) && err.is_empty() == said.is_empty(), "{args:?}: {err}");
    }
    let mut nobody = home.tenure(&["sessions", "list", "--server", "http://127.0.0.1:1"]);
    let (code, _, err) = told(nobody.env("TENURE_API_KEY", "tnk_0123456789012345678901").output().unwrap());
    assert_eq!(code, 4, "{err}");
    for status in 0..=4 {
        assert!(PAGE.contains(&format!("| {status} |")), "{status} is not in docs/cli.md");
    }
}

/// The names in a JSON document, at every depth but inside `policy` and `data`.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                into.push(name.clone());
                if name != "policy" && name != "data" {
                    names(value, into);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| names(value, into)),
        _ => {}
    }
}

#[test]
fn what_commands_print_as_json_has_the_documented_names() {
    let home = Home::new();
    home.serve(&[]).stop();
    let cases: [(&[&str], i32, &[&str]); 4] = [
        (&["policy", "show"], 0, &["policy"]),
        (&["policy", "check", "--preset", "asvs-l3"], 3, &["deviations", "ok", "preset"]),
        (&["store", "backup", "tenure-data", "copy.db"], 0, &["bytes", "file", "store"]),
        (
            &["store", "verify", "tenure-data"],
            0,
            &["events", "guests", "ok", "problem_count", "problems", "sessions", "store"],
        ),
    ];
    for (args, expected, fields) in cases {
        let (code, out, err) = home.run(&[args, &["--json"]].concat());
        assert_eq!((code, err.as_str()), (expected, ""), "{args:?}: {out}");
        let json: Value = serde_json::from_str(&out).unwrap();
        let found: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, fields, "{args:?}");
        let mut all = Vec::new();
        names(&json, &mut all);
        for name in all {
            assert!(PAGE.contains(&format!("`{name}`")), "{name} is not in docs/cli.md");
        }
    }
    let bytes = fs::metadata(home.path("copy.db")).unwrap().len();
    assert!(bytes > 0, "the backup is there");
}

#[test]
fn colours_are_for_terminals_unless_somebody_says_otherwise() {
    let home = Home::new();
    let escapes = |args: &[&str], set: &[(&str, &str)]| {
        let output = home.tenure(args).envs(set.iter().copied()).output().unwrap();
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    let commands: [&[&str]; 5] = [
        &["--help"],
        &["policy", "check"],
        &["policy", "check", "--preset", "asvs-l3"],
        &["store", "verify", "nowhere"],
        &["nothing"],
    ];
    for command in commands {
        assert!(!escapes(command, &[]), "{command:?} into a pipe");
        assert!(escapes(command, &[("CLICOLOR_FORCE", "1")]), "{command:?} when forced");
        assert!(!escapes(command, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")]), "{command:?} without");
    }
    let json: &[&str] = &["policy", "check", "--json"];
    assert!(!escapes(json, &[("CLICOLOR_FORCE", "1")]), "JSON is for programs");
    assert!(!escapes(&["completions", "bash"], &[("CLICOLOR_FORCE", "1")]), "so are completions");
    assert!(!escapes(&["man"], &[("CLICOLOR_FORCE", "1")]), "and manual pages");
}

#[test]
fn a_terminal_shows_colours_and_no_color_turns_them_off() {
    if !is_here("script") {
        return skipped("there is no script(1) here, so no terminal");
    }
    let home = Home::new();
    let on_terminal = |set: &[(&str, &str)]| {
        let mut script = Command::new("script");
        let command = format!("{} policy check", env!("CARGO_BIN_EXE_tenure"));
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        script.env_clear().env("HOME", home.path("")).env("TERM", "xterm").envs(set.iter().copied());
        let (code, out, err) = told(script.output().unwrap());
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains("meets nist-aal1"), "{out}");
        out.contains('\u{1b}')
    };
    assert!(on_terminal(&[]));
    assert!(!on_terminal(&[("NO_COLOR", "1")]));
    assert!(!on_terminal(&[("TERM", "dumb")]));
}

/// What `tenure completions` prints for a shell, in a file.
fn completions(home: &Home, shell: &str) -> String {
    let (code, text, err) = home.run(&["completions", shell]);
    assert_eq!((code, err.as_str()), (0, ""), "{shell}");
    for word in ["sessions", "backup", "dry-run"] {
        assert!(text.contains(word), "{shell} does not know {word}");
    }
    home.write(shell, &text)
}

/// Lets a shell read its completions, and gives what it prints when asked so.
fn asked(shell: &str, question: &str) -> Option<String> {
    if !is_here(shell) {
        skipped(&format!("there is no {shell} here"));
        return None;
    }
    let home = Home::new();
    let file = completions(&home, shell);
    let ask = |args: &[&str]| {
        let output = Command::new(shell).env("HOME", home.path("")).args(args).output().unwrap();
        let (code, out, err) = told(output);
        assert_eq!((code, err.as_str()), (0, ""), "{shell} {args:?}: {out}");
        out
    };
    ask(&["-n", &file]);
    Some(match shell {
        "fish" => ask(&["-c", question, &file]),
        _ => ask(&["-c", question, shell, &file]),
    })
}

#[test]
fn bash_completes_commands() {
    let question = "source \"$1\"; complete -p tenure; COMP_WORDS=(tenure sessions e); COMP_CWORD=2; \
                    _tenure tenure e sessions; echo \"${COMPREPLY[*]}\"";
    if let Some(said) = asked("bash", question) {
        assert!(said.contains("-F _tenure") && said.ends_with("tenure\nend\n"), "{said}");
    }
}

#[test]
fn zsh_knows_the_command() {
    let question = "autoload -U compinit; compinit -u -D; source \"$1\"; echo $_comps[tenure]; \
                    whence -f _tenure__subcmd__sessions_commands";
    if let Some(said) = asked("zsh", question) {
        assert!(said.starts_with("_tenure\n") && said.contains("'end:End a session"), "{said}");
    }
}

#[test]
fn fish_completes_commands() {
    if let Some(said) = asked("fish", "source $argv[1]; complete -C 'tenure sessions e'") {
        assert!(said.starts_with("end\t"), "{said}");
    }
}

#[test]
fn elvish_and_powershell_get_completions() {
    let home = Home::new();
    completions(&home, "elvish");
    completions(&home, "powershell");
}

#[test]
fn each_command_has_a_manual_page_that_man_formats() {
    let home = Home::new();
    fs::create_dir(home.path("man")).unwrap();
    let mut command = home.tenure(&["man", "--dir", "man"]);
    command.env("TENURE_LISTEN", "127.0.0.1:4711");
    let (code, out, err) = told(command.output().unwrap());
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let formats = is_here("groff");
    for command in COMMANDS {
        let name = [&["tenure"], command].concat().join("-");
        let file = home.path("man").join(format!("{name}.1"));
        let page = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(page.contains(&format!(".SH {section}\n")), "{name}: no {section}");
        }
        assert!(page.contains(".SH \"EXAMPLE"), "{name}: {page}");
        assert!(!page.contains("4711"), "{name} shows what the environment happens to say");
        if formats {
            let mut groff = Command::new("groff");
            let (code, text, err) =
                told(groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&file).output().unwrap());
            assert_eq!((code, text.as_str(), err.as_str()), (0, "", ""), "{name}");
        }
    }
    assert_eq!(fs::read_dir(home.path("man")).unwrap().count(), COMMANDS.len(), "and no others");
    let (code, page, _) = home.run(&["man"]);
    assert_eq!(code, 0);
    assert_eq!(page, fs::read_to_string(home.path("man/tenure.1")).unwrap());
    if !formats {
        skipped("there is no groff here");
    }
}
