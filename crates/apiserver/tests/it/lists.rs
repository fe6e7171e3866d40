//! LIST: selectors, resourceVersion, pages.

use std::time::Duration;

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, check, config_map};

async fn with_maps(cluster: &Cluster, names: &[&str]) {
    for name in names {
        let mut body = config_map(name, "v");
        body["metadata"]["labels"] = json!({ "name": name });
        assert_eq!(cluster.post(CONFIG_MAPS, &body).await.code, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_list_options_are_refused() {
    let cluster = Cluster::start().await;
    let invalid = |text: &str| format!("422 Invalid ListOptions.meta.k8s.io \"\" is invalid: {text}");
    let cases = [
        ("resourceVersionMatch=Exact", invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")),
        ("resourceVersionMatch=Exact&resourceVersion=0", invalid("resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")),
        ("resourceVersionMatch=Foo&resourceVersion=1", invalid("resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"")),
        ("sendInitialEvents=true", invalid("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")),
        ("resourceVersion=abc", "400 BadRequest invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax".to_owned()),
        ("limit=abc", "400 BadRequest strconv.ParseInt: parsing \"abc\": invalid syntax".to_owned()),
        ("labelSelector=a+b", "400 BadRequest unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt".to_owned()),
        ("fieldSelector=metadata.name", "400 BadRequest invalid selector: 'metadata.name'; can't understand 'metadata.name'".to_owned()),
        ("fieldSelector=data.x%3D1", "400 BadRequest \"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"".to_owned()),
        ("watch=1&sendInitialEvents=true", invalid("resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")),
        ("watch=1&resourceVersionMatch=NotOlderThan", invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")),
        ("watch=1&resourceVersion=abc", "500  resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax".to_owned()),
    ];
    for (query, want) in &cases {
        let uri = format!("{CONFIG_MAPS}?{query}");
        check(&cluster, &[(query, "GET", &uri, &[], "", want)]).await;
    }
    let services = "/api/v1/services?fieldSelector=spec.note%3D1";
    check(
        &cluster,
        &[("own list", "GET", services, &[], "", "400 BadRequest field label not supported: spec.note")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_a_future_revision() {
    let cluster = Cluster::start().await;
    let began = tokio::time::Instant::now();
    let answer = cluster.get(&format!("{CONFIG_MAPS}?resourceVersion=99999999")).await;
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!((answer.code, &answer.body["reason"]), (504, &json!("Timeout")));
    assert!(
        answer.body["message"]
            .as_str()
            .unwrap()
            .starts_with("Timeout: Too large resource version: 99999999, current: ")
    );
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn label_and_field_selectors_filter() {
    let cluster = Cluster::start().await;
    with_maps(&cluster, &["a", "b", "c"]).await;
    let cases = [
        ("", vec!["a", "b", "c"]),
        ("labelSelector=name%3Da", vec!["a"]),
        ("labelSelector=name+in+(a,c)", vec!["a", "c"]),
        ("labelSelector=!name", vec![]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.name!%3Db", vec!["a", "c"]),
        ("fieldSelector=metadata.name%3Db&labelSelector=name%3Da", vec![]),
        ("fieldSelector=metadata.namespace%3Dother", vec![]),
    ];
    for (query, want) in cases {
        for collection in [CONFIG_MAPS, "/api/v1/configmaps"] {
            let answer = cluster.get(&format!("{collection}?{query}")).await;
            let mut names = answer.names();
            // The server's own, in kube-system.
            names.retain(|name| *name != "extension-apiserver-authentication");
            assert_eq!(names, want, "{collection} {query}");
        }
    }
}

#[tokio::test]
async fn fields_of_a_kind_are_selectable() {
    let cluster = Cluster::start().await;
    for (name, node) in [("a", "n1"), ("b", "n2")] {
        let pod = json!({ "metadata": { "name": name }, "spec": { "nodeName": node, "containers": [{ "name": "c", "image": "i" }] } });
        assert_eq!(cluster.post("/api/v1/namespaces/default/pods", &pod).await.code, 201);
    }
    let cases = [
        ("spec.nodeName%3Dn1", vec!["a"]),
        ("status.phase%3DPending,spec.nodeName!%3Dn1", vec!["b"]),
        ("spec.hostNetwork%3Dfalse", vec!["a", "b"]),
    ];
    for (selector, want) in cases {
        assert_eq!(
            cluster.get(&format!("/api/v1/pods?fieldSelector={selector}")).await.names(),
            want,
            "{selector}"
        );
    }
}

#[tokio::test]
async fn items_of_built_in_lists_have_no_kind() {
    let cluster = Cluster::start().await;
    with_maps(&cluster, &["a"]).await;
    let list = cluster.get(CONFIG_MAPS).await.body;
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert!(list["items"][0].get("kind").is_none() && list["items"][0].get("apiVersion").is_none());
    assert!(list["items"][0]["metadata"]["resourceVersion"].is_string());
}

#[tokio::test]
async fn pages_are_read_at_one_revision() {
    let cluster = Cluster::start().await;
    with_maps(&cluster, &["a", "b", "c", "d", "e"]).await;
    let first = cluster.get(&format!("{CONFIG_MAPS}?limit=2")).await;
    assert_eq!((first.names(), &first.body["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(3)));
    cluster.delete(&format!("{CONFIG_MAPS}/c")).await;
    cluster.post(CONFIG_MAPS, &config_map("bb", "v")).await;
    cluster.put(&format!("{CONFIG_MAPS}/d"), &config_map("d", "new")).await;
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let second = cluster.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}")).await;
    assert_eq!((second.names(), second.version()), (vec!["c", "d"], first.version()));
    assert_eq!(second.body["items"][1]["data"]["k"], "v", "as it was");
    let token = second.body["metadata"]["continue"].as_str().unwrap();
    let third = cluster.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}")).await;
    assert_eq!(third.names(), ["e"]);
    assert!(third.body["metadata"].get("continue").is_none());
    let both = cluster.get(&format!("{CONFIG_MAPS}?continue={token}&resourceVersion=5")).await;
    assert_eq!(
        both.summary(),
        "400 BadRequest specifying resource version is not allowed when using continue"
    );
    let selected = cluster.get(&format!("{CONFIG_MAPS}?limit=1&labelSelector=name")).await;
    assert!(selected.body["metadata"]["continue"].is_string());
    assert!(selected.body["metadata"].get("remainingItemCount").is_none());
    assert_eq!(
        cluster.get(&format!("{CONFIG_MAPS}?limit=2&resourceVersion=0")).await.names().len(),
        5,
        "caches do not page"
    );
}

#[tokio::test]
async fn an_exact_revision_is_served_until_it_is_compacted() {
    let cluster = Cluster::with_history(64).await;
    with_maps(&cluster, &["a"]).await;
    let then = cluster.get(CONFIG_MAPS).await.version();
    with_maps(&cluster, &["b"]).await;
    let exact = format!("{CONFIG_MAPS}?resourceVersion={then}&resourceVersionMatch=Exact");
    let answer = cluster.get(&exact).await;
    assert_eq!((answer.names(), answer.version()), (vec!["a"], then.clone()));
    let newer =
        cluster.get(&format!("{CONFIG_MAPS}?resourceVersion={then}&resourceVersionMatch=NotOlderThan")).await;
    assert_eq!(newer.names(), ["a", "b"]);
    let page = cluster.get(&format!("{CONFIG_MAPS}?limit=1")).await;
    let token = page.body["metadata"]["continue"].as_str().unwrap().to_owned();
    for number in 0..80 {
        cluster.put(&format!("{CONFIG_MAPS}/b"), &config_map("b", &number.to_string())).await;
    }
    assert_eq!(
        cluster.get(&exact).await.summary(),
        "410 Expired The resourceVersion for the provided list is too old."
    );
    let expired = cluster.get(&format!("{CONFIG_MAPS}?limit=1&continue={token}")).await;
    assert_eq!((expired.code, &expired.body["reason"]), (410, &json!("Expired")));
    let restart = expired.body["metadata"]["continue"].as_str().unwrap();
    let rest = cluster.get(&format!("{CONFIG_MAPS}?limit=1&continue={restart}")).await;
    assert_eq!(rest.names(), ["b"], "continues after the same key in the newest state");
}
