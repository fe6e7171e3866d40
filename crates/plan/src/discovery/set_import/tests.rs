mod routing;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::discovery::export::{ValidExport, validate_export};
use crate::discovery::routing::Routing;
use crate::discovery::usage::{NotUsed, Usage};

const SERVICE: &str = "derived-0p6lqce99d";

fn service_of(cluster_ip: &str, ports: Value) -> Object {
    Object(
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "clusterIP": cluster_ip, "ports": ports, "ipFamilies": ["IPv4"], "internalTrafficPolicy": "Cluster" } }),
    )
}

fn export(cluster: &str, since: &str, cluster_ip: &str, ports: Value) -> ValidExport {
    let export = Object(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": { "namespace": "default", "name": "serve", "creationTimestamp": since } }));
    validate_export(cluster, &export, Some(&service_of(cluster_ip, ports))).unwrap()
}

fn slice(name: &str, address: &str) -> Object {
    Object(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "default", "name": name, "labels": { "kubernetes.io/service-name": "serve" } },
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true }, "nodeName": "n1", "zone": "z1",
                        "hostname": "serve-0", "targetRef": { "kind": "Pod", "name": "p" } }],
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }] }))
}

/// Objects of the importing member, with the effects of its API server.
#[derive(Default)]
struct Cluster {
    import: Option<Object>,
    derived: Option<Object>,
    leftover: Vec<Object>,
    slices: BTreeMap<String, Object>,
}

impl Cluster {
    fn apply(&mut self, action: &SetImportAction) {
        match action.clone() {
            SetImportAction::PutService(mut service) => {
                let spec = &mut service.0["spec"];
                spec["clusterIP"] = json!("10.13.0.7");
                spec["clusterIPs"] = json!(["10.13.0.7"]);
                spec["ports"][0]["targetPort"] = json!(80);
                self.derived = Some(service);
            }
            SetImportAction::PutImport(mut import) | SetImportAction::PutStatus(mut import) => {
                import.metadata_mut().insert("uid".to_owned(), json!("u1"));
                self.import = Some(import);
            }
            SetImportAction::PutSlice(slice) => drop(self.slices.insert(slice.name().to_owned(), slice)),
            SetImportAction::DeleteSlice(key) => drop(self.slices.remove(&key.name)),
            SetImportAction::DeleteService(key) => {
                self.leftover.retain(|service| service.key() != key);
                self.derived = self.derived.take().filter(|service| service.key() != key);
            }
            SetImportAction::DeleteImport(_) => self.import = None,
            SetImportAction::ReportForeignService(_) => {}
        }
    }
}

fn render(actions: &[SetImportAction]) -> Vec<String> {
    let text = |action: &SetImportAction| match action {
        SetImportAction::PutService(service) => format!("put service {}", service.name()),
        SetImportAction::PutImport(import) => {
            format!("put import {} {}", import.name(), import.0["spec"]["ips"])
        }
        SetImportAction::PutStatus(import) => format!("put status {}", import.0["status"]["clusters"]),
        SetImportAction::PutSlice(slice) => {
            format!(
                "put slice of {}",
                slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default()
            )
        }
        SetImportAction::DeleteSlice(_) => "delete slice".to_owned(),
        SetImportAction::DeleteService(key) => format!("delete service {}", key.name),
        SetImportAction::DeleteImport(key) => format!("delete import {}", key.name),
        SetImportAction::ReportForeignService(key) => format!("foreign service {}", key.name),
    };
    actions.iter().map(text).collect()
}

