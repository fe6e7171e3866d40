//! B10: DNS queries per core and their latency, for Portolan, other servers, and a bare echo in the same run.
//!
//! Every server runs alone on one core with the same zone and gets the same questions from another core, in turns, so
//! that a machine which slows down slows all of them. What one core can do is taken from the processor time that the
//! server used, for the asking side may be the slower one. Every answer's code and number of records is checked.

mod load;
mod peers;
mod questions;
mod report;
mod serve;
mod socket;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::arguments::{Dns, DnsServe};
use crate::machine::Machine;
use load::Load;
use peers::Peer;
use questions::World;
use report::{Measured, Report};

/// Answers as one of the servers, until the process is ended.
pub(crate) fn serve(arguments: &DnsServe) -> Result<()> {
    serve::run(arguments)
}

/// Measures and prints.
pub(crate) fn run(arguments: &Dns) -> Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    // Before this process keeps to one core, which would be the only one it sees.
    let machine = Machine::describe(scratch.path());
    pin(arguments.client_core)?;
    let world = World::of(arguments.services);
    let questions = world.questions();
    let mut report = Report::new(machine, arguments);
    let (peers, missing) = peers::available(arguments, &world, scratch.path())?;
    report.missing = missing;
    report.servers = peers.iter().map(|peer| Measured::new(peer.name, peer.version.clone())).collect();
    let duration = Duration::from_secs(arguments.seconds);
    for round in 1..=arguments.rounds {
        for (peer, measured) in peers.iter().zip(&mut report.servers) {
            eprintln!("measuring: round {round} of {}, {}", arguments.rounds, peer.name);
            let outcome = one(peer, &questions, duration);
            if let Err(error) = outcome.map(|sample| measured.samples.push(sample)) {
                report.failures.push(format!("{} in round {round}: {error:#}", peer.name));
            }
        }
    }
    print!("{}", report.render());
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Starts a server, measures it, and ends it.
fn one(peer: &Peer, questions: &questions::Questions, duration: Duration) -> Result<report::Sample> {
    let running = peer.start()?;
    let load = Load::new(running.address, questions, peer.is_echo)?;
    load.wait_until_ready()?;
    // Once through everything: caches are warm, and what is wrong shows before it counts.
    load.closed(Duration::from_millis(500))?;
    let before = running.processor_time()?;
    let peak = load.closed(duration)?;
    let used = running.processor_time()?.saturating_sub(before);
    let paced = load.open(peak.rate() / 2.0, duration)?;
    Ok(report::Sample::of(&peak, used, paced))
}

/// Keeps this process on one core.
fn pin(core: usize) -> Result<()> {
    let process = std::process::id().to_string();
    let output = std::process::Command::new("taskset").args(["-acp", &core.to_string(), &process]).output();
    let output = output.context("cannot run `taskset`: install util-linux")?;
    anyhow::ensure!(
        output.status.success(),
        "cannot keep to core {core}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
