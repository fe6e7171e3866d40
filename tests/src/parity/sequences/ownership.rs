//! Field managers, server-side apply, finalizers and owners.

use serde_json::{Value, json};

use super::{CONFIG_MAPS, CURRENT, config_map, delete, get, merge, post, put, sequence};
use crate::parity::{APPLY, Case, STRATEGIC, write};
use crate::proxy::Request;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/parity/deployments/applied";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = applied_deployment();
    cases.extend(strategic_patches());
    cases.extend(refusals());
    cases.extend(finalizers());
    cases
}

fn deployment(spec: &Value) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "applied" }, "spec": spec })
}

fn apply(path: &str, manager: &str, body: Value) -> Request {
    write("PATCH", format!("{path}?fieldManager={manager}"), APPLY, body)
}

fn containers(containers: Value) -> Value {
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": containers } });
    json!({ "selector": { "matchLabels": { "a": "b" } }, "template": template })
}

fn applied_deployment() -> Vec<Case> {
    let ports = json!([{ "containerPort": 80 }, { "containerPort": 80, "protocol": "UDP" }]);
    let first = json!({ "name": "c", "image": "i", "env": [{ "name": "A", "value": "1" }], "ports": ports });
    let whole = deployment(&containers(json!([first])));
    let fewer = deployment(&containers(
        json!([{ "name": "c", "image": "i", "env": [{ "name": "B", "value": "2" }] }]),
    ));
    let mut scaled = whole.clone();
    scaled["spec"]["replicas"] = json!(3);
    let sidecar = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "applied" },
        "spec": { "template": { "spec": { "containers": [{ "name": "side", "image": "s" }] } } },
    });
    let force = |body: &Value| {
        write("PATCH", format!("{DEPLOYMENT}?fieldManager=one&force=true"), APPLY, body.clone())
    };
    sequence(
        "applied deployment",
        vec![
            ("created by apply", apply(DEPLOYMENT, "one", whole.clone())),
            ("unchanged", apply(DEPLOYMENT, "one", whole)),
            ("a second manager adds a container", apply(DEPLOYMENT, "two", sidecar.clone())),
            (
                "an update by another",
                merge(format!("{DEPLOYMENT}?fieldManager=three"), json!({ "spec": { "replicas": 2 } })),
            ),
            ("a conflict", apply(DEPLOYMENT, "one", scaled.clone())),
            ("by force", force(&scaled)),
            (
                "scaled by its scale",
                merge(format!("{DEPLOYMENT}/scale?fieldManager=four"), json!({ "spec": { "replicas": 1 } })),
            ),
            ("a conflict with the scale", apply(DEPLOYMENT, "one", scaled)),
            ("fields given up", apply(DEPLOYMENT, "one", fewer)),
            ("the second gives up all", {
                apply(
                    DEPLOYMENT,
                    "two",
                    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "applied" } }),
                )
            }),
            ("read", get(DEPLOYMENT)),
            ("managers removed by a merge patch", {
                merge(DEPLOYMENT, json!({ "metadata": { "managedFields": [{}] } }))
            }),
            (
                "update after that",
                merge(
                    format!("{DEPLOYMENT}?fieldManager=five"),
                    json!({ "metadata": { "labels": { "x": "y" } } }),
                ),
            ),
            ("dry run", {
                write("PATCH", format!("{DEPLOYMENT}?fieldManager=one&force=true&dryRun=All"), APPLY, sidecar)
            }),
        ],
    )
}

