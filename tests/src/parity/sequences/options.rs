//! Options of requests: selectors, pages, versions, watches, dry run, field validation, media types, paths.

use serde_json::{Value, json};

use super::{CONFIG_MAPS, PODS, WIDGETS, config_map, delete, get, merge, post, put, sequence};
use crate::parity::{Case, read, write};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = objects();
    cases.extend(lists());
    cases.extend(watches());
    cases.extend(writes());
    cases.extend(paths());
    cases
}

fn objects() -> Vec<Case> {
    let map =
        |name: &str, tier: &str| post(CONFIG_MAPS, config_map(name, json!({ "set": "s", "tier": tier })));
    sequence("objects to list", vec![("a", map("a", "1")), ("b", map("b", "2")), ("c", map("c", "2"))])
}

/// Queries of lists of the three objects and of none.
const LISTS: &[&str] = &[
    "labelSelector=set%3Ds",
    "labelSelector=set%3Ds,tier!%3D1",
    "labelSelector=set%3Ds,tier+in+(1,2)",
    "labelSelector=set%3Ds,tier+notin+(1)",
    "labelSelector=set%3Ds,!tier",
    "labelSelector=set,tier%3E1",
    "labelSelector=set,tier%3Ex",
    "labelSelector=tier+in",
    "labelSelector=%3D",
    "labelSelector=-a%3Db",
    "labelSelector=a%3Db%20c",
    "fieldSelector=metadata.name%3Db",
    "fieldSelector=metadata.name%3D%3Db,metadata.namespace%3Dparity",
    "fieldSelector=metadata.name!%3Db,metadata.name%3Dc",
    "fieldSelector=data.k%3Da",
    "fieldSelector=nonsense",
    "fieldSelector=metadata.name%3Ea",
    "labelSelector=set%3Ds&limit=2",
    "labelSelector=set%3Ds&limit=-1",
    "labelSelector=set%3Ds&limit=x",
    "labelSelector=set%3Ds&continue=nonsense",
    "labelSelector=set%3Ds&resourceVersion=x",
    "labelSelector=set%3Ds&resourceVersion=-1",
    "labelSelector=set%3Ds&resourceVersion=0",
    "labelSelector=set%3Ds&resourceVersionMatch=Exact",
    "labelSelector=set%3Ds&resourceVersionMatch=Nonsense&resourceVersion=1",
    "labelSelector=set%3Ds&resourceVersionMatch=Exact&resourceVersion=0",
    "labelSelector=set%3Ds&resourceVersion=0&resourceVersionMatch=NotOlderThan&limit=1",
    "labelSelector=set%3Ds&sendInitialEvents=true",
    "labelSelector=set%3Ds&timeoutSeconds=x",
    "labelSelector=set%3Ds&allowWatchBookmarks=x",
    "labelSelector=set%3Ds&pretty=true",
    "labelSelector=set%3Ds&unknown=1",
];