/// A set of two clusters; `west` is the importing one.
struct World {
    key: ObjectKey,
    control_plane: &'static str,
    /// Ids of further members of the set.
    joined: BTreeSet<String>,
    exports: Vec<ValidExport>,
    sources: Vec<(&'static str, Vec<Object>)>,
    unknown: BTreeSet<String>,
    set: Option<&'static str>,
    has_namespace: bool,
    refused: Option<RefusedFamilies>,
    cluster: Cluster,
    routing: Routing,
}

impl World {
    fn new() -> Self {
        Self {
            key: ObjectKey::namespaced("default", "serve"),
            control_plane: "first",
            joined: BTreeSet::new(),
            exports: vec![export(
                "east",
                "2026-01-01T00:00:00Z",
                "10.11.0.9",
                json!([{ "name": "http", "port": 80 }]),
            )],
            sources: vec![("east", vec![slice("serve-a", "10.10.0.5")])],
            unknown: BTreeSet::new(),
            set: Some("prod"),
            has_namespace: true,
            refused: None,
            cluster: Cluster::default(),
            routing: Routing::default(),
        }
    }

    fn plan(&self) -> Vec<SetImportAction> {
        let sources = self.sources.iter().map(|(cluster, slices)| ExportingMember {
            cluster,
            is_local: *cluster == "west",
            slices: slices.iter().collect(),
        });
        let known = ["east", "west"].map(str::to_owned).into_iter().chain(self.joined.iter().cloned());
        let known: BTreeSet<String> = known.filter(|cluster| !self.unknown.contains(cluster)).collect();
        let exported = self.set.map(|set| ExportedService {
            set,
            exports: &self.exports,
            used: None,
            sources: sources.collect(),
            known: &known,
            unknown: &self.unknown,
            unreachable: Vec::new(),
            routing: self.routing.clone(),
        });
        let member = ImportingMember {
            control_plane: self.control_plane,
            import_version: "multicluster.x-k8s.io/v1beta1",
            has_namespace: self.has_namespace,
            families: &["IPv4".to_owned()],
            refused: self.refused.as_ref(),
            import: self.cluster.import.as_ref(),
            derived_service: self.cluster.derived.as_ref(),
            leftover_services: self.cluster.leftover.iter().collect(),
            slices: self.cluster.slices.values().collect(),
        };
        plan_set_import(&self.key, exported.as_ref(), &member, "2026-01-01T00:00:09Z")
    }

    /// Applies plans until one is empty; returns the steps of each pass.
    fn run(&mut self) -> Vec<Vec<String>> {
        let mut passes = Vec::new();
        for _ in 0..6 {
            let actions = self.plan();
            if actions.is_empty() || matches!(actions[..], [SetImportAction::ReportForeignService(_)]) {
                if !actions.is_empty() {
                    passes.push(render(&actions));
                }
                return passes;
            }
            passes.push(render(&actions));
            actions.iter().for_each(|action| self.cluster.apply(action));
        }
        panic!("the plan never becomes empty: {passes:#?}");
    }

