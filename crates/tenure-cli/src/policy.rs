//! The policy, and how far it is from a rule book.

use anyhow::{Context, Result};
use serde_json::json;
use tenure::Preset;

use crate::args::PolicyArgs;
use crate::config::File;
use crate::exit::{Blame, Exit};
use crate::output::{BAD, GOOD, say, say_json, styled};

/// Prints a policy as the table `[policy]` of a configuration file, with all defaults.
pub(crate) fn show(args: &PolicyArgs) -> Result<Exit> {
    #[derive(serde::Serialize)]
    struct Shown {
        policy: tenure::Policy,
    }
    let file = File::read(args.config.as_deref()).blame_usage()?;
    let shown = Shown { policy: args.preset.map_or(file.policy, Preset::policy) };
    if args.json {
        say_json(&shown)?;
    } else {
        let text = toml::to_string(&shown).context("the policy does not write as TOML")?;
        say(text.trim_end())?;
    }
    Ok(Exit::Done)
}

/// Prints where the policy leaves a preset.
pub(crate) fn check(args: &PolicyArgs) -> Result<Exit> {
    let file = File::read(args.config.as_deref()).blame_usage()?;
    let preset = args.preset.or(file.preset).unwrap_or(Preset::NistAal1);
    let deviations = preset.check(&file.policy);
    let failed = deviations.iter().filter(|d| d.strength == "must" || d.reason.is_none()).count();
    let exit = if failed == 0 { Exit::Done } else { Exit::Found };
    if args.json {
        let deviations = deviations.iter().map(|deviation| {
            json!({
                "field": deviation.field,
                "found": deviation.found,
                "wanted": deviation.wanted,
                "strength": deviation.strength,
                "source": deviation.source,
                "reason": deviation.reason,
            })
        });
        let deviations = deviations.collect::<Vec<_>>();
        say_json(&json!({ "preset": preset.to_string(), "ok": failed == 0, "deviations": deviations }))?;
        return Ok(exit);
    }
    for deviation in &deviations {
        say(deviation.to_string())?;
    }
    let whose = if args.config.is_some() { "the policy" } else { "the default policy" };
    let (ok, count) = (styled(GOOD, "ok:"), deviations.len());
    let points = if count == 1 { "1 point".to_owned() } else { format!("{count} points") };
    say(match (count, failed) {
        (0, _) => format!("{ok} {whose} meets {preset}"),
        (_, 0) => format!("{ok} {whose} leaves {preset} in {points}, each with a reason"),
        _ => format!(
            "{} {whose} leaves {preset} in {points}, {failed} of them against a `must` or without a \
             reason in [policy.deviation_reasons]",
            styled(BAD, "FAILED:")
        ),
    })?;
    Ok(exit)
}
