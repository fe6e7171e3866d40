use std::collections::BTreeSet;

use portolan_object::{GroupVersionKind, builtin};
use serde_json::{Value, json};

use super::*;

mod defaults;
mod tables;
mod validation;

fn name(kind: &BuiltinKind) -> String {
    let resource = &kind.resource;
    format!("{}/{} {}", resource.group, resource.version, resource.kind)
}

#[test]
fn every_kind_has_every_hook_or_says_that_it_needs_none() {
    for kind in all() {
        let name = name(kind);
        let reasons = [
            ("defaults", kind.defaults.reason()),
            ("prepare_for_create", kind.prepare_for_create.reason()),
            ("prepare_for_update", kind.prepare_for_update.reason()),
            ("prepare_for_delete", kind.prepare_for_delete.reason()),
            ("validate", kind.validate.reason()),
            ("warnings", kind.warnings.reason()),
            ("table", kind.table.reason()),
            ("selectable", kind.selectable.reason()),
            ("conversion", kind.conversion.reason()),
        ];
        for (hook, reason) in reasons {
            assert!(reason.is_none_or(|reason| reason.len() > 10), "{name}: no reason for a missing {hook}");
        }
        let is_served = kind.resource.allows("create");
        assert!(is_served, "{name} cannot be created");
    }
}

#[test]
fn every_kind_has_a_schema() {
    for kind in all() {
        let resource = &kind.resource;
        let gvk = GroupVersionKind::new(resource.group, resource.version, resource.kind);
        assert!(builtin::schema(&gvk).is_some(), "{gvk} is not in object/data/kinds.txt");
    }
}

#[test]
fn the_registry_is_consistent() {
    let mut seen = BTreeSet::new();
    for group in GROUPS {
        for kind in group.kinds {
            let (name, resource) = (name(kind), &kind.resource);
            assert!(seen.insert((group.name, resource.version, resource.plural)), "{name} is there twice");
            assert!(!resource.singular.is_empty(), "{name} has no singular");
            assert_eq!(resource.group, group.name, "{name} is in another group");
            assert!(group.versions.contains(&resource.version), "{name}: version is not of the group");
            assert!(resource.verbs.is_sorted(), "{name}: verbs are not sorted");
            assert!(
                resource.subresources.is_sorted_by_key(|entry| entry.name),
                "{name}: subresources are not sorted"
            );
            for subresource in resource.subresources {
                let name = format!("{name}/{}", subresource.name);
                assert!(subresource.verbs.is_sorted(), "{name}: verbs are not sorted");
                assert_eq!(subresource.group.is_empty(), subresource.version.is_empty(), "{name}");
            }
            assert_eq!(resource.has_status(), kind.status != StatusRule::None, "{name}: status rule");
        }
    }
    assert!(GROUPS.is_sorted_by(|a, b| a.priority >= b.priority), "groups are not in discovery order");
}

#[test]
fn every_table_has_a_name_column_and_fills_its_columns() {
    for kind in all() {
        let resource = &kind.resource;
        let object = json!({ "kind": resource.kind, "metadata": { "name": "x" } });
        let columns = kind.columns();
        let cells = kind.cells(&object, "2026-01-02T00:00:00Z".parse().unwrap());
        assert_eq!(cells.len(), columns.len(), "cells and columns of {}", name(kind));
        assert!(columns.iter().any(|column| column["format"] == "name"), "{}", name(kind));
    }
}

/// Defaults and server-owned state are applied on every write, so they must not fail on odd objects, nor change what
/// they have completed.
#[test]
fn hooks_survive_empty_and_odd_objects() {
    for kind in all() {
        let resource = &kind.resource;
        let api_version =
            GroupVersionKind::new(resource.group, resource.version, resource.kind).api_version();
        for spec in [Value::Null, json!({}), json!([]), json!("text")] {
            let mut object = json!({
                "apiVersion": api_version, "kind": resource.kind, "metadata": { "name": "x", "uid": "u" },
                "spec": spec, "status": spec,
            });
            kind.apply_defaults(&mut object);
            let mut again = object.clone();
            kind.apply_defaults(&mut again);
            assert_eq!(object, again, "{} is completed once", name(kind));
        }
    }
}

#[test]
fn stored_versions_are_stored_as_they_are() {
    for kind in all() {
        let stored = kind.stored_version();
        assert!(
            stored.conversion.get().is_none(),
            "{} is stored in a version that is not stored",
            name(kind)
        );
        let mut object = json!({
            "apiVersion": format!("{}/{}", kind.resource.group, kind.resource.version),
            "kind": kind.resource.kind, "metadata": { "name": "x" }, "spec": {}, "status": {},
        });
        let sent = object.clone();
        object = kind.convert_to_stored(&object).into_owned();
        kind.convert_from_stored(&mut object, portolan_store::Revision::default());
        assert_eq!(object["kind"], sent["kind"], "{}", name(kind));
    }
}

#[test]
fn lookups() {
    let deployments = find("apps", "v1", "deployments").unwrap();
    assert_eq!(deployments.resource.kind, "Deployment");
    assert!(deployments.resource.has_status());
    assert_eq!(deployments.resource.subresource("scale").unwrap().group, "autoscaling");
    assert_eq!(find_kind("", "v1", "Pod").unwrap().resource.plural, "pods");
    assert!(find("apps", "v1beta1", "deployments").is_none());
    assert!(!find("", "v1", "namespaces").unwrap().resource.allows("deletecollection"));
    assert_eq!(group("autoscaling").unwrap().versions[0], "v2");
}

#[test]
fn rules_that_clients_depend_on() {
    let plurals = |holds: fn(&BuiltinKind) -> bool| -> Vec<&str> {
        all().filter(|kind| holds(kind)).map(|kind| kind.resource.plural).collect()
    };
    assert_eq!(
        plurals(|kind| kind.resource.create_on_update),
        [
            "endpoints",
            "events",
            "limitranges",
            "services",
            "events",
            "clusterrolebindings",
            "clusterroles",
            "rolebindings",
            "roles",
            "leases",
            "runtimeclasses",
        ]
    );
    assert_eq!(plurals(|kind| kind.status == StatusRule::KeptOnCreate), ["nodes"]);
    assert_eq!(
        plurals(|kind| kind.resource.categories.contains(&"all")),
        [
            "pods",
            "replicationcontrollers",
            "services",
            "daemonsets",
            "deployments",
            "replicasets",
            "statefulsets",
            "horizontalpodautoscalers",
            "horizontalpodautoscalers",
            "cronjobs",
            "jobs"
        ]
    );
}