    fn complete() -> Self {
        let mut world = Self::new();
        world.run();
        world
    }
}

#[test]
fn an_import_has_its_address_at_its_first_write() {
    let mut world = World::new();
    assert_eq!(
        world.run(),
        [
            vec![format!("put service {SERVICE}")],
            vec!["put import serve [\"10.13.0.7\"]".to_owned()],
            vec!["put slice of east".to_owned(), "put status [{\"cluster\":\"east\"}]".to_owned()],
        ]
    );
    let import = world.cluster.import.as_ref().unwrap();
    assert_eq!(
        import.0["spec"],
        json!({ "type": "ClusterSetIP", "ips": ["10.13.0.7"], "ipFamilies": ["IPv4"], "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster", "ports": [{ "name": "http", "protocol": "TCP", "port": 80 }] })
    );
    assert_eq!(import.annotation("multicluster.kubernetes.io/derived-service"), Some(SERVICE));
    let derived = world.cluster.derived.as_ref().unwrap();
    assert_eq!(derived.at(&["spec", "selector"]), None);
    assert_eq!(derived.0["metadata"].get("ownerReferences"), None, "it stays when its import is deleted");
}

#[test]
fn a_slice_has_the_labels_and_fields_of_the_specification() {
    let world = World::complete();
    let slice = world.cluster.slices.values().next().unwrap();
    assert_eq!(
        json!(slice.labels()),
        json!({ "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
            "portolan.dev/control-plane": "first",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.portolan.dev",
            "kubernetes.io/service-name": SERVICE, "multicluster.kubernetes.io/service-name": "serve",
            "multicluster.kubernetes.io/source-cluster": "east" })
    );
    assert_eq!(
        slice.0["endpoints"],
        json!([{ "addresses": ["10.10.0.5"], "conditions": { "ready": true }, "hostname": "serve-0", "zone": "z1" }])
    );
    assert_eq!(slice.0["metadata"]["ownerReferences"][0]["kind"], "ServiceImport");
}

#[test]
fn the_exporting_cluster_imports_its_own_endpoints_with_their_nodes() {
    let mut world = World::new();
    world.exports =
        vec![export("west", "2026-01-01T00:00:00Z", "10.11.0.9", json!([{ "name": "http", "port": 80 }]))];
    world.sources = vec![("west", vec![slice("serve-a", "10.12.0.5")])];
    world.run();
    let slice = world.cluster.slices.values().next().unwrap();
    assert_eq!(slice.0["endpoints"][0]["nodeName"], "n1");
    assert_eq!(slice.0["endpoints"][0].get("targetRef"), None);
}

#[test]
fn zones_are_preferred_by_hints() {
    let mut world = World::new();
    world.exports[0].traffic_distribution = Some("PreferClose".to_owned());
    world.run();
    let slice = world.cluster.slices.values().next().unwrap();
    assert_eq!(slice.0["endpoints"][0]["hints"], json!({ "forZones": [{ "name": "z1" }] }));
    assert_eq!(world.cluster.derived.as_ref().unwrap().0["spec"]["trafficDistribution"], "PreferClose");
    world.exports[0].traffic_distribution = None;
    world.run();
    assert_eq!(world.cluster.slices.values().next().unwrap().0["endpoints"][0].get("hints"), None);
    assert_eq!(world.cluster.derived.as_ref().unwrap().0["spec"].get("trafficDistribution"), None);
}

#[test]
fn a_headless_import_has_no_derived_service() {
    let mut world = World::new();
    world.exports =
        vec![export("east", "2026-01-01T00:00:00Z", "None", json!([{ "name": "http", "port": 80 }]))];
    world.run();
    let import = world.cluster.import.as_ref().unwrap();
    assert_eq!(import.0["spec"].get("ips"), None);
    assert_eq!(import.0["spec"]["ipFamilies"], json!(["IPv4"]));
    assert!(world.cluster.derived.is_none());
    let slice = world.cluster.slices.values().next().unwrap();
    assert_eq!(slice.label("kubernetes.io/service-name"), None);
}

#[test]
fn ports_go_only_to_clusters_that_expose_them() {
    let mut world = World::new();
    let port = |name: &str, number: i32| json!([{ "name": name, "port": number }]);
    world.exports.push(export("west", "2026-01-01T00:00:05Z", "10.11.0.9", port("http", 4242)));
    world.sources.push(("west", vec![slice("serve-b", "10.12.0.5")]));
    world.run();
    let sources = |world: &World| -> Vec<(String, String)> {
        let text = |slice: &Object| {
            let source = slice.label("multicluster.kubernetes.io/source-cluster").unwrap_or_default();
            (source.to_owned(), slice.0["ports"][0]["name"].as_str().unwrap_or_default().to_owned())
        };
        world.cluster.slices.values().map(text).collect()
    };
    assert_eq!(sources(&world), [("east".to_owned(), "http".to_owned())], "the port of west lost");

    world.exports[1] = export("west", "2026-01-01T00:00:05Z", "10.11.0.9", port("web", 80));
    world.sources[1].1[0].0["ports"][0]["name"] = json!("web");
    world.run();
    let renamed = sources(&world);
    assert!(renamed.contains(&("west".to_owned(), "http".to_owned())), "renamed: {renamed:?}");
}

#[test]
fn a_changed_endpoint_rewrites_one_slice() {
    let mut world = World::complete();
    world.sources[0].1[0] = slice("serve-a", "10.10.0.6");
    assert_eq!(world.run(), [vec!["put slice of east"]]);
}

#[test]
fn objects_are_deleted_without_an_export() {
    type Change = fn(&mut World);
    let all: &[&str] = &["delete import serve", "delete slice", "delete service derived-0p6lqce99d"];
    let cases: [(&str, Change, &[&str]); 5] = [
        (
            "the last export is deleted",
            |w| {
                w.exports.clear();
                w.sources.clear();
            },
            all,
        ),
        ("the cluster left the set", |w| w.set = None, all),
        ("the namespace is going", |w| w.has_namespace = false, all),
        (
            "the exporter cannot be seen",
            |w| {
                w.exports.clear();
                w.sources.clear();
                w.unknown.insert("east".to_owned());
            },
            &[],
        ),
        (
            "the exporter cannot be seen, and another exports",
            |w| {
                w.unknown.insert("east".to_owned());
                let ports = json!([{ "name": "http", "port": 4242 }, { "name": "more", "port": 81 }]);
                w.exports = vec![export("west", "2026-01-01T00:00:05Z", "10.11.0.9", ports)];
                w.sources = vec![];
            },
            // The port of east stays as it is, the new one is added.
            &[
                "put service derived-0p6lqce99d",
                "put import serve [\"10.13.0.7\"]",
                "put status [{\"cluster\":\"east\"},{\"cluster\":\"west\"}]",
            ],
        ),
    ];
    for (name, change, want) in cases {
        let mut world = World::complete();
        change(&mut world);
        assert_eq!(world.run().concat(), want, "{name}");
    }
}

#[test]
fn an_import_that_a_migration_has_marked_waits_for_members_that_are_not_known_yet() {
    let mut world = World::complete();
    let import = world.cluster.import.as_mut().unwrap();
    import.0["status"] = json!({});
    import.0["metadata"]["labels"].as_object_mut().unwrap().remove(labels::CONTROL_PLANE);
    (world.exports, world.sources) = (Vec::new(), Vec::new());
    world.unknown.insert("east".to_owned());
    assert_eq!(world.run(), Vec::<Vec<String>>::new());
    world.unknown.clear();
    assert_eq!(world.run().concat()[0], "delete import serve", "no member exports it");
}

#[test]
fn edits_are_reverted() {
    type Edit = fn(&mut Cluster);
    let edits: [(&str, Edit, &str); 5] = [
        ("spec", |c| c.import.as_mut().unwrap().0["spec"]["ports"] = json!([]), "put import"),
        ("a label", |c| c.import.as_mut().unwrap().set_label("a", "b"), "put import"),
        (
            "the service",
            |c| c.derived.as_mut().unwrap().0["spec"]["ports"][0]["port"] = json!(81),
            "put service",
        ),
        (
            "the import as owner of the service",
            |c| {
                let owner = json!([{ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
                    "name": "serve", "uid": "u1" }]);
                let service = c.derived.as_mut().unwrap();
                service.metadata_mut().insert("ownerReferences".to_owned(), owner);
            },
            "put service",
        ),
        ("a slice", |c| c.slices.clear(), "put slice"),
    ];
    for (name, edit, want) in edits {
        let mut world = World::complete();
        edit(&mut world.cluster);
        let steps = world.run().concat();
        assert!(steps.len() == 1 && steps[0].starts_with(want), "{name}: {steps:?}");
    }
}

#[test]
fn unmanaged_objects_are_not_changed() {
    let mut world = World::new();
    world.cluster.derived =
        Some(Object(json!({ "kind": "Service", "metadata": { "namespace": "default", "name": SERVICE } })));
    assert_eq!(world.run(), [vec![format!("foreign service {SERVICE}")]]);
    let mut gone = World::complete();
    gone.set = None;
    gone.cluster.import.as_mut().unwrap().metadata_mut().remove("labels");
    let steps = gone.run().concat();
    assert!(!steps.iter().any(|step| step.starts_with("delete import")), "{steps:?}");
}

#[test]
fn refused_families_are_reported_in_the_import() {
    let mut world = World::new();
    world.exports[0].families = vec!["IPv6".to_owned()];
    assert_eq!(render(&world.plan()), [format!("put service {SERVICE}")], "it is tried once");
    let service = Object(json!({ "spec": { "ipFamilies": ["IPv6"] } }));
    let message = "spec.ipFamilies[0]: IPv6 is not configured on this cluster".to_owned();
    world.refused = Some(RefusedFamilies::new(&service, message));
    world.run();
    let import = world.cluster.import.as_ref().unwrap();
    let ready = &import.0["status"]["conditions"][0];
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("IPFamilyNotSupported")));
    world.exports[0].families = vec!["IPv4".to_owned()];
    assert_eq!(render(&world.plan()), [format!("put service {SERVICE}")], "other families are tried");
}

