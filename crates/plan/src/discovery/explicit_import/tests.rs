use serde_json::json;

use super::*;

fn import() -> Object {
    Object(json!({"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
        "metadata": {"name": "serve", "namespace": "default", "uid": "u1"},
        "spec": {"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]}}))
}

fn exported(name: &str, address: &str) -> Object {
    Object(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "serve"}},
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]}))
}

/// Objects of the member after the actions, with the effects of its API server.
fn applied(actions: &[ExplicitImportAction]) -> Vec<Object> {
    let objects = actions.iter().filter_map(|action| match action {
        ExplicitImportAction::Apply(object) => Some(object.clone()),
        _ => None,
    });
    let stored = objects.map(|mut object| {
        object.metadata_mut().insert("uid".to_owned(), json!("x"));
        if object.kind() == "Service" {
            object.0["spec"]["clusterIP"] = json!("10.13.0.7");
            object.0["spec"]["ports"][0]["targetPort"] = json!(80);
        }
        object
    });
    stored.collect()
}

fn render(actions: &[ExplicitImportAction]) -> Vec<String> {
    let text = |action: &ExplicitImportAction| match action {
        ExplicitImportAction::Apply(object) => format!("apply {} {}", object.kind(), object.name()),
        ExplicitImportAction::DeleteSlice(key) => format!("delete slice {}", key.name),
        ExplicitImportAction::DeleteService(key) => format!("delete service {}", key.name),
        ExplicitImportAction::ReportForeignService(key) => format!("foreign service {}", key.name),
    };
    actions.iter().map(text).collect()
}

fn from_m1(slices: Vec<&Object>) -> Vec<Exporter<'_>> {
    vec![Exporter { cluster: "m1", service: None, slices }]
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn explicit_imports_are_planned() {
    let (import, slice) = (import(), exported("serve-a", "10.10.0.5"));
    let export = |slices: Vec<&'static str>| -> Vec<Object> {
        slices.into_iter().map(|name| exported(name, "10.10.0.5")).collect()
    };
    let exporters = from_m1(vec![&slice]);
    let new =
        ExplicitImport { import: Some(&import), exporters: exporters.clone(), ..ExplicitImport::default() };
    let first = plan_explicit_import(&new);
    assert_eq!(render(&first), ["apply Service derived-serve", "apply EndpointSlice imported-m1-serve-a"]);

    let stored = applied(&first);
    let desired = ExplicitImport {
        import: Some(&import),
        exporters: exporters.clone(),
        service: Some(&stored[0]),
        slices: vec![&stored[1]],
        ..ExplicitImport::default()
    };
    assert_eq!(plan_explicit_import(&desired), [], "the desired state has no actions");

    let moved = exported("serve-a", "10.10.0.6");
    let more = export(vec!["serve-a", "serve-b"]);
    let foreign =
        Object(json!({"kind": "Service", "metadata": {"name": "derived-serve", "namespace": "default"}}));
    let of_set =
        Object(json!({"kind": "Service", "metadata": {"name": "derived-serve", "namespace": "default",
        "labels": {"karmada.io/managed": "true", "portolan.dev/clusterset": "prod"}}}));
    let mut migrating = of_set.clone();
    migrating.set_label("multicluster.kubernetes.io/service-name", "serve");
    let cases: Vec<(&str, ExplicitImport<'_>, Vec<&str>)> = vec![
        (
            "an address moved",
            ExplicitImport { exporters: from_m1(vec![&moved]), ..desired.clone() },
            vec!["apply EndpointSlice imported-m1-serve-a"],
        ),
        (
            "a second slice",
            ExplicitImport { exporters: from_m1(more.iter().collect()), ..desired.clone() },
            vec!["apply EndpointSlice imported-m1-serve-b"],
        ),
        (
            "a second exporter",
            ExplicitImport {
                exporters: vec![
                    exporters[0].clone(),
                    Exporter { cluster: "m3", service: None, slices: vec![&slice] },
                ],
                ..desired.clone()
            },
            vec!["apply EndpointSlice imported-m3-serve-a"],
        ),
        (
            "export withdrawn",
            ExplicitImport { exporters: vec![], ..desired.clone() },
            vec!["delete slice imported-m1-serve-a"],
        ),
        (
            "exporter out of sight",
            ExplicitImport { exporters: vec![], unreachable: vec!["m1"], ..desired.clone() },
            vec![],
        ),
        (
            "a deleted import",
            ExplicitImport { import: None, ..desired.clone() },
            vec!["delete service derived-serve", "delete slice imported-m1-serve-a"],
        ),
        (
            "a foreign service",
            ExplicitImport { service: Some(&foreign), slices: vec![], ..desired.clone() },
            vec!["foreign service derived-serve"],
        ),
        (
            "a service that a migration has marked before the import",
            ExplicitImport { service: Some(&migrating), exporters: from_m1(vec![&moved]), ..desired.clone() },
            vec!["apply EndpointSlice imported-m1-serve-a"],
        ),
        (
            "a service of a cluster set beside an import",
            ExplicitImport { service: Some(&of_set), slices: vec![], ..desired.clone() },
            vec!["foreign service derived-serve"],
        ),
        (
            "a service of a cluster set that is called so",
            ExplicitImport { import: None, service: Some(&of_set), slices: vec![], ..desired.clone() },
            vec![],
        ),
        (
            "a deleted import and a foreign service",
            ExplicitImport { import: None, service: Some(&foreign), slices: vec![&slice], ..desired },
            vec![],
        ),
    ];
    for (name, seen, want) in cases {
        assert_eq!(render(&plan_explicit_import(&seen)), want, "{name}");
    }
}

