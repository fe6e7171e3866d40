//! Hop of the import: the ServiceImport in the client cluster.

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::{Condition, Service, View as _, condition};
use portolan_api::multicluster::ServiceImportType;
use portolan_object::Object;

use super::facts::{Facts, Member, View, kind_of};
use super::finding::Finding;
use super::import_ports::ports;
use super::unwritten::why_unwritten;

/// Checks that the import exists, is ready, and has the ports and the type of every exporter.
pub(super) fn import(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some((member, view)) = facts.member(from).and_then(|member| Some((member, member.view()?))) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let Some(import) = &view.import else {
        if facts.valid_exporters().next().is_none() {
            return vec![Finding::NotSeen(
                "no export was read, so whether there should be an import is not known".to_owned(),
            )];
        }
        let (cause, next) = why_unwritten(facts, member, view);
        return vec![Finding::broken(format!("{from} has no ServiceImport: {cause}"), next)];
    };
    if let Some(finding) = unusable(facts, from, import) {
        return vec![finding];
    }
    let mut found = ports(facts, from, view, import);
    if !view.has_explicit_import() {
        found.extend(
            facts
                .valid_exporters()
                .filter_map(|(exporter, source)| other_type(facts, exporter, source, import)),
        );
        found.extend(
            facts.valid_exporters().filter_map(|(exporter, source)| conflict(facts, exporter, source)),
        );
    }
    if found.is_empty() {
        let form = if view.has_explicit_import() { "explicit" } else { "of the clusterset" };
        found.push(Finding::Good(format!("{} {form}", kind_of(import))));
    }
    found
}

/// The problem of an import that is being deleted or not ready.
fn unusable(facts: &Facts, from: &str, import: &Object) -> Option<Finding> {
    let name = &facts.service.name;
    let look = facts.kubectl(from, &format!("describe serviceimport {name}"));
    if import.is_deleting() {
        return Some(Finding::broken(
            format!("the ServiceImport in {from} is being deleted"),
            format!("metadata.finalizers of the ServiceImport in {from}: `{look}`"),
        ));
    }
    let Condition { reason, message, .. } =
        condition(import, multicluster::READY).filter(|ready| ready.status == "False")?;
    let next = match reason {
        multicluster::IP_FAMILY_NOT_SUPPORTED => format!(
            "spec.ipFamilies of Service {name} in the exporting clusters, or a second address family for {from}"
        ),
        _ => format!("condition Ready of the ServiceImport in {from}: `{look}`"),
    };
    Some(Finding::broken(format!("the ServiceImport in {from} is not ready ({reason}): {message}"), next))
}

/// A type of an exporter that lost a conflict. Its endpoints get traffic, but the service has the other type.
fn other_type(facts: &Facts, exporter: &Member, view: &View, import: &Object) -> Option<Finding> {
    let service = view.local.as_ref()?;
    let cluster = &exporter.name;
    let is_headless = Service::read(service).is_ok_and(|service| service.spec.is_headless());
    let own =
        if is_headless { ServiceImportType::Headless } else { ServiceImportType::ClusterSetIP }.as_str();
    let used = kind_of(import);
    (own != used).then(|| {
        Finding::warning(
            format!(
                "type conflict: the Service in {cluster} is {own}, the service is {used} by an older export"
            ),
            format!(
                "spec.clusterIP of Service {} in {cluster}: like those of the other clusters",
                facts.service.name
            ),
        )
    })
}

/// Any other conflict, in the words of condition `Conflict`. Traffic flows in spite of it.
fn conflict(facts: &Facts, exporter: &Member, view: &View) -> Option<Finding> {
    let conflict = condition(view.export.as_ref()?, multicluster::CONFLICT)?;
    let reasons: Vec<&str> = conflict.reason.split(',').filter(|reason| !has_own_finding(reason)).collect();
    if !conflict.is_true() || reasons.is_empty() {
        return None;
    }
    let look = facts.kubectl(&exporter.name, &format!("describe serviceexport {}", facts.service.name));
    Some(Finding::warning(
        format!("the exports differ ({}): {}", reasons.join(","), conflict.message),
        format!(
            "the fields that condition Conflict of the ServiceExport in {} names, in Service or ServiceExport: `{look}`",
            exporter.name
        ),
    ))
}

/// Whether the reason of a conflict has a finding of its own: a type.
fn has_own_finding(reason: &str) -> bool {
    reason == multicluster::TYPE_CONFLICT
}