#[test]
fn slices_with_other_ports_or_protocols_are_not_imported() {
    let mut world = World::new();
    let mut wrong_protocol = slice("serve-b", "10.10.0.6");
    wrong_protocol.0["ports"][0]["protocol"] = json!("UDP");
    let mut unknown_port = slice("serve-c", "10.10.0.7");
    unknown_port.0["ports"][0]["name"] = json!("other");
    let mut host_names = slice("serve-d", "example.com");
    host_names.0["addressType"] = json!("FQDN");
    let mut imported = slice("serve-e", "10.10.0.8");
    imported.set_label("multicluster.kubernetes.io/source-cluster", "north");
    world.sources[0].1.extend([wrong_protocol, unknown_port, host_names, imported]);
    world.run();
    let addresses: Vec<&Value> =
        world.cluster.slices.values().map(|slice| &slice.0["endpoints"][0]["addresses"][0]).collect();
    assert_eq!(addresses, ["10.10.0.5"]);
}

#[test]
fn ten_thousand_endpoints_are_slices_of_a_hundred_and_one_change_is_one_write() {
    let mut world = World::new();
    let large = |number: usize| {
        let mut slice = slice(&format!("serve-{number}"), "10.10.0.5");
        let endpoint =
            |n: usize| json!({ "addresses": [format!("10.{}.{}.{}", number + 10, n / 250, n % 250)] });
        slice.0["endpoints"] = (0..1000).map(endpoint).collect();
        slice
    };
    world.sources = vec![("east", (0..10).map(large).collect())];
    world.run();
    let sizes = |world: &World| -> Vec<usize> {
        let size = |slice: &Object| slice.0["endpoints"].as_array().map_or(0, Vec::len);
        world.cluster.slices.values().map(size).collect()
    };
    assert_eq!(sizes(&world).iter().sum::<usize>(), 10_000);
    assert!(sizes(&world).iter().all(|size| *size <= 100));
    world.sources[0].1[3].0["endpoints"][17]["conditions"] = json!({ "ready": false });
    assert_eq!(world.run(), [vec!["put slice of east"]]);
}

