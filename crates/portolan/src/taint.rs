//! `portolan taint`, `cordon` and `uncordon`: the taints of clusters.

pub(crate) mod arguments;

use anyhow::{Context, Result, bail, ensure};
use portolan_api::cluster::Cluster;
use portolan_object::ObjectKey;
use portolan_plan::clusters::taint_edit::{TaintChange, TaintEdit};
use portolan_runtime::{Client, ClientError};

use crate::servers::connect;
use arguments::{Cordon, Taint};

/// Attempts to write a cluster that other clients change at the same time.
const MAX_ATTEMPTS: usize = 10;

/// Changes taints; the output is karmadactl's.
pub(crate) async fn run(arguments: Taint) -> Result<()> {
    let (clusters, words) = split(&arguments.words)?;
    let edit = TaintEdit::parse(words)?;
    let hub = connect(&arguments.hub).await?;
    for name in clusters {
        let change = change(&hub, name, &edit, arguments.overwrite, arguments.dry_run).await?;
        anstream::println!("cluster/{name} {}{}", change.word(), dry_run(arguments.dry_run));
    }
    Ok(())
}

/// Keeps new workloads from a cluster.
pub(crate) async fn cordon(arguments: Cordon) -> Result<()> {
    set_cordoned(arguments, true).await
}

/// Undoes `cordon`.
pub(crate) async fn uncordon(arguments: Cordon) -> Result<()> {
    set_cordoned(arguments, false).await
}

async fn set_cordoned(arguments: Cordon, is_cordoned: bool) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let (edit, word) = (TaintEdit::cordon(is_cordoned), if is_cordoned { "cordoned" } else { "uncordoned" });
    for name in &arguments.clusters {
        let cluster = get(&hub, name).await?;
        let is_done = match edit.apply(&cluster.spec.taints, true) {
            Ok((_, change)) => change == TaintChange::Unchanged,
            // The taint to remove is not there.
            Err(_) => true,
        };
        if is_done {
            anstream::println!("{name} cluster already {word}");
            continue;
        }
        change(&hub, name, &edit, true, arguments.dry_run).await?;
        anstream::println!("{name} cluster {word}{}", dry_run(arguments.dry_run));
    }
    Ok(())
}

fn dry_run(is_dry_run: bool) -> &'static str {
    if is_dry_run { " (dry run)" } else { "" }
}

async fn get(hub: &Client, name: &str) -> Result<Cluster> {
    match hub.kind::<Cluster>().get(&ObjectKey::cluster(name)).await {
        Ok(cluster) => Ok(cluster),
        Err(error) => Err(error).with_context(|| format!("cannot read cluster {name}")),
    }
}

async fn change(
    hub: &Client,
    name: &str,
    edit: &TaintEdit,
    overwrite: bool,
    is_dry_run: bool,
) -> Result<TaintChange> {
    let mut clusters = hub.kind::<Cluster>();
    if is_dry_run {
        clusters = clusters.dry_run();
    }
    for _ in 0..MAX_ATTEMPTS {
        let mut cluster = get(hub, name).await?;
        let edited = edit.apply(&cluster.spec.taints, overwrite);
        let (taints, change) = edited.with_context(|| format!("cluster {name}"))?;
        if change == TaintChange::Unchanged {
            return Ok(change);
        }
        cluster.spec.taints = taints;
        match clusters.replace(&cluster).await {
            Ok(_) => return Ok(change),
            Err(ClientError::Conflict(_)) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot change the taints of cluster {name}"));
            }
        }
    }
    bail!("cluster {name} is changed by others all the time")
}

/// The clusters, and the taints after them.
fn split(words: &[String]) -> Result<(Vec<&str>, Vec<&str>)> {
    let is_taint = |word: &&str| word.contains(['=', ':']) || word.ends_with('-');
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let first = words.iter().position(is_taint).unwrap_or(words.len());
    let (names, taints) = words.split_at(first);
    if let Some(late) = taints.iter().find(|word| !is_taint(word)) {
        bail!("all clusters must be named before the taints: {late}");
    }
    let names = match names {
        ["cluster" | "clusters", names @ ..] => names,
        [other @ ("node" | "nodes" | "pod" | "pods"), _, ..] => {
            bail!("invalid resource type {other}, only clusters can be tainted")
        }
        names => names,
    };
    ensure!(!names.is_empty(), "name a cluster: portolan taint clusters NAME KEY=VALUE:EFFECT");
    ensure!(!taints.is_empty(), "name a taint: portolan taint clusters NAME KEY=VALUE:EFFECT");
    Ok((names.to_vec(), taints.to_vec()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn clusters_stand_before_taints() {
        let split = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let (names, taints) = super::split(&words).map_err(|error| error.to_string())?;
            Ok::<_, String>(format!("{} | {}", names.join(" "), taints.join(" ")))
        };
        let cases = [
            ("clusters eu us a=b:NoSchedule c-", "eu us | a=b:NoSchedule c-"),
            ("cluster eu a:NoExecute", "eu | a:NoExecute"),
            ("us eu a:NoExecute", "us eu | a:NoExecute"),
        ];
        for (line, want) in cases {
            assert_eq!(split(line).as_deref(), Ok(want), "{line}");
        }
        for (line, part) in [
            ("clusters eu", "name a taint"),
            ("clusters a=b:NoSchedule", "name a cluster"),
            ("clusters eu a- us", "before the taints: us"),
            ("nodes eu a-", "invalid resource type nodes"),
        ] {
            assert!(split(line).is_err_and(|error| error.contains(part)), "{line}");
        }
    }
}
