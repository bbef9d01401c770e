//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgGroup, Args as Group, Parser, Subcommand};
use tenure::Preset;

use crate::store_url::{AfterClockGap, AfterRestore};

/// User sessions for web back ends: who is signed in, on which device, how strongly, until
/// when, and how that ends.
#[derive(Parser)]
#[command(name = "tenure", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tenure serve --demo                     look around: a demo shop and sample people
  tenure serve                            serve the API, sessions in ./tenure-data
  tenure sessions list --user u_8fa1      what is this user signed in to?
  tenure policy check --preset asvs-l2    where does the policy leave the rule book?

Every option of `serve` can be set by a flag, by the environment variable beside it, or by a field of the
same name in the TOML file of --config; the first of these counts.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API
    Serve(Box<ServeArgs>),
    /// Look at sessions of a running server, and end them
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Look at the policy, and how far it is from a rule book
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look after a store
    #[command(subcommand)]
    Store(StoreCommand),
}

const SERVE_HELP: &str = "\
Keys:
  The master key (64 hexadecimal digits) is taken from TENURE_MASTER_KEY, from
  --master-key-file, or from `master.key` in the configuration folder, which the first start
  makes. The first start also makes the administrator's API key, or takes it from TENURE_API_KEY:
  it is shown once on a terminal, or else written to `admin-api-key` in the configuration
  folder. Only its hash is kept, in `api-keys.json` there; remove that file to get a new one.

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
  absolute_seconds = 28800";

#[derive(Group)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArgs {
    /// A TOML file with these options and the table `policy`
    #[arg(long, env = "TENURE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8700]
    #[arg(long, env = "TENURE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where sessions are kept: `embedded:DIR`, or `memory:` until the process ends
    /// [default: embedded:./tenure-data]
    #[arg(long, env = "TENURE_STORE", value_name = "URL", hide_env_values = true)]
    pub(crate) store: Option<String>,

    /// Also start the demo shop on the next port, with sample people, in
    /// embedded:./tenure-data/demo
    #[arg(long, env = "TENURE_DEMO", value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) demo: Option<bool>,

    /// The folder for keys, outside the store [default: tenure in $XDG_CONFIG_HOME or
    /// ~/.config; its subfolder demo with --demo]
    #[arg(long, env = "TENURE_CONFIG_DIR", value_name = "DIR")]
    pub(crate) config_dir: Option<PathBuf>,

    /// The file with the master key [default: master.key in the configuration folder]
    #[arg(long, env = "TENURE_MASTER_KEY_FILE", value_name = "FILE")]
    pub(crate) master_key_file: Option<PathBuf>,

    /// What to do with a store that is older than it was, such as a restored backup
    /// [default: refuse]
    #[arg(long, env = "TENURE_AFTER_RESTORE", value_name = "DECISION", value_enum)]
    pub(crate) after_restore: Option<AfterRestore>,

    /// What to do when the clock is more than 31 days ahead of the store [default: refuse]
    #[arg(long, env = "TENURE_AFTER_CLOCK_GAP", value_name = "DECISION", value_enum)]
    pub(crate) after_clock_gap: Option<AfterClockGap>,

    /// The name of the session cookie; it begins with __Host- [default: __Host-sid]
    #[arg(long, env = "TENURE_COOKIE_NAME", value_name = "NAME")]
    pub(crate) cookie_name: Option<String>,
}

/// Which server to ask.
#[derive(Group)]
pub(crate) struct Server {
    /// A TOML file with the field `server`
    #[arg(long, env = "TENURE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The server's address; its API key comes from TENURE_API_KEY
    /// [default: http://127.0.0.1:8700]
    #[arg(long, env = "TENURE_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Print the server's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum SessionsCommand {
    /// List live sessions
    List(ListArgs),
    /// Show one session
    Show(ShowArgs),
    /// End a session, all of a user, or all there are
    End(EndArgs),
}

#[derive(Group)]
#[command(after_help = "\
Examples:
  tenure sessions list --user u_8fa1
  tenure sessions list --limit 20 --json

Environment:
  TENURE_API_KEY    an API key with the scope `manage`")]
pub(crate) struct ListArgs {
    /// Only sessions of this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// How many at the most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Where to go on: `next_cursor` of the list before
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Group)]
#[command(after_help = "\
Example:
  tenure sessions show ses_0199a1b2c3d4e5f60718293a4b5c6d7e

Environment:
  TENURE_API_KEY    an API key with the scope `manage`")]
pub(crate) struct ShowArgs {
    /// The session's id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Group)]
#[command(
    group = ArgGroup::new("which").required(true).args(["id", "user", "all"]),
    after_help = "\
Examples:
  tenure sessions end ses_0199a1b2c3d4e5f60718293a4b5c6d7e --note 'lost laptop'
  tenure sessions end --user u_8fa1
  tenure sessions end --all --dry-run

Environment:
  TENURE_API_KEY    an API key with the scope `manage`")]
pub(crate) struct EndArgs {
    /// The session's id
    pub(crate) id: Option<String>,
    /// All sessions of this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Every session there is, guests included
    #[arg(long)]
    pub(crate) all: bool,
    /// A session that goes on
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub(crate) except: Option<String>,
    /// `revoked` or `logout`
    #[arg(long, default_value = "revoked", value_parser = ["revoked", "logout"])]
    pub(crate) reason: String,
    /// What to remember about it
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Only count what would end
    #[arg(long, conflicts_with = "id")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print the policy as TOML, with all defaults
    Show(PolicyArgs),
    /// Say where the policy leaves a preset
    ///
    /// Fails when a rule that the rule book demands (`must`) is left, or when no reason is given
    /// for leaving one it recommends (`should`): reasons go into the table
    /// `policy.deviation_reasons`.
    Check(PolicyArgs),
}

#[derive(Group)]
#[command(after_help = "\
Presets:
  nist-aal1, nist-aal2, nist-aal3    NIST SP 800-63B-4
  asvs-l2, asvs-l3                   OWASP ASVS 5.0 with the Session Management Cheat Sheet

Examples:
  tenure policy show --preset asvs-l2 > policy.toml
  tenure policy check --config /etc/tenure.toml --preset nist-aal2")]
pub(crate) struct PolicyArgs {
    /// A TOML file with `preset` and the table `policy`; without it, the default policy
    #[arg(long, env = "TENURE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The preset: to print, or to check against [default for check: that of the file, or nist-aal1]
    #[arg(long, env = "TENURE_PRESET", value_name = "NAME")]
    pub(crate) preset: Option<Preset>,
}

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything in an embedded store and say what is damaged
    ///
    /// Needs no key and changes nothing; the store may be in use meanwhile. Fails when something
    /// is damaged.
    Verify {
        /// The store's folder
        dir: PathBuf,
    },
    /// Copy an embedded store to a new file
    ///
    /// As it is at this moment; the store may be in use. Keep the master key apart from the copy.
    ///
    /// To put it back: stop the server; remove tenure.db, tenure.db-wal and tenure.db-shm from the
    /// store's folder; put the copy there as tenure.db; start once with `--after-restore`.
    Backup {
        /// The store's folder
        dir: PathBuf,
        /// The file to make
        file: PathBuf,
    },
}
