//! The order of the scenarios, and what is cleaned up after them.
//!
//! One federation goes through all of them, so that memory is seen to grow; starts are repeated afterwards. A scenario
//! that fails is noted and the next one runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::ClientError;
use portolan_runtime::client::{Delete, Selection};

use crate::arguments::Arguments;
use crate::arrivals::{Arrivals, Change};
use crate::federation::Federation;
use crate::figure::Figure;
use crate::machine::{self, Machine};
use crate::report::Report;
use crate::walkthrough::Applied;
use crate::{bulk, discovery, memory, objects, propagation, start, walkthrough};

/// Time to come to rest before memory is read.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// What quickstart may use: 150 MB, in MiB.
const MEMORY_TARGET: f64 = 150e6 / 1_048_576.0;
/// What the processes of Karmada's control plane use together, in MiB.
const MEMORY_KARMADA: f64 = 756.0;

const ABOUT: &str = "Control plane and two members share one process; the measuring side is another one and speaks \
                      HTTP/2 over TLS with client certificates. Every write is kept with fdatasync before it is \
                      answered.";

/// Starts a federation beside this process and measures it.
///
/// # Errors
/// When there is no federation to measure; failures of scenarios are in the report.
pub(crate) async fn here(arguments: &Arguments, scope: &Shutdown) -> Result<Report> {
    let scratch = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let mut report = Report::new(Machine::describe(&scratch), ABOUT);
    report.add("disk", disk(&scratch, "before"));
    progress("first start");
    let (federation, first) = start::run(&scratch, scope).await.context("cannot start a federation")?;
    scenarios(&federation, arguments, &mut report).await;
    federation.stop().await;
    let mut starts = vec![first];
    for number in 1..arguments.starts {
        progress(&format!("start {} of {}", number + 1, arguments.starts));
        match start::run(&scratch, scope).await {
            Ok((federation, start)) => {
                federation.stop().await;
                starts.push(start);
            }
            Err(error) => report.add("start", Err(error)),
        }
    }
    report.add("start", Ok(start::figures(&starts)));
    report.add("disk", disk(&scratch, "after"));
    Ok(report)
}

/// Measures the playground that runs on `folder`, and removes from it what was added.
///
/// # Errors
/// As [`here`].
pub(crate) async fn beside(arguments: &Arguments, folder: &Path, scope: &Shutdown) -> Result<Report> {
    let mut report = Report::new(Machine::describe(folder), ABOUT);
    report.add("disk", disk(folder, "before"));
    let federation = Federation::running(folder, scope).await?;
    let applied = scenarios(&federation, arguments, &mut report).await;
    report.add("cleaning up", clean_up(&federation, applied).await.map(|()| Vec::new()));
    report.add("disk", disk(folder, "after"));
    federation.stop().await;
    Ok(report)
}

/// What no write can be faster than, `when` the scenarios run.
fn disk(directory: &Path, when: &str) -> Result<Vec<Figure>> {
    let samples = machine::disk_floor(directory)?;
    Ok(vec![Figure::times(
        format!("disk floor {when} the run: 4 KiB appended and kept by fdatasync"),
        &samples,
    )])
}

async fn scenarios(federation: &Federation, arguments: &Arguments, report: &mut Report) -> Applied {
    let process = arguments.pid.or_else(|| federation.process());
    let mut applied = Applied::default();
    if let Some(process) = process {
        report.add("memory", resident("after the start", Some(MEMORY_TARGET), process).await);
    }
    progress("walkthrough");
    report.add("walkthrough", walkthrough::run(federation, &mut applied).await);
    if let Some(process) = process {
        report.add("memory", resident("after the walkthrough", Some(MEMORY_TARGET), process).await);
    }
    progress("policies");
    match make_namespace(federation).await {
        Ok(()) => report.add("B2", propagation::run(federation, arguments.policies).await),
        Err(error) => report.add("namespace", Err(error)),
    }
    progress("endpoint changes");
    report.add("B1", discovery::run(federation, arguments.changes).await);
    progress("bulk");
    let bulk = bulk_rounds(federation, arguments, process, report).await;
    report.add("bulk", bulk);
    applied
}

/// All rounds; memory is read while the objects of the first are there.
async fn bulk_rounds(
    federation: &Federation,
    arguments: &Arguments,
    process: Option<u32>,
    report: &mut Report,
) -> Result<Vec<Figure>> {
    let (mut rounds, mut withdrawals) = (Vec::new(), Vec::new());
    for round in 0..arguments.bulk_rounds {
        rounds.push(bulk::propagate(federation, round, arguments.bulk).await?);
        if let Some(process) = process.filter(|_| round == 0) {
            report.add("memory", resident("with the bulk in it", None, process).await);
        }
        withdrawals.push(bulk::withdraw(federation, round, arguments.bulk).await?);
    }
    Ok(bulk::figures(arguments.bulk, &rounds, &withdrawals))
}

async fn resident(when: &str, target: Option<f64>, process: u32) -> Result<Vec<Figure>> {
    tokio::time::sleep(IDLE_TIME).await;
    let memory = memory::read(process)?;
    Ok(vec![
        Figure { target, ..Figure::memory(format!("resident memory {when}"), memory.resident) }
            .karmada(MEMORY_KARMADA),
        Figure::memory(format!("peak of resident memory {when}"), memory.peak),
    ])
}

/// Makes the namespace of the scenarios and waits until both members have it.
async fn make_namespace(federation: &Federation) -> Result<()> {
    let namespaces = objects::namespaces();
    let selection = Selection::fields(format!("metadata.name={}", objects::NAMESPACE));
    let (hub, scope) = (&federation.hub, &federation.scope);
    let mut members = Vec::new();
    for client in [&federation.member1, &federation.member2] {
        members.push(Arrivals::open(client, &namespaces, &selection, scope).await?);
    }
    hub.resource::<Object>(&namespaces).create(&objects::namespace()).await?;
    for arrivals in &mut members {
        arrivals.first(|arrival| arrival.change == Change::Added).await.context("the namespace")?;
    }
    Ok(())
}

/// Removes everything that the scenarios may have left in a playground that stays.
async fn clean_up(federation: &Federation, applied: Applied) -> Result<()> {
    walkthrough::remove(federation, applied).await?;
    let policies = federation.hub.resource::<Object>(&objects::cluster_policies());
    for policy in policies.list(&Selection::labels(objects::LABEL)).await?.items {
        policies.delete(&policy.key, &Delete::default()).await?;
    }
    let namespaces = federation.hub.resource::<Object>(&objects::namespaces());
    match namespaces.delete(&objects::namespace().key(), &Delete::background()).await {
        Ok(()) | Err(ClientError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn progress(what: &str) {
    eprintln!("measuring: {what}");
}
