//! Migration of imports from another implementation of the Multi-Cluster Services API, or from the explicit form, into the member's
//! cluster set, without a change of the addresses that clients use.
//!
//! The import and its derived Service get the labels of the set. The set then keeps both as its own.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::annotations::service_import::DERIVED_SERVICE;
use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_api::labels::endpoint_slice::{IMPORT_NAME, SOURCE_CLUSTER};
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_api::{labels, names};
use portolan_object::{Object, ObjectKey};

use super::overview::is_own_slice;
use crate::import_marks::{
    import_of_slice, is_import_of_set, is_managed, is_of_explicit_import, is_slice_of_set, service_of_slice,
};

/// Objects of one member.
#[derive(Debug, Clone, Default)]
pub struct MemberObjects {
    /// Name of its cluster set.
    pub set: Option<String>,
    /// Its id in the set.
    pub id: Option<String>,
    /// ServiceImports.
    pub imports: Vec<Object>,
    /// Services.
    pub services: Vec<Object>,
    /// EndpointSlices.
    pub slices: Vec<Object>,
}

/// Where an import comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A user or a policy made it, and Portolan serves it: the form of Karmada.
    Explicit,
    /// Submariner.
    Submariner,
    /// An implementation that derives a Service, such as Cilium.
    DerivingService,
    /// Another one.
    Other,
}

/// A step in the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set labels and annotations of a Service.
    MarkService(ObjectKey, Marks),
    /// Set labels and annotations of a ServiceImport.
    MarkImport(ObjectKey, Marks),
    /// Delete an EndpointSlice of the other implementation, after those of the set are there.
    DeleteSlice(ObjectKey),
}

/// Labels and annotations to set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The migration of one import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The import.
    pub import: ObjectKey,
    /// Where it comes from.
    pub origin: Origin,
    /// Addresses that stay; none if the import has no Service.
    pub addresses: Vec<String>,
    /// The steps, or why it cannot be migrated and what to do.
    pub steps: Result<Vec<Step>, String>,
}

/// Ids of the members of a set that export a service and have endpoints of it: an import of the set gets slices of each.
pub fn sources<'a>(
    service: &ObjectKey,
    set: Option<&str>,
    members: impl IntoIterator<Item = (&'a MemberObjects, &'a BTreeSet<ObjectKey>)>,
) -> BTreeSet<String> {
    let has_endpoints = |slice: &&Object| {
        is_own_slice(slice, service)
            && EndpointSlice::read(slice).is_ok_and(|view| !view.endpoints.is_empty())
    };
    let exporting = members.into_iter().filter(|(member, exported)| {
        member.set.as_deref() == set
            && exported.contains(service)
            && member.slices.iter().any(|slice| has_endpoints(&slice))
    });
    exporting.filter_map(|(member, _)| member.id.clone()).collect()
}

/// The sources of which an importing member has no slice of its set yet.
pub fn missing_sources<'a>(
    import: &ObjectKey,
    slices: impl IntoIterator<Item = &'a Object>,
    sources: &BTreeSet<String>,
) -> BTreeSet<String> {
    let of_set = slices.into_iter().filter(|slice| {
        is_slice_of_set(slice) && !slice.is_deleting() && import_of_slice(slice).as_ref() == Some(import)
    });
    let arrived: BTreeSet<&str> = of_set.filter_map(|slice| slice.label(SOURCE_CLUSTER)).collect();
    sources.iter().filter(|source| !arrived.contains(source.as_str())).cloned().collect()
}

/// The migrations of all imports of a member that its set does not keep yet. `exported` are the services that a member of that set
/// exports.
pub fn migrations(member: &MemberObjects, exported: &BTreeSet<ObjectKey>) -> Vec<Migration> {
    let foreign = member.imports.iter().filter(|import| !is_import_of_set(import) && !import.is_deleting());
    foreign.map(|import| migration(member, import, exported)).collect()
}

fn migration(member: &MemberObjects, import: &Object, exported: &BTreeSet<ObjectKey>) -> Migration {
    let (key, origin) = (import.key(), origin(import, member));
    let service = derived_service(member, import, origin);
    let addresses = service.map(addresses).unwrap_or_default();
    let steps = match obstacle(member, import, origin, exported) {
        Some(obstacle) => Err(obstacle),
        None => Ok(steps(member, import, service)),
    };
    Migration { import: key, origin, addresses, steps }
}

