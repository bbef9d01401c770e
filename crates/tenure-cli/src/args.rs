//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args as Group, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use tenure::Preset;
use tenure_load::{Mix, Threshold};

use crate::help;
use crate::store_url::{AfterClockGap, AfterRestore};

/// User sessions for web back ends: who is signed in, on which device, how strongly, until
/// when, and how that ends.
#[derive(Parser)]
#[command(name = "tenure", version, max_term_width = 100, after_help = help::page(help::TENURE))]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API
    Serve(Box<ServeArgs>),
    /// Look at sessions of a running server, and end them
    #[command(subcommand, after_help = help::page(help::SESSIONS))]
    Sessions(SessionsCommand),
    /// Look at the policy, and how far it is from a rule book
    #[command(subcommand, after_help = help::page(help::POLICY))]
    Policy(PolicyCommand),
    /// Look after a store
    #[command(subcommand, after_help = help::page(help::STORE))]
    Store(StoreCommand),
    /// Load a server with sessions, and judge its answers
    Load(Box<LoadArgs>),
    /// Print what a shell needs to complete commands and options
    #[command(after_help = help::page(help::COMPLETIONS))]
    Completions {
        /// The shell that is to read it
        shell: Shell,
    },
    /// Print the manual page, or write all of them to a folder
    #[command(after_help = help::page(help::MAN))]
    Man {
        /// The folder to write to: tenure.1, and one page for each command; it must exist
        #[arg(long, value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

#[derive(Group)]
#[command(after_help = help::page(help::SERVE))]
pub(crate) struct ServeArgs {
    /// A TOML file with these options and the table `policy`
    #[arg(long, env = "TENURE_CONFIG", hide_env_values = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8700]
    #[arg(long, env = "TENURE_LISTEN", hide_env_values = true, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where sessions are kept: `embedded:DIR`; `postgres://USER@HOST/DATABASE`, `redis://HOST`,
    /// `redis-sentinel://H1,H2,H3/NAME` or `redis-cluster://H1,H2,H3`, shared by several nodes with the
    /// same master key (with TLS: `rediss...`; `?replicas=1&sslrootcert=FILE` and more are in the book);
    /// or `memory:` until the process ends
    /// [default: embedded:./tenure-data]
    #[arg(long, env = "TENURE_STORE", value_name = "URL", hide_env_values = true)]
    pub(crate) store: Option<String>,

    /// Also start the demo shop on the next port, with sample people, in
    /// embedded:./tenure-data/demo
    #[arg(long, env = "TENURE_DEMO", hide_env_values = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) demo: Option<bool>,

    /// The folder for keys and marks, outside the store [default: tenure in $XDG_CONFIG_HOME or
    /// ~/.config; its subfolder demo with --demo]
    #[arg(long, env = "TENURE_CONFIG_DIR", hide_env_values = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) config_dir: Option<PathBuf>,

    /// The file with the master key [default: master.key in the configuration folder]
    #[arg(long, env = "TENURE_MASTER_KEY_FILE", hide_env_values = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) master_key_file: Option<PathBuf>,

    /// What to do with a store that is older than it was, such as a restored backup
    /// [default: refuse]
    #[arg(long, env = "TENURE_AFTER_RESTORE", hide_env_values = true, value_name = "DECISION", value_enum)]
    pub(crate) after_restore: Option<AfterRestore>,

    /// What to do when the clock is more than 31 days ahead of a store in a folder [default: refuse]
    #[arg(long, env = "TENURE_AFTER_CLOCK_GAP", hide_env_values = true, value_name = "DECISION", value_enum)]
    pub(crate) after_clock_gap: Option<AfterClockGap>,

    /// The name of the session cookie; it begins with __Host- [default: __Host-sid]
    #[arg(long, env = "TENURE_COOKIE_NAME", hide_env_values = true, value_name = "NAME")]
    pub(crate) cookie_name: Option<String>,
}

/// Which server to ask.
#[derive(Group)]
pub(crate) struct Server {
    /// A TOML file with the field `server`
    #[arg(long, env = "TENURE_CONFIG", hide_env_values = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// The server's address [default: http://127.0.0.1:8700]
    #[arg(long, env = "TENURE_SERVER", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) server: Option<String>,

    /// Print the facts as JSON, for programs
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
#[command(after_help = help::page(help::LIST))]
pub(crate) struct ListArgs {
    /// Only sessions of this user
    #[arg(long, value_hint = ValueHint::Other)]
    pub(crate) user: Option<String>,
    /// How many at the most, from 1 to 500
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Where to go on: `next_cursor` of the list before
    #[arg(long, value_hint = ValueHint::Other)]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Group)]
#[command(after_help = help::page(help::SHOW))]
pub(crate) struct ShowArgs {
    /// The session's id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Group)]
#[command(
    group = ArgGroup::new("which").required(true).args(["id", "user", "all"]),
    after_help = help::page(help::END),
)]
pub(crate) struct EndArgs {
    /// The session's id
    pub(crate) id: Option<String>,
    /// All sessions of this user
    #[arg(long, value_hint = ValueHint::Other)]
    pub(crate) user: Option<String>,
    /// Every session there is, guests included
    #[arg(long)]
    pub(crate) all: bool,
    /// A session that goes on: with --user or --all
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub(crate) except: Option<String>,
    /// What the session's end is to be called
    #[arg(long, default_value = "revoked", value_parser = ["revoked", "logout"])]
    pub(crate) reason: String,
    /// What to remember about it, in clear; nothing personal
    #[arg(long, value_hint = ValueHint::Other)]
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
    #[command(after_help = help::page(help::POLICY_SHOW))]
    Show(PolicyArgs),
    /// Say where the policy leaves a preset
    ///
    /// Exits with 3 when a rule that the rule book demands (`must`) is left, or when no reason is
    /// given for leaving one it recommends (`should`): reasons go into the table
    /// `policy.deviation_reasons`.
    #[command(after_help = help::page(help::POLICY_CHECK))]
    Check(PolicyArgs),
}

#[derive(Group)]
pub(crate) struct PolicyArgs {
    /// A TOML file with `preset` and the table `policy` [default: the default policy]
    #[arg(long, env = "TENURE_CONFIG", hide_env_values = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// The preset to print, or to check against [default: that of the file; to check, else
    /// nist-aal1]
    #[arg(long, env = "TENURE_PRESET", hide_env_values = true, value_name = "NAME", value_parser = presets())]
    pub(crate) preset: Option<Preset>,
    /// Print the facts as JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::as_str)).try_map(|name| name.parse::<Preset>())
}

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Move all sessions to another store, of whatever engine
    ///
    /// Everything is copied, compared and handed over, and every token stays valid. A running server is
    /// asked to do it, and serves the new store afterwards; with --from, this process does it itself.
    /// Run it again to go on where it was stopped.
    #[command(after_help = help::page(help::COPY))]
    Copy(Box<CopyArgs>),
    /// Read everything in an embedded store and say what is damaged
    ///
    /// Needs no key and changes nothing; the store may be in use meanwhile. Exits with 3 when
    /// something is damaged.
    #[command(after_help = help::page(help::VERIFY))]
    Verify {
        /// The store's folder
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Print the facts as JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Copy an embedded store to a new file
    ///
    /// As it is at this moment; the store may be in use. Keep the master key apart from the copy.
    #[command(after_help = help::page(help::BACKUP))]
    Backup {
        /// The store's folder
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// The file to make
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print the facts as JSON, for programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Group)]
pub(crate) struct CopyArgs {
    /// The store to move from, which no server of an embedded store serves; nodes may go on serving one
    /// in PostgreSQL or Redis until it is shut [default: that of the running server]
    #[arg(long, env = "TENURE_FROM", hide_env_values = true, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// The empty store to move to: `embedded:DIR`, `postgres://USER@HOST/DATABASE`, `redis://HOST` or another of Redis
    #[arg(long, env = "TENURE_TO", hide_env_values = true, value_name = "URL")]
    pub(crate) to: String,
    /// Give up a copy that was begun: the old store is as before, the new one has to be emptied
    #[arg(long)]
    pub(crate) call_off: bool,
    /// The folder for keys, as for `serve`; with --from
    #[arg(long, env = "TENURE_CONFIG_DIR", hide_env_values = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) config_dir: Option<PathBuf>,
    /// The file with the master key, which both stores have; with --from [default: master.key in the
    /// configuration folder]
    #[arg(long, env = "TENURE_MASTER_KEY_FILE", hide_env_values = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) master_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
}

impl From<CopyArgs> for ServeArgs {
    /// What `serve` would be told to use the old store.
    fn from(args: CopyArgs) -> Self {
        Self {
            config: args.server.config,
            listen: None,
            store: args.from,
            demo: None,
            config_dir: args.config_dir,
            master_key_file: args.master_key_file,
            after_restore: None,
            after_clock_gap: None,
            cookie_name: None,
        }
    }
}

#[derive(Group)]
#[command(after_help = help::page(help::LOAD), args_conflicts_with_subcommands = true)]
pub(crate) struct LoadArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LoadCommand>,
    /// A server's address; several take requests in turn [default: http://127.0.0.1:8700]
    #[arg(long = "server", env = "TENURE_SERVER", hide_env_values = true, value_name = "URL", value_delimiter = ' ', value_hint = ValueHint::Url)]
    pub(crate) servers: Vec<String>,
    /// A TOML file that describes a web application to load in place of Tenure's API
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) scenario: Option<PathBuf>,
    /// How many requests begin in a second, on average
    #[arg(long, default_value_t = 100.0, value_name = "NUMBER")]
    pub(crate) rate: f64,
    /// How long requests begin, after the warm-up, in seconds
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// How long requests begin before they count, in seconds
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// How many live sessions there are at most; the run begins with half of them
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    pub(crate) population: usize,
    /// How many requests run at once at most; others "could not start in time"
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    pub(crate) outstanding: usize,
    /// How long an answer may take, in seconds
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// How often each kind of request comes: KIND=WEIGHT, separated by commas
    #[arg(long, default_value_t = Mix::default(), value_name = "MIX")]
    pub(crate) mix: Mix,
    /// How long after its acknowledgement an end or a change may be unknown to a server, in
    /// seconds [default: 0 with one server, 1 with several]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) bound: Option<Duration>,
    /// What chance begins with: the same gives the same arrivals
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
    /// Exit with 3 when this holds, such as 'p99>50ms'; may be given several times
    #[arg(long, value_name = "CONDITION", value_hint = ValueHint::Other)]
    pub(crate) fail_if: Vec<Threshold>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one HTML page to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum LoadCommand {
    /// Compare two runs: exits with 3 when the second is worse
    #[command(after_help = help::page(help::LOAD_COMPARE))]
    Compare {
        /// The earlier run, as --json wrote it
        #[arg(value_hint = ValueHint::FilePath)]
        before: PathBuf,
        /// The later run
        #[arg(value_hint = ValueHint::FilePath)]
        after: PathBuf,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let time = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    time.filter(|time| time.as_secs() <= 7 * 86_400)
        .ok_or_else(|| "say seconds, such as 30 or 0.5, 604800 at most".into())
}