#[test]
fn a_wrong_clock_affects_only_the_order_of_exports() {
    let mut world = World::new();
    let ports = |number: i32| json!([{ "name": "http", "port": number }]);
    // `west` exports later, but its clock is an hour slow.
    world.exports.push(export("west", "2025-12-31T23:00:00Z", "10.11.0.9", ports(81)));
    world.run();
    let port = |world: &World| world.cluster.import.as_ref().unwrap().0["spec"]["ports"][0]["port"].clone();
    assert_eq!(port(&world), 81);
    world.exports.reverse();
    assert_eq!(world.run(), Vec::<Vec<String>>::new(), "and the same everywhere, whatever arrives first");
}

/// A world in which control plane `first` has imported the service from `east` and `north`, and `second` comes next.
fn inherited() -> World {
    let mut world = World::new();
    let ports = json!([{ "name": "http", "port": 80 }]);
    world.exports.push(export("north", "2026-01-01T00:00:01Z", "10.11.0.9", ports));
    world.sources.push(("north", vec![slice("serve-n", "10.10.0.6")]));
    world.joined.insert("north".to_owned());
    world.run();
    assert_eq!(world.cluster.slices.len(), 2);
    world.control_plane = "second";
    world.joined.clear();
    world.exports.clear();
    world.sources.clear();
    world
}

