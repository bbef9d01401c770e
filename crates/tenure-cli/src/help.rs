//! What stands below the options in `--help`, and in the manual pages.

use clap::builder::StyledStr;

use crate::output::{HEAD, styled};

/// Below everything about one command, with its headings set off.
pub(crate) fn page(text: &str) -> StyledStr {
    let lines = text.lines().map(|line| if is_heading(line) { styled(HEAD, line) } else { line.into() });
    StyledStr::from(lines.collect::<Vec<String>>().join("\n"))
}

/// Whether a line of such a text begins a section.
pub(crate) fn is_heading(line: &str) -> bool {
    !line.starts_with(' ') && line.ends_with(':')
}

pub(crate) const TENURE: &str = "\
Examples:
  tenure serve --demo                     look around: a demo shop and sample people
  tenure serve                            serve the API, sessions in ./tenure-data
  tenure sessions list --user u_8fa1      what is this user signed in to?
  tenure policy check --preset asvs-l2    where does the policy leave the rule book?
  tenure store backup ./tenure-data /mnt/backup/tenure.db

Exit status:
  0  done
  1  not done; stderr says why
  2  the command line, the environment or the configuration file is wrong, or the
     operator has to decide something first; stderr names it
  3  done, and what was looked at is not as it should be: the policy leaves its
     preset, or the store is damaged
  4  nobody answers at the moment: the same command may work later

Output:
  Facts go to stdout, everything else to stderr. Commands that print facts take --json;
  the names in it stay as they are from release to release. Colours are for terminals:
  NO_COLOR=1 turns them off, CLICOLOR_FORCE=1 on.

Settings:
  Every option of `serve` can be set by a flag, by the environment variable beside it, or
  by a field of the same name in the TOML file of --config; the first of these counts.
  Times whose names end in _seconds are whole seconds; others are RFC 3339 in UTC.";

pub(crate) const SERVE: &str = "\
Keys:
  The master key (64 hexadecimal digits) is taken from TENURE_MASTER_KEY, from
  --master-key-file, or from `master.key` in the configuration folder, which the first
  start makes. The first start also makes the administrator's API key, or takes it from
  TENURE_API_KEY: it is shown once on a terminal, or else written to `admin-api-key` in the
  configuration folder. Only its hash is kept, in `api-keys.json` there; remove that file to
  get a new one.

Examples:
  tenure serve --demo
  tenure serve --store embedded:/var/lib/tenure --config /etc/tenure.toml
  TENURE_LISTEN=127.0.0.1:9000 tenure serve
  TENURE_LOG=tenure=debug tenure serve    say more on stderr (RUST_LOG works too)

A configuration file:
  listen = \"127.0.0.1:8700\"
  store = \"embedded:/var/lib/tenure\"

  preset = \"asvs-l2\"        # what [policy] leaves out is as in this rule book
  [policy]
  max_sessions = 10
  [policy.session]
  idle_seconds = 1800
  absolute_seconds = 28800

Output:
  One line on stdout for each thing that listens, such as `api http://127.0.0.1:8700`, once
  it does. The log is on stderr.

Exit status:
  0  stopped by SIGTERM or SIGINT: running requests finished, everything is written
  1  something failed, such as an address that is taken
  2  a setting is wrong, or the operator has to decide (--after-restore, --after-clock-gap)
  3  the store is damaged
  4  the store cannot be reached";

pub(crate) const SESSIONS: &str = "\
Examples:
  tenure sessions list --user u_8fa1
  tenure sessions end --user u_8fa1 --note 'lost laptop'

Environment:
  TENURE_API_KEY    an API key with the scope `manage`; the administrator's is shown, or
                    written to `admin-api-key` in the configuration folder, at the server's
                    first start
  TENURE_SERVER     the server's address";

pub(crate) const LIST: &str = "\
Examples:
  tenure sessions list --user u_8fa1
  tenure sessions list --limit 20 --json | jq -r '.sessions[].id'

