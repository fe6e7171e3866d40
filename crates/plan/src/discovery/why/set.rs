//! Hop of the clusterset: whether the client cluster gets the exports of the exporting clusters at all.

use std::collections::BTreeSet;

use super::facts::{Facts, Member, View};
use super::finding::{Finding, joined, of_exporters};
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
    match member.set() {
        None if view.has_explicit_import() => {
            vec![Finding::Good(format!("the ServiceImport of {from} is explicit and needs no clusterset"))]
        }
        None => vec![not_in_set(facts, member, view)],
        Some(own) => {
            let found: Vec<Finding> =
                facts.valid_exporters().map(|(exporter, _)| shared(from, own, exporter)).collect();
            if found.is_empty() {
                return vec![Finding::Good(format!("{from} is in clusterset {own}"))];
            }
            joined(of_exporters(found))
        }
    }
}

fn not_in_set(facts: &Facts, member: &Member, view: &View) -> Finding {
    let from = &member.name;
    if let Some(listed) = &member.known.listed {
        let why = if listed.message.is_empty() { String::new() } else { format!(": {}", listed.message) };
        return Finding::broken(
            format!("ClusterSet {} lists {from}, and {from} is not a member of it yet{why}", listed.set),
            format!("`portolan clusterset list`, and status.members of ClusterSet {}", listed.set),
        );
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

/// Whether an exporter is in the set of the client cluster.
fn shared(from: &str, own: &str, exporter: &Member) -> Finding {
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
        None => Finding::broken(
            format!("{cluster} exports it but is in no clusterset"),
            format!("`portolan clusterset add {own} {cluster}`"),
        ),
    }
}