fn owners(world: &World) -> Vec<String> {
    let objects =
        world.cluster.import.iter().chain(&world.cluster.derived).chain(world.cluster.slices.values());
    objects.map(|object| object.label(labels::CONTROL_PLANE).unwrap_or_default().to_owned()).collect()
}

#[test]
fn objects_of_another_control_plane_stay_without_a_set() {
    let mut world = inherited();
    world.set = None;
    assert_eq!(world.plan(), []);
    world.control_plane = "first";
    assert_eq!(world.plan().len(), 4, "their own control plane deletes them");
}

#[test]
fn an_import_stays_until_its_exporters_have_joined_the_new_control_plane() {
    let mut world = inherited();
    let address = world.cluster.import.clone().expect("an import").0["spec"]["ips"].clone();
    let slices: Vec<String> = world.cluster.slices.keys().cloned().collect();
    // The importer has joined; of the exporters, first none, then `east`, then both.
    world.unknown = BTreeSet::from(["east".to_owned()]);
    world.run();
    assert_eq!(owners(&world), ["first"; 4], "no exporter");

    world.unknown.clear();
    let before = World::new();
    (world.exports, world.sources) = (before.exports, before.sources);
    world.run();
    assert_eq!(owners(&world), ["first", "first", "second", "first"], "one exporter: its slice is ours");

    let ports = json!([{ "name": "http", "port": 80 }]);
    world.exports.push(export("north", "2026-01-01T00:00:01Z", "10.11.0.9", ports));
    world.sources.push(("north", vec![slice("serve-n", "10.10.0.6")]));
    world.joined.insert("north".to_owned());
    world.run();
    assert_eq!(owners(&world), ["second"; 4], "both exporters");
    assert_eq!(world.cluster.import.clone().expect("an import").0["spec"]["ips"], address);
    assert_eq!(world.cluster.slices.keys().cloned().collect::<Vec<_>>(), slices, "no slice was replaced");
}

#[test]
fn what_an_exporter_has_withdrawn_goes_with_the_label_of_the_new_control_plane() {
    let mut world = inherited();
    world.joined.insert("north".to_owned());
    let steps = world.plan();
    for step in &steps {
        assert!(!matches!(step, SetImportAction::DeleteImport(_) | SetImportAction::DeleteService(_)));
        if let SetImportAction::PutSlice(slice) = step {
            assert_eq!(slice.label(labels::CONTROL_PLANE), Some("second"));
        }
    }
    world.run();
    assert_eq!(owners(&world), Vec::<String>::new(), "nothing is exported any more");
}