fn lists() -> Vec<Case> {
    let mut cases = Vec::new();
    for query in LISTS {
        cases.extend(sequence("list", vec![(query, get(format!("{CONFIG_MAPS}?{query}")))]));
    }
    for query in [
        "status.phase%3DPending",
        "spec.nodeName%3D",
        "spec.restartPolicy%3DAlways",
        "status.podIP%3Dx",
        "spec.hostNetwork%3Dtrue",
        "spec.image%3Dx",
    ] {
        cases.extend(sequence("list pods", vec![(query, get(format!("{PODS}?fieldSelector={query}")))]));
    }
    for query in ["fieldSelector=spec.size%3D1", "fieldSelector=spec.name%3Dn", "labelSelector=a%3Db"] {
        cases.extend(sequence("list widgets", vec![(query, get(format!("{WIDGETS}?{query}")))]));
    }
    cases.extend(sequence(
        "media types",
        vec![
            ("a table of version v1beta1", {
                read(format!("{CONFIG_MAPS}/a"), "application/json;as=Table;v=v1beta1;g=meta.k8s.io")
            }),
            (
                "a table of no version",
                read(format!("{CONFIG_MAPS}/a"), "application/json;as=Table;v=v9;g=meta.k8s.io"),
            ),
            ("a table without objects", {
                read(
                    format!("{CONFIG_MAPS}?labelSelector=set%3Ds&includeObject=None"),
                    "application/json;as=Table;v=v1;g=meta.k8s.io",
                )
            }),
            ("a table with objects", {
                read(
                    format!("{CONFIG_MAPS}?labelSelector=set%3Ds&includeObject=Object"),
                    "application/json;as=Table;v=v1;g=meta.k8s.io",
                )
            }),
            ("includeObject of nothing", {
                read(
                    format!("{CONFIG_MAPS}?labelSelector=set%3Ds&includeObject=Nonsense"),
                    "application/json;as=Table;v=v1;g=meta.k8s.io",
                )
            }),
            ("what is not offered", read(format!("{CONFIG_MAPS}/a"), "text/html")),
            ("any", read(format!("{CONFIG_MAPS}/a"), "*/*")),
            (
                "the first that is offered",
                read(format!("{CONFIG_MAPS}/a"), "text/html, application/json;q=0.5"),
            ),
        ],
    ));
    cases
}

/// Queries of watches that end.
const WATCHES: &[&str] = &[
    "resourceVersion=0",
    "",
    "resourceVersion=1",
    "resourceVersion=99999999",
    "resourceVersion=x",
    "sendInitialEvents=true",
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
    "sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
    "resourceVersionMatch=Exact&resourceVersion=1",
    "fieldSelector=metadata.name%3Db",
    "limit=1",
];

fn watches() -> Vec<Case> {
    let mut cases = Vec::new();
    for query in WATCHES {
        let path = format!("{CONFIG_MAPS}?watch=1&timeoutSeconds=1&labelSelector=set%3Ds&{query}");
        cases.extend(sequence("watch", vec![(query, get(path))]));
    }
    cases
}