#[test]
fn objects_of_another_control_plane_are_kept_until_their_source_is_known() {
    let (import, slice) = (import(), exported("serve-a", "10.10.0.5"));
    let first = ExplicitImport {
        control_plane: "first",
        import: Some(&import),
        exporters: from_m1(vec![&slice]),
        ..ExplicitImport::default()
    };
    let stored = applied(&plan_explicit_import(&first));
    let second = ExplicitImport {
        control_plane: "second",
        import: Some(&import),
        service: Some(&stored[0]),
        slices: vec![&stored[1]],
        ..ExplicitImport::default()
    };
    let adopted = ["apply Service derived-serve"];
    assert_eq!(render(&plan_explicit_import(&second)), adopted, "the source has not joined");
    let known = ExplicitImport { known: vec!["m1"], ..second.clone() };
    let steps = plan_explicit_import(&known);
    let slice_steps = ["apply EndpointSlice imported-m1-serve-a", "delete slice imported-m1-serve-a"];
    assert_eq!(render(&steps), [&adopted[..], &slice_steps[..]].concat(), "the source exports nothing");
    let exporting = ExplicitImport { exporters: from_m1(vec![&slice]), ..known };
    let steps = plan_explicit_import(&exporting);
    assert_eq!(render(&steps), [adopted[0], slice_steps[0]], "the source exports it");
    for step in &steps {
        let ExplicitImportAction::Apply(object) = step else { continue };
        assert_eq!(object.label(labels::CONTROL_PLANE), Some("second"));
    }
}

fn exporting(ports: serde_json::Value) -> Object {
    Object(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "serve", "namespace": "default"},
        "spec": {"ports": ports}}),
    )
}

#[test]
fn slices_have_the_port_names_of_the_import() {
    let (import, mut slice) = (import(), exported("serve-a", "10.10.0.5"));
    slice.0["ports"][0]["name"] = json!("http");
    let service = exporting(json!([{"name": "http", "port": 80}]));
    let exporter = Exporter { cluster: "m1", service: Some(&service), slices: vec![&slice] };
    let seen =
        ExplicitImport { import: Some(&import), exporters: vec![exporter], ..ExplicitImport::default() };
    let actions = plan_explicit_import(&seen);
    let ExplicitImportAction::Apply(imported) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(imported.0["ports"], json!([{"name": "", "port": 8080, "protocol": "TCP"}]));
    assert_eq!(problems(&seen), []);
}

#[test]
fn a_port_that_no_exporter_has_is_a_problem() {
    let import = import();
    let service = exporting(json!([{"name": "a", "port": 1}, {"name": "b", "port": 2}]));
    let exporter = Exporter { cluster: "m1", service: Some(&service), slices: vec![] };
    let seen =
        ExplicitImport { import: Some(&import), exporters: vec![exporter], ..ExplicitImport::default() };
    let found = problems(&seen);
    assert_eq!(
        found,
        [ImportProblem::MissingPorts { exporter: "m1".to_owned(), ports: vec!["80/TCP".to_owned()] }]
    );
    assert!(found[0].concerns(&["m1"]) && !found[0].concerns(&["m2"]));
}

#[test]
fn an_import_that_becomes_headless_gets_another_service() {
    let mut import = import();
    import.0["spec"]["type"] = json!("Headless");
    let mut present = applied(&plan_explicit_import(&ExplicitImport {
        import: Some(&self::import()),
        control_plane: "own",
        ..ExplicitImport::default()
    }));
    let service = present.remove(0);
    let seen = ExplicitImport {
        import: Some(&import),
        control_plane: "own",
        service: Some(&service),
        ..ExplicitImport::default()
    };
    assert_eq!(render(&plan_explicit_import(&seen)), ["delete service derived-serve"]);
    let without = ExplicitImport { service: None, ..seen };
    let created = plan_explicit_import(&without);
    let ExplicitImportAction::Apply(service) = &created[0] else { panic!("{created:?}") };
    assert_eq!(service.0["spec"]["clusterIP"], "None");
}
