//! The policy, and how far it is from a rule book.

use std::process::ExitCode;

use anyhow::{Context, Result};
use tenure::Preset;

use crate::args::PolicyArgs;
use crate::config::File;
use crate::output;

/// Prints a policy as the table `[policy]` of a configuration file, with all defaults.
pub(crate) fn show(args: &PolicyArgs) -> Result<ExitCode> {
    #[derive(serde::Serialize)]
    struct Shown {
        policy: tenure::Policy,
    }
    let file = File::read(args.config.as_deref())?;
    let policy = args.preset.map_or(file.policy, Preset::policy);
    let text = toml::to_string(&Shown { policy }).context("the policy does not write as TOML")?;
    output::say(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints where the policy leaves a preset.
pub(crate) fn check(args: &PolicyArgs) -> Result<ExitCode> {
    let file = File::read(args.config.as_deref())?;
    let preset = args.preset.or(file.preset).unwrap_or(Preset::NistAal1);
    let deviations = preset.check(&file.policy);
    let mut failed = 0;
    for deviation in &deviations {
        output::say(deviation.to_string())?;
        failed += usize::from(deviation.strength == "must" || deviation.reason.is_none());
    }
    let (count, whose) =
        (deviations.len(), if args.config.is_some() { "the policy" } else { "the default policy" });
    output::say(match (count, failed) {
        (0, _) => format!("ok: {whose} meets {preset}"),
        (_, 0) => format!("ok: {whose} leaves {preset} in {count} points, each with a reason"),
        _ => format!(
            "FAILED: {whose} leaves {preset} in {count} points, {failed} of them against a `must` or without a \
             reason in [policy.deviation_reasons]"
        ),
    })?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