fn origin(import: &Object, member: &MemberObjects) -> Origin {
    let marks = || import.labels().into_iter().chain(import.annotations());
    let has_service = |service: &&Object| service.name() == names::derived_service(import.name());
    let of_import = member.services.iter().filter(|service| service.namespace() == import.namespace());
    match () {
        () if marks().any(|(name, _)| name.contains("submariner.io")) => Origin::Submariner,
        () if import.annotation(DERIVED_SERVICE).is_some() => Origin::DerivingService,
        () if of_import.filter(has_service).any(is_of_explicit_import) => Origin::Explicit,
        () => Origin::Other,
    }
}

/// The Service with the address of an import.
fn derived_service<'a>(member: &'a MemberObjects, import: &Object, origin: Origin) -> Option<&'a Object> {
    let name = match origin {
        Origin::Explicit => names::derived_service(import.name()),
        _ => import.annotation(DERIVED_SERVICE)?.to_owned(),
    };
    member.services.iter().find(|service| service.namespace() == import.namespace() && service.name() == name)
}

fn addresses(service: &Object) -> Vec<String> {
    let spec = Service::read(service).map(|service| service.spec).unwrap_or_default();
    spec.addresses().into_iter().map(str::to_owned).collect()
}

/// Why an import cannot be migrated, and what to do first.
fn obstacle(
    member: &MemberObjects,
    import: &Object,
    origin: Origin,
    exported: &BTreeSet<ObjectKey>,
) -> Option<String> {
    let kind = ServiceImportView::read(import).map(|import| import.spec.kind).unwrap_or_default();
    if member.set.is_none() {
        return Some("the cluster is in no cluster set: `portolan clusterset add SET CLUSTER`".to_owned());
    }
    if !exported.contains(&import.key()) {
        return Some(
            "no cluster of the set exports it, so that the set would delete it: create a ServiceExport"
                .to_owned(),
        );
    }
    if import.label(labels::work::PERMANENT_ID).is_some() {
        return Some(
            "a policy keeps the ServiceImport: take it out of the policy, with spec.preserveResourcesOnDeletion, and ask again"
                .to_owned(),
        );
    }
    if origin == Origin::Explicit && kind == ServiceImportType::Headless.as_str() {
        return Some(
            "a headless import has a Service of its own name that the set would not have: let clients use the name in \
             clusterset.local, and delete the ServiceImport"
                .to_owned(),
        );
    }
    None
}

