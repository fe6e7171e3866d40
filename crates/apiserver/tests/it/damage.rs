//! A stored object that is damaged.

use std::path::Path;

use portolan_store::{Options, Store};

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const IGNORE: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

/// Changes one letter of a stored value; it stays valid JSON.
fn damage(file: &Path, key: &str) {
    let mut bytes = std::fs::read(file).unwrap();
    let needle = format!(r#""value":"{key}""#).into_bytes();
    let at: Vec<usize> =
        (0..bytes.len() - needle.len()).filter(|at| bytes[*at..*at + needle.len()] == needle).collect();
    assert!(!at.is_empty(), "the value is stored as it is");
    at.into_iter().for_each(|at| bytes[at + needle.len() - 2] ^= 1);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_object_is_named_and_all_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let stop = async |cluster: Cluster, store: Store<_>| {
        cluster.server.stop(std::time::Duration::from_secs(5)).await.unwrap();
        store.close().await;
    };
    {
        let store = Store::open(&file).await.unwrap();
        let cluster = Cluster::over(store.clone()).await;
        for name in ["a", "b", "c"] {
            let value = format!("value-of-{name}");
            let object = serde_json::json!({ "metadata": { "name": name }, "data": { "value": value } });
            assert_eq!(cluster.post(CONFIG_MAPS, &object).await.code, 201);
        }
        stop(cluster, store).await;
    }
    damage(&file, "value-of-b");

    let store = Store::open(&file).await.unwrap();
    let cluster = Cluster::over(store.clone()).await;
    let list = cluster.get(CONFIG_MAPS).await;
    assert_eq!(list.names(), ["a", "c"]);
    let warning = "damaged objects are left out of this list: 1, the first is core/configmaps/default/b";
    assert!(list.warnings().iter().any(|text| text.contains(warning)), "{:?}", list.warnings());
    let named = "500 StorageReadError the stored object core/configmaps/default/b of revision ";
    let path = format!("{CONFIG_MAPS}/b");
    let answers = [
        ("get", cluster.get(&path).await),
        ("create", cluster.post(CONFIG_MAPS, &config_map("b", "new")).await),
        ("update", cluster.put(&path, &config_map("b", "new")).await),
        ("delete", cluster.delete(&path).await),
    ];
    for (name, answer) in answers {
        assert!(answer.summary().starts_with(named), "{name}: {}", answer.summary());
        assert!(answer.summary().contains("restore it with `portolan restore`"), "{name}");
    }
    let health = cluster.get("/readyz?verbose").await;
    assert_eq!(health.code, 200);
    assert!(health.text.contains("[+]store ok: damaged objects are left out: 1"), "{}", health.text);

    let intact = cluster.delete(&format!("{CONFIG_MAPS}/a?{IGNORE}=true")).await;
    assert_eq!(intact.code, 422, "{}", intact.summary());
    assert!(intact.text.contains("is exclusively used to delete corrupt object(s)"), "{}", intact.text);
    let both = cluster.delete(&format!("{path}?{IGNORE}=true&gracePeriodSeconds=0")).await;
    assert_eq!(both.code, 422, "{}", both.summary());
    let all = cluster.delete(&format!("{CONFIG_MAPS}?{IGNORE}=true")).await;
    assert_eq!(all.code, 422, "{}", all.summary());
    let refused = cluster.as_user("eve").delete(&format!("{path}?{IGNORE}=true")).await;
    assert_eq!(refused.code, 403, "{}", refused.summary());
    let deleted = cluster.delete(&format!("{path}?{IGNORE}=true")).await;
    assert_eq!(deleted.code, 200, "{}", deleted.summary());
    assert_eq!(cluster.get(&path).await.code, 404);
    assert_eq!(cluster.post(CONFIG_MAPS, &config_map("b", "new")).await.code, 201);
    assert_eq!(cluster.get(CONFIG_MAPS).await.names(), ["a", "b", "c"]);
    stop(cluster, store).await;
}

#[tokio::test]
async fn readiness_tells_that_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: Some(4 << 20), ..Options::default() };
    let store = Store::open_with(&folder.path().join("store"), small).await.unwrap();
    let cluster = Cluster::over(store.clone()).await;
    let object = |number: u32| {
        // No two values share what a compression could use.
        let digit = |part: u32| char::from_digit((part ^ number).wrapping_mul(2_654_435_761) >> 28, 16);
        let value: String = (0..400_000).filter_map(digit).collect();
        config_map(&format!("big-{number}"), &value)
    };
    let mut answers = Vec::new();
    for number in 0..20 {
        answers.push(cluster.post(CONFIG_MAPS, &object(number)).await.code);
    }
    assert_eq!(answers.last(), Some(&503), "{answers:?}");
    assert_eq!(cluster.get("/readyz").await.text, "ok", "reads go on");
    let health = cluster.get("/readyz?verbose").await;
    assert!(
        health.text.contains("[+]store ok: writes are refused because the disk is full"),
        "{}",
        health.text
    );
    let path = folder.path().display().to_string();
    assert!(!health.text.contains(&path), "everybody may ask: {}", health.text);
    cluster.server.stop(std::time::Duration::from_secs(5)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_verb_of_its_own_allows_to_delete_damaged_objects() {
    let cluster = Cluster::start().await;
    let role = |verbs: &[&str]| {
        serde_json::json!({ "metadata": { "name": "deleter" },
            "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": verbs }] })
    };
    let binding = serde_json::json!({ "metadata": { "name": "deleter" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deleter" },
        "subjects": [{ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve" }] });
    let root = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    cluster.post(&format!("{root}/rolebindings"), &binding).await;
    let eve = cluster.as_user("eve");
    let path = format!("{CONFIG_MAPS}/b?{IGNORE}=true");
    cluster.post(&format!("{root}/roles"), &role(&["delete"])).await;
    let refused = eve.delete(&path).await;
    assert_eq!(refused.code, 403);
    assert!(refused.text.contains("unsafe-delete-ignore-read-errors"), "{}", refused.text);
    cluster
        .put(&format!("{root}/roles/deleter"), &role(&["delete", "unsafe-delete-ignore-read-errors"]))
        .await;
    assert_eq!(eve.delete(&path).await.code, 404, "nothing is damaged");
}