JSON:
  {\"sessions\": [session, ...], \"next_cursor\": \"...\" or null}, with sessions as the HTTP API
  shows them (docs/openapi.json)

Environment:
  TENURE_API_KEY    an API key with the scope `manage`

Exit status:
  0  listed, also when there are none
  1  the server refused
  2  no API key or a wrong one, or a wrong address
  4  no server answers, or it has too much to do";

pub(crate) const SHOW: &str = "\
Example:
  tenure sessions show ses_0199a1b2c3d4e5f60718293a4b5c6d7e

JSON:
  The session as the HTTP API shows it (docs/openapi.json)

Environment:
  TENURE_API_KEY    an API key with the scope `manage`

Exit status:
  0  shown; a session that ended is shown too, with its reason
  1  there is no such session (`session_not_found`), or the server refused
  2  no API key or a wrong one, or a wrong address
  4  no server answers, or it has too much to do";

pub(crate) const END: &str = "\
Examples:
  tenure sessions end ses_0199a1b2c3d4e5f60718293a4b5c6d7e --note 'lost laptop'
  tenure sessions end --user u_8fa1
  tenure sessions end --all --dry-run

JSON:
  {\"matched\": 3, \"ended\": 3, \"more\": false}; for one ID, {\"session\": \"ses_...\", \"state\": \"ended\"}

Environment:
  TENURE_API_KEY    an API key with the scope `manage`

Exit status:
  0  ended, also when it had ended already
  1  there is no such session (`session_not_found`), or the server refused
  2  no API key or a wrong one, or a wrong address
  4  no server answers, or it has too much to do; some sessions may have ended";

pub(crate) const POLICY: &str = "\
Presets:
  nist-aal1, nist-aal2, nist-aal3    NIST SP 800-63B-4
  asvs-l2, asvs-l3                   OWASP ASVS 5.0 with the Session Management Cheat Sheet

Examples:
  tenure policy show --preset asvs-l2 > policy.toml
  tenure policy check --config /etc/tenure.toml --preset nist-aal2";

pub(crate) const POLICY_SHOW: &str = "\
Presets:
  nist-aal1, nist-aal2, nist-aal3    NIST SP 800-63B-4
  asvs-l2, asvs-l3                   OWASP ASVS 5.0 with the Session Management Cheat Sheet

Examples:
  tenure policy show --preset asvs-l2 > policy.toml
  tenure policy show --config /etc/tenure.toml --json

JSON:
  {\"policy\": {...}}, with the names of the TOML file

Exit status:
  0  shown
  2  the file or the preset is wrong";

pub(crate) const POLICY_CHECK: &str = "\
Presets:
  nist-aal1, nist-aal2, nist-aal3    NIST SP 800-63B-4
  asvs-l2, asvs-l3                   OWASP ASVS 5.0 with the Session Management Cheat Sheet

Example:
  tenure policy check --config /etc/tenure.toml --preset nist-aal2

JSON:
  {\"preset\": \"nist-aal2\", \"ok\": false, \"deviations\": [{\"field\": \"...\", \"found\": \"...\",
  \"wanted\": \"...\", \"strength\": \"must\" or \"should\", \"source\": \"...\", \"reason\": \"...\" or null}]}

Exit status:
  0  the policy meets the preset, or leaves it where it may and says why
  2  the file or the preset is wrong
  3  the policy leaves the preset against a `must`, or without a reason";

pub(crate) const STORE: &str = "\
Examples:
  tenure store copy --to postgres://tenure@db.example/shop
  TENURE_TO=$(cat /etc/tenure/new) tenure store copy      an address that holds a password
  tenure store backup /var/lib/tenure /mnt/backup/tenure.db
  tenure store verify /var/lib/tenure";

pub(crate) const COPY: &str = "\
What happens:
  1. Everything is copied while nodes serve the old store, and what they do meanwhile is followed.
  2. The old store is frozen: checks go on, what writes is answered 503 with Retry-After. Everything is
     compared once more, counted and summed up. Both have to be the same.
  3. The old store is shut for good, and the new one is served. The log of events stays in the
     old one.

Examples:
  tenure store copy --to postgres://tenure@db.example/shop
  TENURE_TO=$(cat /etc/tenure/new) tenure store copy      an address that holds a password
  tenure store copy --from postgres://tenure@db.example/shop --to redis://cache.example

JSON:
  {\"to\": \"...\", \"sessions\": 3, \"users\": 1, \"frozen_ms\": 40, \"took_ms\": 2100}
  {\"to\": \"...\", \"called_off\": true}

Environment:
  TENURE_API_KEY      an API key with the scope `admin`; not with --from
  TENURE_SERVER       the server's address; not with --from
  TENURE_MASTER_KEY   the master key itself, which comes before files; with --from

Exit status:
  0  moved, or called off
  1  stopped before the end
  2  the new store is not empty, has another master key, or is in use already
  3  something in one of the stores is damaged
  4  one of the stores does not answer, or was written in too much to be frozen";

pub(crate) const VERIFY: &str = "\
Example:
  tenure store verify /var/lib/tenure

JSON:
  {\"store\": \"...\", \"ok\": true, \"sessions\": 3, \"guests\": 1, \"events\": 9, \"problem_count\": 0,
  \"problems\": []}; of the problems, the first hundred

Exit status:
  0  everything is whole
  2  the store was written by a newer release
  3  something is damaged, or no store is there";

pub(crate) const BACKUP: &str = "\
Putting it back:
  1. Stop the server.
  2. Remove tenure.db, tenure.db-wal and tenure.db-shm from the store's folder.
  3. Put the copy there as tenure.db.
  4. Start once with --after-restore end-all-sessions, or accept.

Example:
  tenure store backup /var/lib/tenure /mnt/backup/tenure-$(date +%F).db

JSON:
  {\"store\": \"...\", \"file\": \"...\", \"bytes\": 40960}

Exit status:
  0  copied, and on disk
  1  not copied, such as when the disk is full
  2  there is no store in the folder, or the file exists already or cannot be made
  3  the store is damaged
  4  the store is busy";

pub(crate) const LOAD: &str = "\
Kinds of requests:
  guest    a guest comes; while the population is full, somebody leaves instead
  sign-in  a guest signs in, or somebody new
  check    a session is checked; with --scenario, the page that shows who is signed in
  change   a counter in the session is set; with --scenario, one of [[request]]
  end      somebody signs out
  attack   a made-up token is presented
  ended    the token of an ended session is presented

Examples:
  tenure load --rate 500 --duration 60 --html run.html --json run.json
  tenure load --server http://10.0.0.1:8700 --server http://10.0.0.2:8700 --bound 1
  tenure load --server http://127.0.0.1:8701 --scenario shop.toml --population 3 --rate 20
  tenure load --fail-if 'p99>50ms' --fail-if 'errors>0.1%' --fail-if 'wrong>0'
  tenure load compare before.json run.json

Conditions:
  NAME>LIMIT or NAME<LIMIT, with p50, p90, p99, p99.9, max, mean (us, ms, s), errors, wrong,
  missed (a number, or a share with %), throughput (a second). A run that answered nothing
  crosses each.

Environment:
  TENURE_API_KEY    an API key with the scopes `check`, `issue` and `manage`; not for --scenario
  TENURE_SERVER     the server's address

Exit status:
  0  loaded; stopped by Ctrl-C, too, with the report of what was until then
  1  a report could not be written
  2  an option, the scenario or the API key is wrong
  3  a condition of --fail-if holds
  4  the first sessions could not be made: no server answers, or it refuses";

pub(crate) const LOAD_COMPARE: &str = "\
Example:
  tenure load compare before.json after.json

Exit status:
  0  the second run is not worse
  2  a file is no report
  3  the second run is worse: its p50 or p99 is longer by more than 15 %, or there are more
     errors, requests that could not start in time, or wrong answers";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  bash        tenure completions bash > ~/.local/share/bash-completion/completions/tenure
  zsh         tenure completions zsh > \"${fpath[1]}/_tenure\"
  fish        tenure completions fish > ~/.config/fish/completions/tenure.fish
  elvish      tenure completions elvish >> ~/.config/elvish/rc.elv
  PowerShell  tenure completions powershell >> $PROFILE

Start a new shell afterwards.";

pub(crate) const MAN: &str = "\
Examples:
  tenure man | man -l -                         read the first page
  tenure man --dir ~/.local/share/man/man1      then: man tenure-serve";
