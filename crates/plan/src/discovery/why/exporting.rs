//! Hop of the exports: the ServiceExports, and the Services behind them.

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::condition;
use portolan_object::Object;
use serde_json::Value;

use super::facts::{Facts, Member, Namespace, View, validity};
use super::finding::{Finding, joined, of_exporters};
use super::{link, native};
use crate::discovery::export::InvalidExport;

/// Checks that there is an export, and each export.
pub(super) fn export(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        facts.exporters().map(|(member, view)| check(facts, member, view)).collect();
    let in_deletion =
        facts.views().filter_map(|(member, view)| deleting(facts, member, view.export.as_ref()?));
    found.extend(in_deletion);
    if found.is_empty() {
        let mut found = native::unread(facts);
        found.push(not_exported(facts));
        return of_exporters(found);
    }
    let mut found = of_exporters(found);
    found.extend(facts.exporters().filter_map(|(member, view)| going(facts, member, view)));
    joined(found)
}

/// The namespace of an exporter is being deleted, with all that is in it.
fn going(facts: &Facts, member: &Member, view: &View) -> Option<Finding> {
    let (cluster, namespace) = (&member.name, &facts.service.namespace);
    (view.namespace == Namespace::Deleting).then(|| {
        Finding::warning(
            format!("namespace {namespace} of {cluster} is being deleted: the Service and its export go with it"),
            format!("export it from another cluster, or create namespace {namespace} in {cluster} again when it is gone"),
        )
    })
}

/// An export that is being deleted counts as deleted. `None` for any other.
fn deleting(facts: &Facts, member: &Member, export: &Object) -> Option<Finding> {
    if !export.is_deleting() {
        return None;
    }
    let finalizers = export.at(&["metadata", "finalizers"]).and_then(Value::as_array);
    let finalizers: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    let name = &facts.service.name;
    Some(Finding::broken(
        format!(
            "the ServiceExport in {} is being deleted since {} and waits for metadata.finalizers {}: it exports nothing",
            member.name,
            export.str_at(&["metadata", "deletionTimestamp"]),
            finalizers.join(", ")
        ),
        format!(
            "let the owner of {} finish, or remove it from metadata.finalizers: `{}`; then create the ServiceExport again",
            finalizers.first().copied().unwrap_or("the finalizer"),
            facts.kubectl(&member.name, &format!("edit serviceexport {name}"))
        ),
    ))
}

fn check(facts: &Facts, member: &Member, view: &View) -> Finding {
    let (cluster, name) = (&member.name, &facts.service.name);
    match validity(member, view) {
        Ok(()) => {}
        Err(InvalidExport::NoService(_)) if view.local.is_some() => {
            let look = facts.kubectl(cluster, &format!("get service {name} -o yaml"));
            return Finding::broken(
                format!("the Service in {cluster} is being deleted, so that {cluster} exports nothing"),
                format!(
                    "metadata.finalizers of Service {name} in {cluster}, then create it again: `{look}`; or delete the \
                     ServiceExport there"
                ),
            );
        }
        Err(InvalidExport::NoService(_)) => {
            return Finding::broken(
                format!("{cluster} exports it but has no Service of this name"),
                format!("create the Service {name} in {cluster}, or delete the ServiceExport there"),
            );
        }
        Err(InvalidExport::ExternalName(_)) => {
            return Finding::broken(
                format!("the Service in {cluster} is of type ExternalName, which cannot be exported"),
                format!(
                    "spec.type of Service {name} in {cluster}: a type with endpoints, such as ClusterIP; or delete the \
                     ServiceExport"
                ),
            );
        }
        Err(invalid) => {
            let object = match invalid {
                InvalidExport::Port(_) | InvalidExport::UnreadableService(_) => "Service",
                _ => "ServiceExport",
            };
            return Finding::broken(
                format!("the export of {cluster} is not valid ({}): {invalid}", invalid.reason()),
                format!(
                    "correct the {object} {name} in {cluster}: `{}`",
                    facts.kubectl(cluster, &format!("edit {} {name}", object.to_lowercase()))
                ),
            );
        }
    }
    let valid = view.export.as_ref().and_then(|export| condition(export, multicluster::VALID));
    match valid {
        Some(valid) if valid.is_true() => Finding::Good(format!("exported by {cluster}")),
        _ => Finding::warning(
            format!("the control plane has not seen the present ServiceExport of {cluster} yet"),
            format!("if this stays: condition Ready of Cluster {cluster}: `portolan get clusters {cluster}`"),
        ),
    }
}

fn not_exported(facts: &Facts) -> Finding {
    let name = &facts.service.name;
    let is_named = |member: &Member| facts.views().any(|(_, view)| facts.names_exporter(view, member));
    let lost: Vec<_> = facts.lost().collect();
    if let Some((member, _)) = lost.iter().find(|(member, _)| is_named(member)) {
        return Finding::NotSeen(format!("the ServiceExport of {} was not read", member.name));
    }
    if let Some((member, _)) = facts.views().find(|(_, view)| view.local.is_some() && !view.serves_api) {
        let cluster = &member.name;
        return Finding::broken(
            format!("{cluster} has the Service but does not serve ServiceExports"),
            format!(
                "`portolan clusterset add SET {cluster}`, which installs their CustomResourceDefinitions"
            ),
        );
    }
    if let Some((member, _)) = facts.views().find(|(_, view)| view.local.is_some()) {
        let manifest = format!(
            r#"{{"apiVersion":"multicluster.x-k8s.io/v1beta1","kind":"ServiceExport","metadata":{{"name":"{name}"}}}}"#
        );
        return Finding::broken(
            format!(
                "no cluster exports it: {} has the Service but no ServiceExport{}",
                member.name,
                kept(facts)
            ),
            format!("`{} <<< '{manifest}'`", facts.kubectl(&member.name, "apply -f -")),
        );
    }
    if let Some((member, lost)) = lost.first() {
        let cluster = &member.name;
        return Finding::unclear(
            format!(
                "no cluster that was read exports it, and {cluster} was not read: {} ({lost})",
                lost.cause
            ),
            link::cure(member, lost),
        );
    }
    Finding::broken(
        format!("no cluster has a Service or a ServiceExport of this name{}", kept(facts)),
        "check the name and --namespace; `portolan services -A` lists what is exported",
    )
}

/// Endpoints that clusters still have of a service without an export.
fn kept(facts: &Facts) -> String {
    let holders: Vec<&str> = facts
        .views()
        .filter(|(_, view)| facts.imported_slices(view).next().is_some())
        .map(|(member, _)| member.name.as_str())
        .collect();
    if holders.is_empty() {
        String::new()
    } else {
        format!("; {} still has endpoints of it", holders.join(", "))
    }
}
