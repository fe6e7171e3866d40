//! Hop of the links: which clusters could be read, and which the control plane follows.
//!
//! A lost link changes nothing in the clusters: importing clusters keep the endpoints that they have. So it is never said
//! that the service does not answer because of it.

use portolan_api::conditions::cluster;

use super::facts::{Facts, Member};
use super::finding::{Finding, joined};
use super::known::Ready;
use crate::discovery::{Lost, LostCause};

/// Checks the links to the exporters and to the client cluster.
pub(super) fn link(facts: &Facts, from: &str) -> Vec<Finding> {
    let has_exporter = facts.valid_exporters().next().is_some();
    let mut found = Vec::new();
    for (member, lost) in facts.lost() {
        let is_client = member.name == from;
        let held = holders(facts, member);
        if held.is_empty() && !is_client {
            continue;
        }
        let name = &member.name;
        let mut cause = format!("{name} was not read: {}{} ({lost})", lost.cause, since(member));
        if is_client {
            cause.push_str("; whether clients there get answers is not known");
        }
        if !held.is_empty() {
            cause.push_str(&format!("; {}; whether they answer is not known", held.join(", ")));
        }
        let next = cure(member, lost);
        let finding = if has_exporter && !is_client {
            Finding::warning(cause, next)
        } else {
            Finding::unclear(cause, next)
        };
        found.push(finding);
    }
    let concerned = facts.exporters().map(|(member, _)| member).chain(facts.member(from));
    for member in concerned.filter(|member| member.view.is_ok()) {
        if let Some(finding) = member.not_ready().map(|ready| not_followed(member, ready))
            && !found.contains(&finding)
        {
            found.push(finding);
        }
    }
    for (member, _) in facts.exporters().filter(|(member, _)| member.name != from) {
        found.extend(leaving(member));
    }
    found.extend(facts.member(from).and_then(leaving));
    let read: Vec<&str> = facts.views().map(|(member, _)| member.name.as_str()).collect();
    if !read.is_empty() {
        found.push(Finding::Good(format!(
            "read: {}{}{}",
            read.join(", "),
            unrelated(facts, from),
            not_allowed(facts)
        )));
    }
    joined(found)
}

/// What to do about a cluster that was not read. One that answers the control plane is probably only slow.
pub(super) fn cure(member: &Member, lost: &Lost) -> String {
    let is_followed = member.known.ready.as_ref().is_some_and(|ready| ready.is_ready);
    let cure = lost.cure(&member.name);
    if is_followed && lost.cause == LostCause::Silent {
        return format!(
            "ask again in some seconds, as condition Ready of Cluster {} is True; if it stays, {cure}",
            member.name
        );
    }
    cure
}

/// Clusters that hold endpoints of a lost one, such as `c sends traffic to 2 endpoints of b`.
fn holders(facts: &Facts, lost: &Member) -> Vec<String> {
    let holds = |(member, view): (&Member, &super::View)| {
        if let Some(usage) = facts.not_used(view, lost) {
            return Some(format!("in {} the endpoints of {} are {usage}", member.name, lost.name));
        }
        let count = facts.received(view, lost).len();
        facts
            .names_exporter(view, lost)
            .then(|| format!("{} sends traffic to {count} endpoints of {}", member.name, lost.name))
    };
    facts.views().filter_map(holds).collect()
}

/// Clusters that were not read and that nothing connects with the service.
fn unrelated(facts: &Facts, from: &str) -> String {
    let names: Vec<String> = facts
        .lost()
        .filter(|(member, _)| member.name != from && holders(facts, member).is_empty())
        .map(|(member, lost)| format!("{} ({})", member.name, lost.cause))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; not read, and no cluster has endpoints of them: {}", names.join(", "))
}

/// Resources of clusters that may not be read, and that would only explain a problem.
fn not_allowed(facts: &Facts) -> String {
    let of_member = |(member, view): (&Member, &super::View)| {
        (!view.unread.is_empty())
            .then(|| format!("; in {} not allowed: {}", member.name, view.unread.join(", ")))
    };
    facts.views().filter_map(of_member).collect()
}

/// A member that is being removed from the federation.
fn leaving(member: &Member) -> Option<Finding> {
    let (name, cluster) = (&member.name, member.known.cluster.as_ref()?);
    cluster.metadata.is_deleting().then(|| {
        Finding::warning(
            format!("{name} is leaving the federation: its Cluster object is being deleted"),
            format!(
                "`portolan join {name} --cluster-kubeconfig FILE` after it is gone, if {name} shall stay"
            ),
        )
    })
}

/// A member that could be read and that the control plane does not follow.
fn not_followed(member: &Member, ready: &Ready) -> Finding {
    let name = &member.name;
    let next = match ready.reason.as_str() {
        cluster::HELD_BY_ANOTHER => {
            format!(
                "`portolan join {name} --take-over --cluster-kubeconfig FILE`, if this control plane shall have it"
            )
        }
        cluster::CREDENTIAL_REFUSED | cluster::CREDENTIAL_SUSPENDED => {
            format!(
                "`portolan join {name} --cluster-kubeconfig FILE` again: it replaces the credential of Cluster {name}"
            )
        }
        _ => format!(
            "condition Ready of Cluster {name}: `kubectl describe cluster {name}` on the control plane"
        ),
    };
    Finding::warning(
        format!(
            "the control plane does not follow changes in {name}{}: Ready is {} ({})",
            since(member),
            ready.reason,
            ready.message
        ),
        next,
    )
}

/// ` since TIME` from condition `Ready` of the Cluster object, if the control plane has noticed.
pub(super) fn since(member: &Member) -> String {
    match member.not_ready() {
        Some(ready) if !ready.since.is_empty() => format!(" since {}", ready.since),
        Some(_) => String::new(),
        None => ", which the control plane has not noticed yet".to_owned(),
    }
}