fn strategic_patches() -> Vec<Case> {
    let patch = |spec: Value| {
        write("PATCH", DEPLOYMENT.to_owned(), STRATEGIC, json!({ "spec": { "template": { "spec": spec } } }))
    };
    sequence(
        "strategic patch",
        vec![
            ("an element of a list", patch(json!({ "containers": [{ "name": "c", "image": "j" }] }))),
            ("another element", patch(json!({ "containers": [{ "name": "d", "image": "k" }] }))),
            ("an element deleted", patch(json!({ "containers": [{ "name": "d", "$patch": "delete" }] }))),
            ("the order of a list", {
                patch(
                    json!({ "$setElementOrder/containers": [{ "name": "e" }, { "name": "c" }], "containers": [{ "name": "e", "image": "k" }] }),
                )
            }),
            (
                "a list replaced",
                patch(json!({ "containers": [{ "$patch": "replace" }, { "name": "c", "image": "j" }] })),
            ),
            (
                "keys that are kept",
                patch(
                    json!({ "containers": [{ "name": "c", "$retainKeys": ["name", "image"], "image": "l" }] }),
                ),
            ),
            ("tolerations", patch(json!({ "tolerations": [{ "key": "a", "operator": "Exists" }] }))),
            ("a primitive list", {
                write(
                    "PATCH",
                    DEPLOYMENT.to_owned(),
                    STRATEGIC,
                    json!({ "metadata": { "finalizers": ["example.org/a"], "$deleteFromPrimitiveList/finalizers": ["example.org/b"] } }),
                )
            }),
            ("a primitive list emptied", {
                write(
                    "PATCH",
                    DEPLOYMENT.to_owned(),
                    STRATEGIC,
                    json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["example.org/a"] } }),
                )
            }),
            ("without the merge key", patch(json!({ "containers": [{ "image": "j" }] }))),
            ("an unknown directive", patch(json!({ "$patch": "nonsense" }))),
            ("the selector", {
                write(
                    "PATCH",
                    DEPLOYMENT.to_owned(),
                    STRATEGIC,
                    json!({ "spec": { "selector": { "matchLabels": { "z": "z" } } } }),
                )
            }),
        ],
    )
}

fn refusals() -> Vec<Case> {
    let path = format!("{CONFIG_MAPS}/applied");
    let body = config_map("applied", json!({}));
    let mut managed = body.clone();
    managed["metadata"]["managedFields"] = json!([{ "manager": "x" }]);
    let mut versioned = body.clone();
    versioned["metadata"]["resourceVersion"] = json!("1");
    sequence(
        "apply",
        vec![
            ("of managed fields", apply(&path, "one", managed)),
            ("of a version that is not there", apply(&path, "one", versioned.clone())),
            ("creates", apply(&path, "one", body)),
            ("of an old version", apply(&path, "one", versioned)),
            ("of another name", apply(&path, "one", config_map("other", json!({})))),
            ("of another kind", apply(&path, "one", json!({ "apiVersion": "v1", "kind": "Secret" }))),
            ("without a kind", apply(&path, "one", json!({ "metadata": { "name": "applied" } }))),
            (
                "of an unknown field",
                apply(&path, "one", json!({ "apiVersion": "v1", "kind": "ConfigMap", "unknown": 1 })),
            ),
            (
                "of a wrong type",
                apply(&path, "one", json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": [1] })),
            ),
            (
                "of a null",
                apply(
                    &path,
                    "one",
                    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": null } }),
                ),
            ),
            (
                "with force no boolean",
                write("PATCH", format!("{path}?fieldManager=one&force=maybe"), APPLY, json!({})),
            ),
        ],
    )
}

fn finalizers() -> Vec<Case> {
    let path = format!("{CONFIG_MAPS}/held-back");
    let mut object = config_map("held-back", json!({}));
    object["metadata"]["finalizers"] = json!(["example.org/wait"]);
    let mut more = object.clone();
    more["metadata"]["finalizers"] = json!(["example.org/wait", "example.org/more"]);
    let mut owned = config_map("owned", json!({}));
    owned["metadata"]["ownerReferences"] = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "x", "controller": true },
        { "apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": "y", "controller": true }]);
    let mut old = object.clone();
    old["metadata"]["resourceVersion"] = json!(CURRENT);
    old["data"] = json!({ "k": "changed" });
    sequence(
        "finalizer",
        vec![
            ("created", post(CONFIG_MAPS, object)),
            ("deleted", delete(&path, Value::Null)),
            ("deleted again", delete(&path, Value::Null)),
            ("created while it is being deleted", post(CONFIG_MAPS, config_map("held-back", json!({})))),
            ("another added", put(&path, more)),
            ("content changed", put(&path, old)),
            ("removed", merge(&path, json!({ "metadata": { "finalizers": null } }))),
            ("gone", get(&path)),
            ("two controllers", post(CONFIG_MAPS, owned)),
        ],
    )
}
