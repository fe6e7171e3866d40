use super::*;

fn definition(name: &str) -> Value {
    all()
        .into_iter()
        .find(|definition| definition["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn schema(name: &str) -> Value {
    definition(name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Every node of a schema with its path.
fn nodes(node: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, node);
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        nodes(property, &format!("{path}.{name}"), visit);
    }
    for keyword in ["items", "additionalProperties"] {
        if node[keyword].is_object() {
            nodes(&node[keyword], &format!("{path}[{keyword}]"), visit);
        }
    }
}

#[test]
fn every_node_is_structural() {
    for definition in all() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        nodes(&schema(&name), &name, &mut |path, node| {
            let map = node.as_object().unwrap_or_else(|| panic!("{path} is no schema: {node}"));
            let is_free = node["x-kubernetes-int-or-string"] == true
                || node["x-kubernetes-preserve-unknown-fields"] == true;
            assert!(is_free || node["type"].is_string(), "{path} has no type: {node}");
            for keyword in [
                "$ref",
                "oneOf",
                "allOf",
                "nullable",
                "title",
                "x-portolan-optional",
                "x-portolan-defaulted",
                "x-portolan-default",
            ] {
                assert!(!map.contains_key(keyword), "{path} has {keyword}: {node}");
            }
        });
    }
}

#[test]
fn required_fields_are_those_that_the_reference_marks() {
    let cases = [
        ("propagationpolicies.policy.karmada.io", "", json!(["spec"])),
        ("propagationpolicies.policy.karmada.io", "/properties/spec", json!(["resourceSelectors"])),
        (
            "propagationpolicies.policy.karmada.io",
            "/properties/spec/properties/resourceSelectors/items",
            json!(["apiVersion", "kind"]),
        ),
        ("propagationpolicies.policy.karmada.io", "/properties/spec/properties/placement", Value::Null),
        ("works.work.karmada.io", "/properties/spec", Value::Null),
        ("resourcebindings.work.karmada.io", "/properties/spec", json!(["resource"])),
        ("clusters.cluster.karmada.io", "/properties/spec", json!(["syncMode"])),
        ("serviceimports.multicluster.x-k8s.io", "/properties/spec", json!(["ports", "type"])),
        ("serviceexports.multicluster.x-k8s.io", "", Value::Null),
        (
            "overridepolicies.policy.karmada.io",
            "/properties/spec/properties/overrideRules/items",
            json!(["overriders"]),
        ),
    ];
    for (name, pointer, want) in cases {
        let schema = schema(name);
        let node = schema.pointer(pointer).unwrap_or_else(|| panic!("{name} {pointer}"));
        assert_eq!(node.get("required").cloned().unwrap_or_default(), want, "{name} {pointer}");
    }
}

#[test]
fn defaults_and_constraints_are_karmadas() {
    let spec = "/properties/spec/properties";
    let policy = "propagationpolicies.policy.karmada.io";
    let cases = [
        (policy, format!("{spec}/priority/default"), json!(0)),
        (policy, format!("{spec}/preemption/default"), json!("Never")),
        (policy, format!("{spec}/preemption/enum"), json!(["Always", "Never"])),
        (policy, format!("{spec}/schedulerName/default"), json!("default-scheduler")),
        (policy, format!("{spec}/conflictResolution/default"), json!("Abort")),
        (policy, format!("{spec}/resourceSelectors/minItems"), json!(1)),
        (
            policy,
            format!("{spec}/placement/properties/replicaScheduling/properties/replicaSchedulingType/default"),
            json!("Divided"),
        ),
        (
            policy,
            format!("{spec}/failover/properties/cluster/properties/purgeMode/enum"),
            json!(["Directly", "Gracefully"]),
        ),
        (policy, format!("{spec}/suspension/default"), Value::Null),
        (policy, format!("{spec}/placement/default"), Value::Null),
        (policy, "/properties/apiVersion/default".to_owned(), Value::Null),
        ("clusters.cluster.karmada.io", format!("{spec}/syncMode/default"), Value::Null),
        ("serviceimports.multicluster.x-k8s.io", format!("{spec}/ips/maxItems"), json!(2)),
        (
            "serviceimports.multicluster.x-k8s.io",
            format!("{spec}/type/enum"),
            json!(["ClusterSetIP", "Headless"]),
        ),
    ];
    for (name, pointer, want) in cases {
        assert_eq!(schema(name).pointer(&pointer).cloned().unwrap_or_default(), want, "{name} {pointer}");
    }
}

#[test]
fn opaque_places_keep_everything() {
    let places = [
        ("works.work.karmada.io", "/properties/spec/properties/workload/properties/manifests/items"),
        ("works.work.karmada.io", "/properties/status/properties/manifestStatuses/items/properties/status"),
        (
            "overridepolicies.policy.karmada.io",
            "/properties/spec/properties/overrideRules/items/properties/overriders/properties/plaintext/items/properties/value",
        ),
    ];
    for (name, pointer) in places {
        let schema = schema(name);
        let node = schema.pointer(pointer).unwrap_or_else(|| panic!("{name} {pointer}"));
        assert_eq!(node["x-kubernetes-preserve-unknown-fields"], true, "{name} {pointer}: {node}");
    }
}

#[test]
fn names_and_versions_are_the_standard_ones() {
    let export = definition("serviceexports.multicluster.x-k8s.io");
    assert_eq!(export["spec"]["names"]["shortNames"], json!(["svcex", "svcexport"]));
    assert!(export["metadata"]["annotations"]["api-approved.kubernetes.io"].is_string());
    let versions: Vec<(&str, bool)> = export["spec"]["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| (version["name"].as_str().unwrap(), version["storage"] == true))
        .collect();
    assert_eq!(versions, [("v1beta1", true), ("v1alpha1", false)]);
    let binding = definition("resourcebindings.work.karmada.io");
    assert_eq!(binding["spec"]["versions"][0]["additionalPrinterColumns"][0]["name"], "Scheduled");
    assert_eq!(definition("clusterpropagationpolicies.policy.karmada.io")["spec"]["scope"], "Cluster");
}

/// A complete object of each kind that users write.
const COMPLETE: &[&str] = &[
    include_str!("../../testdata/propagationpolicy.yaml"),
    include_str!("../../testdata/overridepolicy.yaml"),
    include_str!("../../testdata/resourcebinding.yaml"),
    include_str!("../../testdata/work.yaml"),
    include_str!("../../testdata/cluster.yaml"),
    include_str!("../../testdata/serviceexport.yaml"),
    include_str!("../../testdata/serviceimport.yaml"),
];

fn complete() -> Vec<Value> {
    COMPLETE.iter().flat_map(|text| portolan_object::yaml::parse_documents(text).unwrap()).collect()
}

/// Reads and writes an object through its type.
fn through_its_type(object: &Value) -> Value {
    fn pass<T: Kind>(object: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
    }
    match object["kind"].as_str().unwrap() {
        "PropagationPolicy" => pass::<policy::PropagationPolicy>(object),
        "OverridePolicy" => pass::<policy::OverridePolicy>(object),
        "ResourceBinding" => pass::<work::ResourceBinding>(object),
        "Work" => pass::<work::Work>(object),
        "Cluster" => pass::<cluster::Cluster>(object),
        "ServiceExport" => pass::<multicluster::ServiceExport>(object),
        "ServiceImport" => pass::<multicluster::ServiceImport>(object),
        other => panic!("no type for {other}"),
    }
}

#[test]
fn types_lose_no_field() {
    for object in complete() {
        assert_eq!(through_its_type(&object), object, "{}", object["kind"]);
    }
}

#[test]
fn schemas_compile_and_lose_no_field() {
    use portolan_object::{Interrupt, schema};
    for definition in all() {
        let name = definition["metadata"]["name"].as_str().unwrap();
        let compiled =
            schema::structural::compile(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "");
        assert!(compiled.is_ok(), "{name}: {:?}", compiled.err());
    }
    for object in complete() {
        let kind = &object["kind"];
        let definition =
            all().into_iter().find(|definition| definition["spec"]["names"]["kind"] == *kind).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let compiled = schema::structural::compile(schema, "").unwrap();
        let mut kept = object.clone();
        assert_eq!(schema::prune::prune(&mut kept, compiled.schema()), Vec::<String>::new(), "{kind}");
        assert_eq!(
            schema::validate::validate(&kept, None, compiled.schema(), &Interrupt::never()),
            [],
            "{kind}"
        );
    }
}

#[test]
fn the_settings_of_cloud_dns_have_the_form_that_google_gives_them() {
    use portolan_object::{Interrupt, schema};
    let compiled = schema::structural::compile(&schema("federations.portolan.dev"), "").unwrap();
    let is_accepted = |settings: Value| {
        let zone = json!({ "domain": "example.com", "provider": { "cloudDNS": settings } });
        let federation = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": "myfed" }, "spec": { "dns": { "zones": [zone] } } });
        schema::validate::validate(&federation, None, compiled.schema(), &Interrupt::never()).is_empty()
    };
    for settings in [
        json!({}),
        json!({ "project": "my-project-1", "managedZone": "example-com" }),
        json!({ "project": "example.com:my-project", "managedZone": "123456" }),
        json!({ "endpoint": "https://dns.googleapis.com/dns/v1/" }),
    ] {
        assert!(is_accepted(settings.clone()), "{settings}");
    }
    for settings in [
        json!({ "project": "My Project" }),
        json!({ "project": "a/../b" }),
        json!({ "managedZone": "example.com." }),
        json!({ "managedZone": "a/b" }),
        json!({ "endpoint": "dns.googleapis.com" }),
        json!({ "endpoint": "https://dns.googleapis.com/ dns" }),
        json!({ "endpoint": "file:///etc/passwd" }),
    ] {
        assert!(!is_accepted(settings.clone()), "{settings}");
    }
}
