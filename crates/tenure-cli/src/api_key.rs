//! The administrator's API key: made at the first start, told once, kept as a hash.

use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tenure::Sessions;
use tenure::random::SystemRandom;
use tenure_server::{ApiKey, ApiKeys, KnownKey, Scope};
use zeroize::Zeroizing;

use crate::config::Settings;
use crate::exit::Blame;
use crate::store_url::StoreUrl;
use crate::{files, output};

/// The variable that sets the key at the first start.
const VARIABLE: &str = "TENURE_API_KEY";

/// The file for the key of a first start without a terminal.
const FILE: &str = "admin-api-key";

/// Where whoever started the server finds the administrator's API key.
pub(crate) enum Told {
    /// Above, on the terminal.
    OnTerminal,
    /// In this file.
    InFile(PathBuf),
    /// In the environment.
    Given,
    /// Where an earlier start told it.
    Earlier,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnTerminal => f.write_str("shown above"),
            Self::InFile(path) => write!(f, "in {}", path.display()),
            Self::Given => write!(f, "the one in {VARIABLE}"),
            Self::Earlier => f.write_str(
                "the one from the first start (for a new one, stop, remove api-keys.json from the \
                 configuration folder, and start again)",
            ),
        }
    }
}

/// The API keys that the server knows. The first start makes one.
pub(crate) fn load_or_make(settings: &Settings, sessions: &Sessions) -> Result<(ApiKeys, Told)> {
    let given = given().blame_usage()?;
    let kept = match &settings.store {
        StoreUrl::Memory => None,
        _ => Some(config_dir(settings)?.join("api-keys.json")),
    };
    if let Some(path) = &kept
        && let Some(text) = files::read_private(path)?
    {
        let keys: ApiKeys = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        warn_if_unknown(given.as_ref(), &keys, sessions);
        let told = path.with_file_name(FILE);
        return Ok((keys, if told.exists() { Told::InFile(told) } else { Told::Earlier }));
    }
    let (key, told) = match given {
        Some(key) => (key, Told::Given),
        None => {
            let key = ApiKey::generate(&SystemRandom);
            let told = match std::io::stdout().is_terminal() {
                true => Told::OnTerminal,
                false => Told::InFile(write(settings, &key)?),
            };
            (key, told)
        }
    };
    let now = sessions.now();
    let known = KnownKey::new(&key, "admin", sessions.realm().clone(), [Scope::Admin], now);
    let keys = ApiKeys::new([known]);
    if let Some(path) = &kept {
        files::write_private(path, &format!("{}\n", serde_json::to_string_pretty(&keys)?))?;
    }
    if matches!(told, Told::OnTerminal) {
        let text = Zeroizing::new(format!("administrator's API key, shown this once: {}", key.expose()));
        output::say(&*text)?;
    }
    Ok((keys, told))
}

fn given() -> Result<Option<ApiKey>> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let text = Zeroizing::new(text);
            ApiKey::new(&text).map(Some).with_context(|| format!("in {VARIABLE}"))
        }
        Err(std::env::VarError::NotUnicode(_)) => bail!("{VARIABLE} is no text"),
        _ => Ok(None),
    }
}

/// A key that was set after the first start changes nothing: better said than wondered at.
fn warn_if_unknown(given: Option<&ApiKey>, keys: &ApiKeys, sessions: &Sessions) {
    if let Some(key) = given
        && keys.find(sessions.realm(), key.expose().as_bytes()).is_none()
    {
        tracing::warn!(
            "{VARIABLE} is set to a key that this server does not know; it counts at the first start only"
        );
    }
}

fn config_dir(settings: &Settings) -> Result<&Path> {
    settings
        .config_dir
        .as_deref()
        .context("no place for keys: set HOME or XDG_CONFIG_HOME, or name a folder with --config-dir")
}

fn write(settings: &Settings, key: &ApiKey) -> Result<PathBuf> {
    let name = match settings.store {
        StoreUrl::Memory => "memory-api-key",
        _ => FILE,
    };
    let dir = config_dir(settings).with_context(|| format!("or give an API key in {VARIABLE}"))?;
    let path = dir.join(name);
    files::write_private(&path, &Zeroizing::new(format!("{}\n", key.expose())))?;
    tracing::info!(file = %path.display(), "made the administrator's API key; read it there, then remove the file");
    Ok(path)
}
