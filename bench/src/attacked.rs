//! Scenario: health checks of a server under attack.
//!
//! Runs `portolan-attack` some times, each with another seed, and reports the P99 of the health checks of each run. A check
//! opens a connection of its own; the attacker runs on the same machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use portolan_net::Shutdown;
use serde::Deserialize;
use tokio::process::Command;

use crate::arguments::Attacked;
use crate::figure::{Figure, Unit};
use crate::machine::Machine;
use crate::report::Report;

const ABOUT: &str = "A server alone, attacked by portolan-attack on the same machine. Each sample is the P99 of the health \
                     checks of one run; a check opens a TLS connection of its own every 100 ms.";
/// Health checks take less than this, in milliseconds.
const TARGET: f64 = 100.0;

/// What the attacker writes about one class.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfClass {
    checks: usize,
    failed: usize,
    p99_milliseconds: f64,
}

/// Attacks, and reports the health checks.
///
/// # Errors
/// When the attacker cannot be run.
pub(crate) async fn run(arguments: &Attacked, scope: &Shutdown) -> Result<Report> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut report = Report::new(Machine::describe(scratch.path()), ABOUT);
    let mut p99s: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..arguments.rounds {
        eprintln!("measuring: attack {} of {}", round + 1, arguments.rounds);
        let file = scratch.path().join("checks.json");
        let attack = attack(arguments, round, &file);
        let is_held = tokio::select! {
            is_held = attack => is_held?,
            () = scope.requested() => break,
        };
        if !is_held {
            let seed = u64::from(round);
            report.add("attack", Err(anyhow::anyhow!("an attack succeeded with seed {seed}")));
        }
        let text = std::fs::read_to_string(&file).context("the attacker wrote no times")?;
        let classes: BTreeMap<String, OfClass> = serde_json::from_str(&text)?;
        for (class, checks) in classes {
            if checks.failed > 0 {
                let failed = anyhow::anyhow!("{} of {} health checks failed", checks.failed, checks.checks);
                report.add(&class, Err(failed));
            }
            p99s.entry(class).or_default().push(checks.p99_milliseconds);
        }
    }
    report.figures.extend(p99s.into_iter().map(|(class, samples)| Figure {
        name: format!("P99 of health checks, attack {class}"),
        unit: Unit::Milliseconds,
        target: Some(TARGET),
        karmada: None,
        samples,
    }));
    Ok(report)
}

/// One run of the attacker; whether no attack succeeded.
async fn attack(arguments: &Attacked, seed: u32, times: &Path) -> Result<bool> {
    let mut command = Command::new(&arguments.attack);
    command.arg("--portolan").arg(&arguments.portolan).arg("--json").arg(times);
    command.args(["--seconds", &arguments.seconds.to_string(), "--seed", &seed.to_string()]);
    command.args(&arguments.classes).stdout(Stdio::null()).kill_on_drop(true);
    let status = command.status().await;
    Ok(status.with_context(|| format!("cannot run {}", arguments.attack.display()))?.success())
}