fn writes() -> Vec<Case> {
    let mut cases = Vec::new();
    for query in [
        "dryRun=Nonsense",
        "dryRun=All&dryRun=All",
        "dryRun=",
        "dryRun=All&fieldValidation=Nonsense",
        "dryRun=All&fieldManager=%01",
        "dryRun=All&force=true",
        "dryRun=All&pretty=1",
    ] {
        let path = |path: &str| format!("{path}?{query}");
        let steps = vec![
            ("create", post(path(CONFIG_MAPS), config_map("d", json!({})))),
            ("update", put(path(&format!("{CONFIG_MAPS}/a")), config_map("a", json!({ "set": "s" })))),
            ("patch", merge(path(&format!("{CONFIG_MAPS}/a")), json!({ "data": { "x": "y" } }))),
            ("delete", delete(path(&format!("{CONFIG_MAPS}/a")), Value::Null)),
        ];
        cases.extend(sequence(&format!("write with {query}"), steps));
    }
    let long = "m".repeat(200);
    let duplicate = json!([{ "op": "add", "path": "/data/x", "value": "1" }, { "op": "copy", "from": "/data/x", "path": "/data/y" },
        { "op": "move", "from": "/data/y", "path": "/data/z" }, { "op": "replace", "path": "/data/z", "value": "3" }]);
    let patch = |operations: Value| {
        write("PATCH", format!("{CONFIG_MAPS}/a?dryRun=All"), "application/json-patch+json", operations)
    };
    cases.extend(sequence(
        "bodies",
        vec![
            ("a list", post(CONFIG_MAPS, json!([]))),
            ("a text", post(CONFIG_MAPS, json!("text"))),
            ("nothing", post(CONFIG_MAPS, Value::Null)),
            ("no kind", post(CONFIG_MAPS, json!({ "metadata": { "name": "x" } }))),
            ("no version", post(CONFIG_MAPS, json!({ "kind": "ConfigMap", "metadata": { "name": "x" } }))),
            ("another media type", write("POST", CONFIG_MAPS.to_owned(), "text/plain", json!({}))),
            (
                "YAML",
                write(
                    "POST",
                    format!("{CONFIG_MAPS}?dryRun=All"),
                    "application/yaml",
                    config_map("y", json!({})),
                ),
            ),
            (
                "a long manager",
                post(format!("{CONFIG_MAPS}?dryRun=All&fieldManager={long}"), config_map("d", json!({}))),
            ),
            ("all JSON patch operations", patch(duplicate)),
            ("an unknown JSON patch operation", patch(json!([{ "op": "jump", "path": "/data/x" }]))),
            ("a JSON patch without a path", patch(json!([{ "op": "add", "value": 1 }]))),
            (
                "a JSON patch of the name",
                patch(json!([{ "op": "replace", "path": "/metadata/name", "value": "z" }])),
            ),
            (
                "a JSON patch to a wrong type",
                patch(json!([{ "op": "replace", "path": "/data", "value": 7 }])),
            ),
            (
                "a merge patch to a wrong type",
                merge(format!("{CONFIG_MAPS}/a?dryRun=All"), json!({ "data": 7 })),
            ),
            ("a merge patch of an unknown field", {
                merge(format!("{CONFIG_MAPS}/a?dryRun=All&fieldValidation=Strict"), json!({ "unknown": 7 }))
            }),
            ("a merge patch of the uid", {
                merge(format!("{CONFIG_MAPS}/a?dryRun=All"), json!({ "metadata": { "uid": "x" } }))
            }),
            ("a merge patch of the version", {
                merge(
                    format!("{CONFIG_MAPS}/a?dryRun=All"),
                    json!({ "metadata": { "resourceVersion": "1" } }),
                )
            }),
            ("a merge patch of what is missing", merge(format!("{CONFIG_MAPS}/missing"), json!({}))),
            (
                "an update of what is missing",
                put(format!("{CONFIG_MAPS}/missing"), config_map("missing", json!({}))),
            ),
            ("a merge patch of a widget to a wrong type", {
                merge(format!("{WIDGETS}/missing?dryRun=All"), json!({ "spec": 7 }))
            }),
        ],
    ));
    cases
}

fn paths() -> Vec<Case> {
    let steps = [
        ("GET", "/api/v1/nonsense"),
        ("GET", "/apis/nonsense/v1/things"),
        ("GET", "/apis/apps/v9/deployments"),
        ("GET", "/nonsense"),
        ("GET", "/api/v1/namespaces/parity/configmaps/a/status"),
        ("GET", "/api/v1/namespaces/parity/configmaps/a/nonsense"),
        ("GET", "/api/v1/namespaces/absent/configmaps"),
        ("GET", "/api/v1/namespaces/absent"),
        ("GET", "/api/v1/namespaces/parity/nodes"),
        ("PUT", "/api/v1/namespaces/parity/configmaps"),
        ("PATCH", "/api/v1/namespaces/parity/configmaps"),
        ("POST", "/api/v1/namespaces/parity/configmaps/a"),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/nodes?labelSelector=a%3Dnone"),
        ("DELETE", "/api/v1/namespaces"),
        ("DELETE", "/api/v1/namespaces/parity/services?labelSelector=a%3Dnone"),
        ("OPTIONS", "/api/v1/namespaces/parity/configmaps"),
        ("GET", "/api/v1/namespaces/parity/configmaps/"),
        ("GET", "/api/v1/watch/namespaces/parity/configmaps/a?timeoutSeconds=1&watch=1"),
    ];
    let steps = steps.map(|(method, path)| {
        (format!("{method} {path}"), write(method, path.to_owned(), "application/json", Value::Null))
    });
    let mut cases = Vec::new();
    for (name, request) in steps {
        cases.extend(sequence("path", vec![(&name, request)]));
    }
    cases
}
