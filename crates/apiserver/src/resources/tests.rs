use super::*;

#[test]
fn versions_are_ordered_by_stability() {
    let mut versions = ["v1alpha1", "foo", "v2", "v1beta2", "v10", "v1", "v1beta1", "bar", "v2alpha1", "v01"];
    versions.sort_by(|a, b| crate::kinds::by_version(a, b));
    assert_eq!(
        versions,
        ["v10", "v2", "v1", "v1beta2", "v1beta1", "v2alpha1", "v1alpha1", "bar", "foo", "v01"]
    );
}

#[test]
fn keys_hold_namespace_and_name() {
    let snapshot = Registry::default().snapshot();
    let pods = snapshot.find("", "v1", "pods").unwrap();
    assert_eq!(pods.key("a", "p"), "core/pods/a/p");
    assert_eq!(pods.collection(""), "core/pods/");
    assert_eq!(pods.locate("core/pods/a/p"), ("a", "p"));
    let nodes = snapshot.find("", "v1", "nodes").unwrap();
    assert_eq!(nodes.key("", "n"), "core/nodes/n");
    assert_eq!(nodes.locate("core/nodes/n"), ("", "n"));
    let events = snapshot.find("events.k8s.io", "v1", "events").unwrap();
    assert_eq!(events.key("a", "e"), "core/events/a/e", "both groups share their objects");
}

#[test]
fn groups_are_in_discovery_order() {
    let snapshot = Registry::default().snapshot();
    let names: Vec<&str> = snapshot.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names[..4], ["", "apiregistration.k8s.io", "apps", "events.k8s.io"]);
    let versions = &snapshot.group("autoscaling").unwrap().versions;
    assert_eq!(versions.iter().map(|version| version.name.as_str()).collect::<Vec<_>>(), ["v2", "v1"]);
}

#[test]
fn every_stored_builtin_kind_has_a_schema() {
    let snapshot = Registry::default().snapshot();
    for resource in
        snapshot.groups.iter().flat_map(|group| &group.versions).flat_map(|version| &version.resources)
    {
        assert!(resource.schema().is_some(), "{}", resource.kind);
    }
}
