//! Why the control plane has not written to the client cluster what it should have.

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::condition;

use super::facts::{Facts, Member, Namespace, View};
use super::known::{HubKind, title_of_native};

/// Cause and next step for an object of the import that is missing or outdated in `member`.
pub(super) fn why_unwritten(facts: &Facts, member: &Member, view: &View) -> (String, String) {
    let (from, namespace) = (&member.name, &facts.service.namespace);
    if let Some(problem) = without_namespace(facts, from, view) {
        return problem;
    }
    if !view.serves_api && facts.native().is_none() {
        return (
            format!("{from} does not serve ServiceImports"),
            format!(
                "the CustomResourceDefinition serviceimports.multicluster.x-k8s.io in {from}: `portolan clusterset add SET {from}` installs it"
            ),
        );
    }
    if let Some(foreign) = view.foreign_derived(&facts.service).filter(|_| facts.native().is_none()) {
        return (
            format!(
                "Service {} in {from} has the name that the import needs and is not Portolan's",
                foreign.key()
            ),
            format!(
                "delete or rename it: `{}`",
                facts.kubectl(from, &format!("delete service {}", foreign.name()))
            ),
        );
    }
    // A MultiClusterService needs no ServiceImport.
    let is_needed = |right: &&String| facts.native().is_none() || !right.ends_with(" serviceimports");
    let missing: Vec<&str> = view.missing_rights.iter().filter(is_needed).map(String::as_str).collect();
    if !missing.is_empty() {
        return (
            format!(
                "the account of the control plane in {from} may not {} in namespace {namespace}",
                missing.join(", ")
            ),
            format!("`portolan cluster permissions {from} --all --apply --cluster-kubeconfig FILE`"),
        );
    }
    if let Some(problem) = told_by_the_service(facts) {
        return problem;
    }
    if let Some(told) = told_to_exporters(facts, from) {
        return (
            format!("the control plane cannot write the import to {from}: {told}"),
            format!(
                "correct what condition Ready of the ServiceExport {} says about {from}",
                facts.service.name
            ),
        );
    }
    if let Some(ready) = member.not_ready() {
        return (
            format!(
                "the control plane does not write to {from}: Ready is {} ({})",
                ready.reason, ready.message
            ),
            format!(
                "condition Ready of Cluster {from}: `kubectl describe cluster {from}` on the control plane"
            ),
        );
    }
    let policies = facts.unread(HubKind::TrafficPolicy).map(|unread| {
        format!(", or a TrafficPolicy keeps it back, and {} may not be read", unread.kind.resource())
    });
    (
        format!("the control plane has not written it to {from} yet{}", policies.unwrap_or_default()),
        "ask again in some seconds; if it stays, see that `portolan server` runs, and its log".to_owned(),
    )
}

/// A namespace that is missing or being deleted.
fn without_namespace(facts: &Facts, from: &str, view: &View) -> Option<(String, String)> {
    let namespace = &facts.service.namespace;
    match view.namespace {
        Namespace::Missing => Some((
            format!(
                "{from} has no namespace {namespace}, and nothing is imported where the namespace is missing"
            ),
            format!("`kubectl --context {from} create namespace {namespace}`"),
        )),
        Namespace::Deleting => Some((
            format!("namespace {namespace} of {from} is being deleted"),
            format!("wait until it is gone, then `kubectl --context {from} create namespace {namespace}`"),
        )),
        Namespace::Present => None,
    }
}

/// What the conditions of a MultiClusterService say.
fn told_by_the_service(facts: &Facts) -> Option<(String, String)> {
    let native = facts.native().filter(|native| !native.problem.is_empty())?;
    let (title, service) = (title_of_native(&facts.service), &facts.service);
    Some((
        native.problem.clone(),
        format!(
            "correct what the conditions of {title} say: `kubectl --namespace {} describe multiclusterservice {}` on the control \
             plane",
            service.namespace, service.name
        ),
    ))
}

/// What condition `Ready` of an export says about an importing cluster.
fn told_to_exporters(facts: &Facts, from: &str) -> Option<String> {
    facts.exporters().find_map(|(_, view)| {
        let ready = condition(view.export.as_ref()?, multicluster::READY)?;
        let (_, after) = ready.message.split_once(&format!("cluster {from}: "))?;
        let end = after.find("; cluster ").unwrap_or(after.len());
        after.get(..end).map(str::to_owned)
    })
}
