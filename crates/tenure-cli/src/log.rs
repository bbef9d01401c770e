//! The log, on stderr.

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Begins to log: what `TENURE_LOG` or `RUST_LOG` asks for, or what an operator needs.
pub(crate) fn begin() -> Result<()> {
    let asked = ["TENURE_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(|v| (name, v)));
    let filter = match asked {
        Some((name, value)) => EnvFilter::try_new(&value).with_context(|| format!("in {name}"))?,
        None => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(AutoStream::choice(&std::io::stderr()) != ColorChoice::Never)
        .init();
    Ok(())
}
