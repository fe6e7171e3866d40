//! Hops in the exporting clusters: the export, and ready endpoints.

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::{Condition, Service, View as _, condition};

use super::Finding;
use super::facts::{Facts, Member, View};

/// Checks that there is an export, and that each export is valid.
pub(super) fn export(facts: &Facts) -> Finding {
    let exporters: Vec<(&Member, &View)> = facts.exporters().collect();
    if exporters.is_empty() {
        return not_exported(facts);
    }
    exporters.iter().find_map(|(member, view)| invalid(facts, member, view)).unwrap_or_else(|| {
        let names: Vec<&str> = exporters.iter().map(|(member, _)| member.name.as_str()).collect();
        Finding::Good(format!("exported by {}", names.join(", ")))
    })
}

fn not_exported(facts: &Facts) -> Finding {
    let name = &facts.service.name;
    if let Some((member, _)) = facts.views().find(|(_, view)| view.local.is_some() && !view.serves_api) {
        return Finding::broken(
            format!("{} has the Service but does not serve ServiceExports", member.name),
            format!(
                "put {} into a clusterset with `portolan clusterset add`, which installs their CRDs",
                member.name
            ),
        );
    }
    if let Some((member, _)) = facts.views().find(|(_, view)| view.local.is_some()) {
        let manifest = format!(
            r#"{{"apiVersion":"multicluster.x-k8s.io/v1beta1","kind":"ServiceExport","metadata":{{"name":"{name}"}}}}"#
        );
        return Finding::broken(
            format!("no cluster exports it: {} has the Service but no ServiceExport", member.name),
            format!("`{} <<< '{manifest}'`", facts.kubectl(&member.name, "apply -f -")),
        );
    }
    if let Some((cluster, reason)) = facts.lost().next() {
        return Finding::broken(
            format!("no cluster that answers exports it, and {cluster} cannot be reached: {reason}"),
            format!(
                "make {cluster} reachable, or check its Cluster object with `portolan get clusters {cluster}`"
            ),
        );
    }
    Finding::broken(
        "no cluster has a Service or a ServiceExport of this name",
        "check the name and the namespace; `portolan services -A` lists what is exported",
    )
}

/// The problem of one export.
fn invalid(facts: &Facts, member: &Member, view: &View) -> Option<Finding> {
    let (cluster, name) = (&member.name, &facts.service.name);
    let Some(service) = &view.local else {
        return Some(Finding::broken(
            format!("{cluster} exports it but has no Service of this name"),
            format!("create the Service {name} in {cluster}, or delete the ServiceExport there"),
        ));
    };
    if Service::read(service).is_ok_and(|service| service.spec.kind == "ExternalName") {
        return Some(Finding::broken(
            format!("the Service in {cluster} is of type ExternalName, which cannot be exported"),
            format!(
                "give {name} in {cluster} a type with endpoints (ClusterIP), or delete the ServiceExport"
            ),
        ));
    }
    let export = view.export.as_ref()?;
    let valid = condition(export, multicluster::VALID);
    if let Some(Condition { reason, message, .. }) = valid.filter(|valid| valid.status == "False") {
        return Some(Finding::broken(
            format!("the export of {cluster} is not valid ({reason}): {message}"),
            facts.kubectl(cluster, &format!("describe serviceexport {name}")),
        ));
    }
    // Without a set, a policy may have created explicit imports; in that case no set is needed.
    let others_are_in_sets = facts.views().any(|(_, view)| view.clusterset.is_some());
    let by_policy = facts.views().any(|(_, view)| view.clusterset.is_none() && view.import.is_some());
    (view.clusterset.is_none() && others_are_in_sets && !by_policy).then(|| {
        Finding::broken(
            format!("{cluster} exports it but is in no clusterset"),
            format!("`portolan clusterset add SET {cluster}`"),
        )
    })
}

/// Checks that there is a ready endpoint. An exporter without one is a warning.
pub(super) fn endpoints(facts: &Facts) -> Finding {
    let counts: Vec<(&str, usize, usize)> = facts
        .exporters()
        .map(|(member, view)| {
            (member.name.as_str(), facts.own_ready_addresses(view).len(), facts.own_addresses(view).len())
        })
        .collect();
    let text = |(cluster, ready, all): &(&str, usize, usize)| format!("{cluster}: {ready} of {all} ready");
    let texts: Vec<String> = counts.iter().map(text).collect();
    let empty: Vec<&str> =
        counts.iter().filter(|(_, ready, _)| *ready == 0).map(|(name, ..)| *name).collect();
    let Some(first) = empty.first() else { return Finding::Good(texts.join(", ")) };
    let look = facts.kubectl(
        first,
        &format!("get pods,endpointslices -l kubernetes.io/service-name={}", facts.service.name),
    );
    let next = format!("check the pods that the Service selects: `{look}` and `kubectl describe` them");
    if empty.len() == counts.len() {
        Finding::broken(format!("no ready endpoint ({})", texts.join(", ")), next)
    } else {
        Finding::warning(format!("{} has no ready endpoint ({})", empty.join(", "), texts.join(", ")), next)
    }
}