fn steps(member: &MemberObjects, import: &Object, service: Option<&Object>) -> Vec<Step> {
    let set = member.set.clone().unwrap_or_default();
    let of_set = || {
        BTreeMap::from([
            (labels::MANAGED.to_owned(), labels::TRUE.to_owned()),
            (labels::cluster_set::NAME.to_owned(), set.clone()),
        ])
    };
    let (mut steps, mut left) = (Vec::new(), Vec::new());
    let mut import_marks = Marks { labels: of_set(), annotations: BTreeMap::new() };
    if let Some(service) = service {
        // The Service first: the set looks for it as soon as the import is its own.
        let mut marks = Marks { labels: of_set(), annotations: BTreeMap::new() };
        marks.labels.insert(IMPORT_NAME.to_owned(), import.name().to_owned());
        steps.push(Step::MarkService(service.key(), marks));
        import_marks.annotations.insert(DERIVED_SERVICE.to_owned(), service.name().to_owned());
    }
    // Slices that another implementation has imported: they name the derived Service, or the import only, as Submariner's do.
    let of_service =
        |slice: &Object| service.is_some_and(|service| service_of_slice(slice) == Some(service.key()));
    let of_import = |slice: &Object| {
        slice.namespace() == import.namespace() && slice.label(IMPORT_NAME) == Some(import.name())
    };
    let is_left = |slice: &&Object| {
        (of_service(slice) || of_import(slice)) && slice.label(SOURCE_CLUSTER).is_some() && !is_managed(slice)
    };
    left.extend(member.slices.iter().filter(is_left).map(|slice| Step::DeleteSlice(slice.key())));
    steps.push(Step::MarkImport(import.key(), import_marks));
    steps.extend(left);
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn import(marks: Value, kind: &str) -> Object {
        let mut metadata = json!({ "namespace": "shop", "name": "web" });
        metadata.as_object_mut().expect("an object").extend(marks.as_object().cloned().unwrap_or_default());
        Object(
            json!({ "kind": "ServiceImport", "metadata": metadata, "spec": { "type": kind, "ports": [{ "port": 80 }] } }),
        )
    }

    fn service(name: &str, labels: Value) -> Object {
        Object(
            json!({ "kind": "Service", "metadata": { "namespace": "shop", "name": name, "labels": labels },
            "spec": { "clusterIP": "10.9.0.7" } }),
        )
    }

    fn member(import: Object, service: Object) -> MemberObjects {
        let slice = |name: &str, labels: Value| {
            Object(json!({ "metadata": { "namespace": "shop", "name": name, "labels": labels } }))
        };
        let of = service.name().to_owned();
        let theirs =
            json!({ "kubernetes.io/service-name": of, "multicluster.kubernetes.io/source-cluster": "east" });
        let by_hand = json!({ "kubernetes.io/service-name": of });
        MemberObjects {
            set: Some("prod".to_owned()),
            id: Some("west".to_owned()),
            imports: vec![import],
            services: vec![service],
            slices: vec![slice("theirs", theirs), slice("by-hand", by_hand)],
        }
    }

    fn exported() -> BTreeSet<ObjectKey> {
        BTreeSet::from([ObjectKey::namespaced("shop", "web")])
    }

    #[test]
    fn an_import_of_another_implementation_keeps_its_service_and_address() {
        let marks = json!({ "annotations": { "multicluster.kubernetes.io/derived-service": "derived-abc" } });
        let member = member(import(marks, "ClusterSetIP"), service("derived-abc", json!({})));
        let found = migrations(&member, &exported());
        assert_eq!(
            (found[0].origin, found[0].addresses.as_slice()),
            (Origin::DerivingService, ["10.9.0.7".to_owned()].as_slice())
        );
        let steps = found[0].steps.as_ref().expect("it can be migrated");
        let [Step::MarkService(key, of_service), Step::MarkImport(_, of_import), Step::DeleteSlice(slice)] =
            steps.as_slice()
        else {
            panic!("{steps:?}")
        };
        assert_eq!((key.name.as_str(), slice.name.as_str()), ("derived-abc", "theirs"));
        assert_eq!(of_service.labels["multicluster.kubernetes.io/service-name"], "web");
        assert_eq!(of_import.labels["portolan.dev/clusterset"], "prod");
        assert_eq!(of_import.annotations["multicluster.kubernetes.io/derived-service"], "derived-abc");
    }

    #[test]
    fn what_stands_against_a_migration_is_said() {
        let explicit = || service("derived-web", json!({ "karmada.io/managed": "true" }));
        let plain = |kind: &str| import(json!({}), kind);
        let of_policy = import(json!({ "labels": { "work.karmada.io/permanent-id": "1" } }), "ClusterSetIP");
        let submariner = import(
            json!({ "labels": { "lighthouse.submariner.io/sourceNamespace": "shop" } }),
            "ClusterSetIP",
        );
        let mut alone = member(plain("ClusterSetIP"), explicit());
        alone.set = None;
        let cases = [
            ("explicit", member(plain("ClusterSetIP"), explicit()), exported(), Origin::Explicit, None),
            ("of Submariner", member(submariner, explicit()), exported(), Origin::Submariner, None),
            ("in no set", alone, exported(), Origin::Explicit, Some("in no cluster set")),
            (
                "not exported",
                member(plain("ClusterSetIP"), explicit()),
                BTreeSet::new(),
                Origin::Explicit,
                Some("create a ServiceExport"),
            ),
            (
                "of a policy",
                member(of_policy, explicit()),
                exported(),
                Origin::Explicit,
                Some("preserveResourcesOnDeletion"),
            ),
            (
                "headless",
                member(plain("Headless"), explicit()),
                exported(),
                Origin::Explicit,
                Some("clusterset.local"),
            ),
        ];
        for (name, member, exported, origin, want) in cases {
            let found = migrations(&member, &exported);
            assert_eq!(found[0].origin, origin, "{name}");
            match (&found[0].steps, want) {
                (Ok(_), None) => {}
                (Err(said), Some(want)) => assert!(said.contains(want), "{name}: {said}"),
                (steps, _) => panic!("{name}: {steps:?}"),
            }
        }
        let labels = json!({ "labels": { "karmada.io/managed": "true", "portolan.dev/clusterset": "prod" } });
        assert_eq!(
            migrations(&member(import(labels, "ClusterSetIP"), explicit()), &exported()),
            [],
            "the set's own"
        );
    }

    #[test]
    fn slices_of_submariner_go_although_no_service_is_derived() {
        let marks = json!({ "labels": { "lighthouse.submariner.io/sourceNamespace": "shop" } });
        let mut member = member(import(marks, "ClusterSetIP"), service("web", json!({})));
        let slice = |name: &str, labels: Value| {
            Object(json!({ "metadata": { "namespace": "shop", "name": name, "labels": labels } }))
        };
        member.slices = vec![
            slice(
                "web-east",
                json!({ "endpointslice.kubernetes.io/managed-by": "lighthouse-agent.submariner.io",
                "multicluster.kubernetes.io/service-name": "web", "multicluster.kubernetes.io/source-cluster": "east" }),
            ),
            slice(
                "db-east",
                json!({ "multicluster.kubernetes.io/service-name": "db",
                "multicluster.kubernetes.io/source-cluster": "east" }),
            ),
            slice("web-1", json!({ "kubernetes.io/service-name": "web" })),
            slice(
                "ours",
                json!({ "karmada.io/managed": "true", "multicluster.kubernetes.io/service-name": "web",
                "multicluster.kubernetes.io/source-cluster": "east" }),
            ),
        ];
        let found = migrations(&member, &exported());
        let steps = found[0].steps.as_ref().expect("it can be migrated");
        let [Step::MarkImport(..), Step::DeleteSlice(slice)] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!(slice.name, "web-east");
    }

    #[test]
    fn old_slices_wait_for_those_of_every_exporter_with_endpoints() {
        let own = |addresses: &[&str]| {
            Object(
                json!({ "addressType": "IPv4", "metadata": { "namespace": "shop", "name": "web-1", "labels": {
                "kubernetes.io/service-name": "web" } }, "endpoints": [{ "addresses": addresses }] }),
            )
        };
        let exporting = |id: &str, set: &str, slices: Vec<Object>| MemberObjects {
            set: Some(set.to_owned()),
            id: Some(id.to_owned()),
            slices,
            ..MemberObjects::default()
        };
        let mut empty = own(&[]);
        empty.0["endpoints"] = json!([]);
        let (service, all, none) = (ObjectKey::namespaced("shop", "web"), exported(), BTreeSet::new());
        let members = [
            (exporting("east", "prod", vec![own(&["10.0.0.1"])]), &all),
            (exporting("north", "prod", vec![own(&["10.0.0.2"])]), &all),
            (exporting("empty", "prod", vec![empty]), &all),
            (exporting("silent", "prod", vec![own(&["10.0.0.3"])]), &none),
            (exporting("apart", "other", vec![own(&["10.0.0.4"])]), &all),
        ];
        let sources =
            sources(&service, Some("prod"), members.iter().map(|(member, exported)| (member, *exported)));
        assert_eq!(sources.iter().map(String::as_str).collect::<Vec<_>>(), ["east", "north"]);

        let imported = |source: &str, manager: &str| {
            Object(json!({ "metadata": { "namespace": "shop", "name": format!("web-{source}"), "labels": {
                "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
                "endpointslice.kubernetes.io/managed-by": manager,
                "multicluster.kubernetes.io/service-name": "web", "multicluster.kubernetes.io/source-cluster": source } } }))
        };
        let manager = "endpointslice-controller.portolan.dev";
        let missing =
            |slices: &[Object]| missing_sources(&service, slices, &sources).into_iter().collect::<Vec<_>>();
        assert_eq!(missing(&[]), ["east", "north"]);
        assert_eq!(missing(&[imported("east", manager), imported("north", "other")]), ["north"]);
        assert!(missing(&[imported("east", manager), imported("north", manager)]).is_empty());
    }
}