#[test]
fn endpoints_of_a_withdrawn_exporter_are_not_ready_while_another_has_some() {
    let mut world = World::new();
    world.exports.push(export(
        "west",
        "2026-01-02T00:00:00Z",
        "10.12.0.9",
        json!([{ "name": "http", "port": 80 }]),
    ));
    world.sources.push(("west", vec![slice("serve-b", "10.20.0.5")]));
    world.run();
    let dead = NotUsed { usage: Usage::Withdraw, since: "t0".to_owned(), cause: "it is dead".to_owned() };
    world.routing.not_used.insert("east".to_owned(), dead);
    assert_eq!(
        world.run(),
        [vec![
            "put slice of east".to_owned(),
            r#"put status [{"cluster":"east"},{"cluster":"west"}]"#.to_owned()
        ]]
    );
    let ready = |world: &World, source: &str| {
        let mut slices = world.cluster.slices.values();
        let of_source =
            slices.find(|slice| slice.label(labels::endpoint_slice::SOURCE_CLUSTER) == Some(source));
        of_source.expect("a slice").0["endpoints"][0]["conditions"]["ready"] == true
    };
    assert!(!ready(&world, "east") && ready(&world, "west"));

    // After a restart of the control plane, which cannot read the dead exporter.
    let (exports, sources) = (world.exports.clone(), world.sources.clone());
    world.exports.retain(|export| export.cluster != "east");
    world.sources.retain(|(cluster, _)| *cluster != "east");
    world.unknown.insert("east".to_owned());
    world.run();
    assert!(!ready(&world, "east"), "no flap");
    // Its endpoints answer again, before its API server does.
    world.routing.not_used.clear();
    world.run();
    assert!(ready(&world, "east"));

    // The other exporter has no ready endpoint any more.
    (world.exports, world.sources) = (exports, sources);
    world.unknown.clear();
    let dead = NotUsed { usage: Usage::Withdraw, since: "t0".to_owned(), cause: "it is dead".to_owned() };
    world.routing.not_used.insert("east".to_owned(), dead);
    world.run();
    assert!(!ready(&world, "east"));
    world.sources[1].1[0].0["endpoints"][0]["conditions"]["ready"] = json!(false);
    world.run();
    assert!(ready(&world, "east"), "the only ready endpoints stay in use");
    let status = &world.cluster.import.as_ref().expect("an import").0["status"]["conditions"];
    assert!(status.to_string().contains("NoOtherEndpoint"), "{status}");
}

#[test]
fn the_derived_service_has_the_name_that_was_taken_over() {
    let service = ObjectKey::namespaced("default", "serve");
    let default = portolan_api::names::derived_service_of_set("default", "serve");
    let named = |name: &str| {
        let mut import = Object(json!({ "metadata": { "namespace": "default", "name": "serve" } }));
        import.set_annotation("multicluster.kubernetes.io/derived-service", name);
        import
    };
    let cases = [
        ("nothing is there", None, vec![], default.as_str()),
        ("the default one", None, vec![default.as_str()], &default),
        ("named by the import", Some(named("mine")), vec!["mine", "other"], "mine"),
        ("the import is gone", None, vec!["mine", default.as_str()], "mine"),
        ("the import names one that has no label", Some(named("mine")), vec![], &default),
        ("the import names the default one", Some(named(&default)), vec!["mine", &default], &default),
    ];
    for (name, import, held, want) in cases {
        let held = held.into_iter().map(str::to_owned).collect();
        assert_eq!(derived_service_name(&service, import.as_ref(), &held), want, "{name}");
    }
}

#[test]
fn a_service_before_a_taken_over_one_stays_until_the_cluster_leaves_the_set() {
    let mut world = World::new();
    world.run();
    let before = |owner: &str| {
        let mut service = world.cluster.derived.clone().expect("a Service");
        service.metadata_mut().insert("name".to_owned(), json!(format!("before-{owner}")));
        service.set_label(labels::CONTROL_PLANE, owner);
        service
    };
    world.cluster.leftover = vec![before("first"), before("second")];
    assert_eq!(world.run(), Vec::<Vec<String>>::new());
    world.set = None;
    world.run();
    let left: Vec<&str> = world.cluster.leftover.iter().map(Object::name).collect();
    assert_eq!(
        (world.cluster.derived.is_none(), left),
        (true, vec!["before-second"]),
        "that of another control plane stays"
    );
}
