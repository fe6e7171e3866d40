//! WATCH: start, events, end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster, MERGE, config_map};

#[tokio::test]
async fn events_are_sent_in_order() {
    let cluster = Cluster::start().await;
    let then = cluster.get(CONFIG_MAPS).await.version();
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={then}")).await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", "2")).await;
    cluster.post("/api/v1/namespaces/kube-system/configmaps", &config_map("other", "1")).await;
    cluster.delete(&format!("{CONFIG_MAPS}/a")).await;
    let mut versions = Vec::new();
    for want in ["ADDED a(1)", "MODIFIED a(2)", "DELETED a(2)"] {
        let event = events.next().await.unwrap();
        let object = &event["object"];
        let got = format!("{} a({})", event["type"].as_str().unwrap(), object["data"]["k"].as_str().unwrap());
        assert_eq!(got, want);
        assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
        versions.push(object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap());
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[tokio::test]
async fn a_watch_starts_where_its_options_say() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", "2")).await;
    let list = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let cases = [
        ("", vec!["ADDED a(2)"]),
        ("&resourceVersion=0", vec!["ADDED a(2)"]),
        ("&resourceVersion=0&allowWatchBookmarks=true", vec!["ADDED a(2)", "BOOKMARK"]),
        (&*format!("&{list}&allowWatchBookmarks=true"), vec!["ADDED a(2)", "BOOKMARK"]),
        (&format!("&{list}"), vec!["ADDED a(2)"]),
        (&format!("&{list}&allowWatchBookmarks=true&resourceVersion=NOW"), vec!["ADDED a(2)", "BOOKMARK"]),
        ("&resourceVersion=NOW", vec![]),
        ("&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", vec![]),
        ("&fieldSelector=metadata.name%3Dzz", vec![]),
    ];
    for (index, (query, want)) in cases.iter().enumerate() {
        let query = query.replace("NOW", &cluster.get(CONFIG_MAPS).await.version());
        let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1{query}")).await;
        let mut got = Vec::new();
        for _ in want {
            got.push(events.summary().await);
        }
        assert_eq!(got, *want, "{query}");
        if !query.contains("zz") {
            let name = format!("n{index}");
            cluster.post(CONFIG_MAPS, &config_map(&name, "x")).await;
            assert_eq!(events.summary().await, format!("ADDED {name}(x)"), "{query}: then live");
            cluster.delete(&format!("{CONFIG_MAPS}/{name}")).await;
        }
    }
}

