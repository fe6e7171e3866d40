use std::collections::BTreeSet;

use super::*;

#[test]
fn the_table_is_consistent() {
    let mut seen = BTreeSet::new();
    for entry in &BUILTIN {
        let name = format!("{}/{} {}", entry.group, entry.version, entry.plural);
        assert!(seen.insert(name.clone()), "{name} stands there twice");
        assert!(!entry.singular.is_empty(), "{name} has no singular");
        let group = group(entry.group).unwrap_or_else(|| panic!("{name}: no such group"));
        assert!(group.versions.contains(&entry.version), "{name}: version is not of the group");
        assert!(entry.verbs.is_sorted(), "{name}: verbs are not sorted");
        assert!(entry.subresources.is_sorted_by_key(|part| part.name), "{name}: subresources are not sorted");
        for part in entry.subresources {
            assert!(part.verbs.is_sorted(), "{name}/{}: verbs are not sorted", part.name);
            assert_eq!(part.group.is_empty(), part.version.is_empty(), "{name}/{}", part.name);
        }
    }
    assert!(GROUPS.is_sorted_by(|a, b| a.priority >= b.priority), "groups are not in discovery order");
}

#[test]
fn lookups() {
    let deployments = find("apps", "v1", "deployments").unwrap();
    assert_eq!(deployments.kind, "Deployment");
    assert!(deployments.has_status());
    assert_eq!(deployments.subresource("scale").unwrap().group, "autoscaling");
    assert_eq!(find_kind("", "v1", "Pod").unwrap().plural, "pods");
    assert!(find("apps", "v1beta1", "deployments").is_none());
    assert!(!find("", "v1", "namespaces").unwrap().allows("deletecollection"));
    assert_eq!(group("autoscaling").unwrap().versions[0], "v2");
}

#[test]
fn rules_that_clients_depend_on() {
    let plurals = |holds: fn(&BuiltinResource) -> bool| -> Vec<&str> {
        BUILTIN.iter().filter(|entry| holds(entry)).map(|entry| entry.plural).collect()
    };
    assert_eq!(
        plurals(|entry| entry.create_on_update),
        [
            "endpoints",
            "events",
            "limitranges",
            "services",
            "clusterrolebindings",
            "clusterroles",
            "rolebindings",
            "roles",
            "leases",
            "events",
            "runtimeclasses"
        ]
    );
    assert_eq!(plurals(|entry| entry.keeps_status_on_create), ["nodes"]);
    assert_eq!(
        plurals(|entry| entry.categories.contains(&"all")),
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
