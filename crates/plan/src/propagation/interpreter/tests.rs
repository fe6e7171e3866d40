use std::collections::BTreeSet;

use portolan_object::builtin;

use super::*;

/// The hooks of an interpreter that are not the default, in the order of its fields.
fn hooks(interpreter: &Interpreter) -> String {
    let Interpreter { replicas, components, prune, retain, reflect, health, aggregate, dependencies, .. } =
        interpreter;
    let named = [
        ("replicas", replicas.custom().is_some()),
        ("components", components.custom().is_some()),
        ("prune", prune.custom().is_some()),
        ("retain", retain.custom().is_some()),
        ("reflect", reflect.custom().is_some()),
        ("health", health.custom().is_some()),
        ("aggregate", aggregate.custom().is_some()),
        ("dependencies", dependencies.custom().is_some()),
    ];
    let custom: Vec<&str> =
        named.into_iter().filter(|(_, is_custom)| *is_custom).map(|(name, _)| name).collect();
    custom.join(" ")
}

#[test]
fn each_kind_has_its_hooks() {
    let table: Vec<(String, String)> =
        ALL.iter().map(|one| (one.resource.gvk().group_kind().to_string(), hooks(one))).collect();
    let want = [
        ("PersistentVolume", "retain aggregate"),
        ("PersistentVolumeClaim", "prune retain health aggregate"),
        ("Pod", "replicas retain health aggregate dependencies"),
        ("Secret", "prune retain"),
        ("Service", "prune retain reflect health aggregate"),
        ("ServiceAccount", "prune retain"),
        ("DaemonSet.apps", "reflect health aggregate dependencies"),
        ("Deployment.apps", "replicas prune retain reflect health aggregate dependencies"),
        ("ReplicaSet.apps", "replicas reflect health aggregate dependencies"),
        ("StatefulSet.apps", "replicas retain reflect health aggregate dependencies"),
        ("HorizontalPodAutoscaler.autoscaling", "reflect aggregate"),
        ("CronJob.batch", "aggregate dependencies"),
        ("Job.batch", "replicas prune retain reflect aggregate dependencies"),
        ("Ingress.networking.k8s.io", "health aggregate dependencies"),
        ("PodDisruptionBudget.policy", "reflect health aggregate"),
        ("ServiceImport.multicluster.x-k8s.io", "dependencies"),
    ];
    let want: Vec<(String, String)> =
        want.iter().map(|(kind, hooks)| ((*kind).to_owned(), (*hooks).to_owned())).collect();
    assert_eq!(table, want);
}

#[test]
fn each_kind_has_one_interpreter() {
    let kinds: BTreeSet<_> = ALL.iter().map(|one| one.resource.gvk().group_kind()).collect();
    assert_eq!(kinds.len(), ALL.len());
    for one in ALL {
        let found = interpreter(&one.resource.gvk()).expect("the registry finds it");
        assert_eq!(found.resource, one.resource);
    }
    assert!(interpreter(&GroupVersionKind::new("example.io", "v1", "Deployment")).is_none());
}

#[test]
fn status_fields_exist_in_the_schema() {
    for Interpreter { resource, status_fields, .. } in ALL {
        let Some(schema) = builtin::schema(&resource.gvk()) else { continue };
        for field in *status_fields {
            let found = schema.property("status").and_then(|status| status.property(field));
            assert!(found.is_some(), "{} has no status.{field}", resource.kind);
        }
    }
}
