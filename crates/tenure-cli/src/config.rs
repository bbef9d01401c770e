//! Settings: from flags, the environment, a file, or the defaults, in this order.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tenure::{CookieSettings, Policy, Realm};

use crate::args::ServeArgs;
use crate::files;
use crate::store_url::{AfterClockGap, AfterRestore, StoreUrl};

/// Where the API listens when nothing else is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8700);

/// The configuration file. Flags and the environment (which clap reads) come before it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    listen: Option<SocketAddr>,
    store: Option<String>,
    demo: Option<bool>,
    config_dir: Option<PathBuf>,
    master_key_file: Option<PathBuf>,
    after_restore: Option<AfterRestore>,
    after_clock_gap: Option<AfterClockGap>,
    cookie_name: Option<String>,
    /// The server that administration commands speak to.
    pub(crate) server: Option<String>,
    /// The rule book that the policy begins from, and that `tenure policy check` checks against.
    #[serde(deserialize_with = "preset")]
    pub(crate) preset: Option<tenure::Preset>,
    /// The policy; what it leaves out is as in the preset, or as by default.
    pub(crate) policy: Policy,
}

fn preset<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<tenure::Preset>, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map(Some).map_err(serde::de::Error::custom)
}

impl File {
    /// Reads `path`; without one, everything is as by default.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let file = Self::parse(&text).with_context(|| format!("in {shown}"))?;
        file.policy.validate().with_context(|| format!("in {shown}"))?;
        Ok(file)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut whole: toml::Table = toml::from_str(text)?;
        let Some(toml::Value::String(preset)) = whole.get("preset") else {
            return Ok(toml::from_str(text)?);
        };
        let preset: tenure::Preset = preset.parse().map_err(anyhow::Error::msg)?;
        let mut policy = toml::Table::try_from(preset.policy())?;
        match whole.remove("policy") {
            Some(toml::Value::Table(said)) => merge(&mut policy, said),
            Some(_) => bail!("`policy` is a table"),
            None => {}
        }
        whole.insert("policy".into(), policy.into());
        Ok(whole.try_into()?)
    }
}

/// Puts what `said` says over what is in `table`, table by table.
fn merge(table: &mut toml::Table, said: toml::Table) {
    for (name, value) in said {
        match (table.get_mut(&name), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(said)) => merge(inner, said),
            (_, value) => drop(table.insert(name, value)),
        }
    }
}

/// How `serve` is to run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) store: StoreUrl,
    pub(crate) demo: bool,
    /// The demo has one of its own, so that its sessions can be told from those of others.
    pub(crate) realm: Realm,
    pub(crate) config_dir: Option<PathBuf>,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) after_restore: AfterRestore,
    pub(crate) after_clock_gap: AfterClockGap,
    pub(crate) cookie: CookieSettings,
    pub(crate) policy: Policy,
}

impl Settings {
    /// What flags, the environment and the file say together.
    pub(crate) fn read(args: ServeArgs) -> Result<Self> {
        let file = File::read(args.config.as_deref())?;
        let demo = args.demo.or(file.demo).unwrap_or(false);
        let store = args.store.or(file.store);
        let config_dir = args.config_dir.or(file.config_dir);
        // Nobody is harmed when the demo's own store is set back, thrown away or left alone for a
        // month. Of any other it is not for the demo to decide.
        let (after_restore, after_clock_gap) = match demo && store.is_none() && config_dir.is_none() {
            true => (AfterRestore::Accept, AfterClockGap::Accept),
            false => Default::default(),
        };
        let store = match store {
            Some(url) => url.parse()?,
            None if demo => StoreUrl::Embedded("./tenure-data/demo".into()),
            None => StoreUrl::Embedded("./tenure-data".into()),
        };
        let clock_gap = args.after_clock_gap.or(file.after_clock_gap);
        if clock_gap == Some(AfterClockGap::Accept) && store.is_shared() {
            bail!(
                "--after-clock-gap is about a store in a folder: nodes that share a store go by its clock, and ask \
                 nothing after a pause. Leave it out"
            );
        }
        let cookie = match args.cookie_name.or(file.cookie_name) {
            Some(name) => CookieSettings::new(&name)?,
            None => CookieSettings::default(),
        };
        let usual = || files::default_config_dir().map(|dir| if demo { dir.join("demo") } else { dir });
        Ok(Self {
            listen: args.listen.or(file.listen).unwrap_or(LISTEN),
            store,
            demo,
            realm: if demo { Realm::new("demo")? } else { Realm::default() },
            config_dir: config_dir.or_else(usual),
            master_key_file: args.master_key_file.or(file.master_key_file),
            after_restore: args.after_restore.or(file.after_restore).unwrap_or(after_restore),
            after_clock_gap: clock_gap.unwrap_or(after_clock_gap),
            cookie,
            policy: file.policy,
        })
    }
}
