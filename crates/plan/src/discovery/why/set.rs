//! Hop of the clusterset: whether the client cluster gets the exports of the exporting clusters at all.

use std::collections::BTreeSet;

use super::facts::{Facts, Member, View};
use super::finding::{Finding, joined, of_exporters};
use super::known::HubKind;
use super::traffic;

/// Checks that the client cluster is in the clusterset of the exporters, or has an explicit import.
pub(super) fn set(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some(member) = facts.member(from) else {
        return vec![Finding::broken(
            format!("{from} has not joined this federation"),
            format!(
                "`portolan join {from} --cluster-kubeconfig FILE`; `portolan get clusters` lists the members"
            ),
        )];
    };
    let Some(view) = member.view() else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    if let Some(hidden) = traffic::hidden(facts, member) {
        return vec![hidden];
    }
    let mut found = common(facts, member, view);
    if !found.iter().any(Finding::is_broken) {
        found.extend(traffic::unread(facts));
    }
    found
}

/// What the client cluster has in common with the exporters.
fn common(facts: &Facts, member: &Member, view: &View) -> Vec<Finding> {
    let from = &member.name;
    match member.set() {
        None if view.has_explicit_import() => {
            vec![Finding::Good(format!("the ServiceImport of {from} is explicit and needs no clusterset"))]
        }
        None => vec![not_in_set(facts, member, view)],
        Some(own) => {
            let found: Vec<Finding> =
                facts.valid_exporters().map(|(exporter, _)| shared(facts, from, own, exporter)).collect();
            if found.is_empty() {
                return vec![Finding::Good(format!("{from} is in clusterset {own}"))];
            }
            joined(of_exporters(found))
        }
    }
}

fn not_in_set(facts: &Facts, member: &Member, view: &View) -> Finding {
    let from = &member.name;
    if let Some(listed) = listed(member) {
        return listed;
    }
    let sets: BTreeSet<&str> = facts.valid_exporters().filter_map(|(exporter, _)| exporter.set()).collect();
    let has = if view.import.is_some() { "its ServiceImport is left over" } else { "has no ServiceImport" };
    match sets.first() {
        Some(set) => Finding::broken(
            format!("{from} is in no clusterset and {has}"),
            format!(
                "`portolan clusterset add {set} {from}`, or a policy that sends a ServiceImport to {from}"
            ),
        ),
        None => Finding::broken(
            format!("{from} is in no clusterset and {has}"),
            format!(
                "a policy that sends a ServiceImport {} to {from}, or a clusterset with {from} and the exporters: \
                 `portolan clusterset add SET {from}`",
                facts.service.name
            ),
        ),
    }
}

/// A cluster that a ClusterSet lists and that does not know of it.
fn listed(member: &Member) -> Option<Finding> {
    let (name, listed) = (&member.name, member.known.listed.as_ref()?);
    let why = if listed.message.is_empty() { String::new() } else { format!(": {}", listed.message) };
    Some(Finding::broken(
        format!("ClusterSet {} lists {name}, and {name} is not a member of it yet{why}", listed.set),
        format!("`portolan clusterset list`, and status.members of ClusterSet {}", listed.set),
    ))
}

/// An exporter that a ClusterSet has not taken yet. One that it has taken, and that does not know of it any more, has left.
fn waiting(exporter: &Member) -> Option<Finding> {
    let is_waiting = exporter.known.listed.as_ref().is_some_and(|listed| !listed.message.is_empty());
    listed(exporter).filter(|_| is_waiting)
}

/// Whether an exporter is in the set of the client cluster.
fn shared(facts: &Facts, from: &str, own: &str, exporter: &Member) -> Finding {
    let cluster = &exporter.name;
    match exporter.set() {
        Some(set) if set == own => Finding::Good(format!("{from} and {cluster} are in clusterset {own}")),
        Some(other) => Finding::broken(
            format!("{from} is in clusterset {own}, and {cluster}, which exports it, is in {other}"),
            format!(
                "spec.members of the ClusterSets: `portolan clusterset remove {other} {cluster}`, then `portolan clusterset \
                 add {own} {cluster}`"
            ),
        ),
        None => waiting(exporter).unwrap_or_else(|| {
            let unread = facts.unread(HubKind::ClusterSet);
            let unread = unread.map(|unread| format!(" (ClusterSets were not read: {})", unread.message));
            Finding::broken(
                format!("{cluster} exports it but is in no clusterset{}", unread.unwrap_or_default()),
                format!("`portolan clusterset add {own} {cluster}`"),
            )
        }),
    }
}