#[tokio::test]
async fn the_bookmark_of_a_streaming_list_is_annotated() {
    let cluster = Cluster::start().await;
    let uri = format!(
        "{CONFIG_MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let event = cluster.watch(&uri).await.next().await.unwrap();
    let object = &event["object"];
    assert_eq!(
        (&event["type"], &object["kind"], &object["apiVersion"]),
        (&json!("BOOKMARK"), &json!("ConfigMap"), &json!("v1"))
    );
    assert_eq!(object["metadata"]["annotations"], json!({ "k8s.io/initial-events-end": "true" }));
    assert!(object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn objects_that_start_or_stop_matching_are_added_or_deleted() {
    let cluster = Cluster::start().await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&labelSelector=l%3D1")).await;
    let one = format!("{CONFIG_MAPS}/a");
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    let label = |value: Value| json!({ "metadata": { "labels": { "l": value } }, "data": { "k": value } });
    cluster.patch(&one, MERGE, &label(json!("1"))).await;
    cluster.patch(&one, MERGE, &json!({ "data": { "k": "2" } })).await;
    let left = cluster.patch(&one, MERGE, &label(json!("3"))).await;
    cluster.patch(&one, MERGE, &label(json!("1"))).await;
    cluster.delete(&one).await;
    assert_eq!(events.summary().await, "ADDED a(1)", "comes to match by a change");
    assert_eq!(events.summary().await, "MODIFIED a(2)");
    let event = events.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["data"]["k"]),
        (&json!("DELETED"), &json!("2")),
        "the content that matched"
    );
    assert_eq!(
        event["object"]["metadata"]["resourceVersion"],
        json!(left.version()),
        "under the version that ended it"
    );
    assert_eq!(events.summary().await, "ADDED a(1)");
    assert_eq!(events.summary().await, "DELETED a(1)");
}

#[tokio::test]
async fn a_watch_from_a_compacted_revision_is_410() {
    let cluster = Cluster::with_history(8).await;
    for number in 0..20 {
        cluster.post(CONFIG_MAPS, &config_map(&format!("a{number}"), "x")).await;
    }
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion=1")).await;
    let event = events.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"], &event["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(event["object"]["message"].as_str().unwrap().starts_with("too old resource version: 1 ("));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_are_sent_until_the_timeout() {
    let cluster = Cluster::start().await;
    let now = cluster.get(CONFIG_MAPS).await.version();
    let uri =
        format!("{CONFIG_MAPS}?watch=1&resourceVersion={now}&allowWatchBookmarks=true&timeoutSeconds=5");
    let began = tokio::time::Instant::now();
    let mut events = cluster.watch(&uri).await;
    cluster.post("/api/v1/namespaces", &json!({ "metadata": { "name": "elsewhere" } })).await;
    let bookmark = events.next().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3), "two seconds before the end");
    let fresh: u64 = bookmark["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert!(fresh > now.parse().unwrap(), "idle watches move on too");
    assert_eq!(events.next().await, None);
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_stops_ends_watches() {
    let cluster = Cluster::start().await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1")).await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.server.drain();
    assert_eq!(events.summary().await, "ADDED a(1)");
    assert_eq!(events.next().await, None);
    cluster.server.stop(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn tables_and_metadata_are_watched() {
    let cluster = Cluster::start().await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let metadata = [("accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")];
    let uri = format!("{CONFIG_MAPS}?watch=1");
    let mut rows = cluster.watch_with(&uri, &table).await;
    let mut shells = cluster.watch_with(&uri, &metadata).await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.delete(&format!("{CONFIG_MAPS}/a")).await;
    let first = rows.next().await.unwrap();
    assert!(first["object"]["columnDefinitions"].is_array());
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    let second = rows.next().await.unwrap();
    assert_eq!((&second["type"], &second["object"]["columnDefinitions"]), (&json!("DELETED"), &json!(null)));
    let added = shells.next().await.unwrap();
    assert_eq!(
        (&added["type"], &added["object"]["kind"]),
        (&json!("ADDED"), &json!("PartialObjectMetadata"))
    );
    let deleted = shells.next().await.unwrap();
    assert_eq!(deleted["type"], "DELETED");
    assert_ne!(
        deleted["object"]["metadata"]["resourceVersion"],
        added["object"]["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn events_of_both_groups_are_the_same_objects() {
    let cluster = Cluster::start().await;
    let new = "/apis/events.k8s.io/v1/namespaces/default/events";
    let mut events = cluster.watch(&format!("{new}?watch=1")).await;
    let body = json!({ "metadata": { "name": "e" }, "involvedObject": { "kind": "Pod", "name": "p", "namespace": "default" },
                       "reason": "R", "message": "m", "type": "Normal" });
    assert_eq!(cluster.post("/api/v1/namespaces/default/events", &body).await.code, 201);
    let event = events.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["note"]), (&json!("ADDED"), &json!("m")));
    assert_eq!(event["object"]["apiVersion"], "events.k8s.io/v1");
    assert_eq!(cluster.get(&format!("{new}?fieldSelector=regarding.name%3Dp")).await.names(), ["e"]);
    cluster.delete(&format!("{new}/e")).await;
    assert_eq!(events.next().await.unwrap()["object"]["note"], "m");
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn a_list_and_its_watch_give_the_final_state() {
    for seed in 0..8 {
        let (cluster, mut dice) = (Cluster::start().await, Dice(seed));
        for selector in ["", "&labelSelector=l%3D1", "&fieldSelector=metadata.name!%3Dn2"] {
            write_at_random(&cluster, &mut dice).await;
            let list = cluster.get(&format!("{CONFIG_MAPS}?x=1{selector}")).await;
            let mut seen = std::collections::BTreeMap::new();
            for item in list.body["items"].as_array().unwrap() {
                seen.insert(
                    item["metadata"]["name"].to_string(),
                    item["metadata"]["resourceVersion"].clone(),
                );
            }
            let from = list.version();
            let mut events =
                cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={from}{selector}")).await;
            write_at_random(&cluster, &mut dice).await;
            let mut end = config_map("end", "x");
            end["metadata"]["labels"] = json!({ "l": "1" });
            cluster.post(CONFIG_MAPS, &end).await;
            loop {
                let event = events.next().await.unwrap();
                let metadata = &event["object"]["metadata"];
                let name = metadata["name"].to_string();
                let was_known = seen.contains_key(&name);
                match event["type"].as_str().unwrap() {
                    "DELETED" => assert!(seen.remove(&name).is_some(), "what was never there cannot go"),
                    word => {
                        assert_eq!(word == "MODIFIED", was_known, "{name}");
                        seen.insert(name.clone(), metadata["resourceVersion"].clone());
                    }
                }
                if name == "\"end\"" {
                    break;
                }
            }
            let now = cluster.get(&format!("{CONFIG_MAPS}?x=1{selector}")).await.body;
            let versions = now["items"].as_array().unwrap().iter();
            let want = versions.map(|item| {
                (item["metadata"]["name"].to_string(), item["metadata"]["resourceVersion"].clone())
            });
            assert_eq!(seen, want.collect(), "seed {seed}, {selector}");
            cluster.delete(&format!("{CONFIG_MAPS}/end")).await;
        }
    }
}

/// Creates, changes, relabels and deletes a few config maps.
async fn write_at_random(cluster: &Cluster, dice: &mut Dice) {
    for _ in 0..40 {
        let name = format!("n{}", dice.roll(5));
        let mut body = config_map(&name, &dice.roll(4).to_string());
        body["metadata"]["labels"] = json!({ "l": dice.roll(2).to_string() });
        let one = format!("{CONFIG_MAPS}/{name}");
        match dice.roll(3) {
            0 => cluster.delete(&one).await,
            1 => cluster.put(&one, &body).await,
            _ => cluster.post(CONFIG_MAPS, &body).await,
        };
    }
}
