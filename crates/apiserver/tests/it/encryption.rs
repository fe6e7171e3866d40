//! Secrets that are encrypted in the store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_apiserver::Record;
use portolan_apiserver::encryption::{Encryption, EncryptionConfiguration};
use portolan_store::{Options, Store, copy_database, rewrite_database};
use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
/// Content of the objects, which must not be in a file.
const CONTENT: &str = "plain-content-of";

/// Keys by name and byte, the first one writes; `None` for no configuration.
fn encryption(provider: &str, keys: &[(&str, u8)], reads_clear: bool) -> Arc<Encryption> {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(name, byte)| json!({ "name": name, "secret": STANDARD.encode([*byte; 32]) }))
        .collect();
    let mut providers = vec![json!({ provider: { "keys": keys } })];
    if reads_clear {
        providers.push(json!({ "identity": {} }));
    }
    let configuration = json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{ "resources": ["secrets"], "providers": providers }] });
    Arc::new(EncryptionConfiguration::parse(&configuration.to_string()).unwrap().encryption().unwrap())
}

async fn start(file: &Path, encryption: &Arc<Encryption>) -> (Cluster, Store<Record>) {
    let transformer: Arc<dyn portolan_store::ValueTransformer> = encryption.clone();
    let store = Store::open_with(file, Options { transformer, ..Options::default() }).await.unwrap();
    (Cluster::over(store.clone()).await, store)
}

async fn stop((cluster, store): (Cluster, Store<Record>)) {
    cluster.server.stop(Duration::from_secs(5)).await.unwrap();
    store.close().await;
}

async fn create(cluster: &Cluster, name: &str) {
    let text = format!("{CONTENT}-{name}");
    let secret = json!({ "metadata": { "name": name }, "stringData": { "k": text } });
    assert_eq!(cluster.post(SECRETS, &secret).await.code, 201);
}

async fn content(cluster: &Cluster, name: &str) -> String {
    let answer = cluster.get(&format!("{SECRETS}/{name}")).await;
    match answer.body["data"]["k"].as_str() {
        Some(data) => String::from_utf8(STANDARD.decode(data).unwrap()).unwrap(),
        None => answer.summary(),
    }
}

/// Whether one of the files of the store has a text.
fn holds(folder: &Path, text: &str) -> bool {
    let encoded = STANDARD.encode(format!("{CONTENT}-"));
    // Whatever follows, all but the last group of base64 is the same.
    let needles = [text.as_bytes(), &encoded.as_bytes()[..encoded.len() - 4]];
    let needles = if text == CONTENT { &needles[..] } else { &needles[..1] };
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == *needle))
    })
}

#[tokio::test]
async fn the_content_of_secrets_is_in_no_file_and_survives_a_restart() {
    for provider in ["secretbox", "aesgcm", "aescbc"] {
        let folder = tempfile::tempdir().unwrap();
        let (file, encryption) = (folder.path().join("store.db"), encryption(provider, &[("k1", 1)], true));
        let running = start(&file, &encryption).await;
        for name in ["a", "b"] {
            create(&running.0, name).await;
        }
        let config = json!({ "metadata": { "name": "c" }, "data": { "k": "in-clear" } });
        assert_eq!(running.0.post(CONFIG_MAPS, &config).await.code, 201);
        assert!(!holds(folder.path(), CONTENT), "{provider}: while it runs");
        assert!(holds(folder.path(), &format!("k8s:enc:{provider}:v1:k1:")));
        assert!(holds(folder.path(), "in-clear"), "only Secrets are encrypted");
        stop(running).await;
        assert!(!holds(folder.path(), CONTENT), "{provider}: after it has stopped");

        let copies = tempfile::tempdir().unwrap();
        copy_database(&file, &copies.path().join("copy.db")).unwrap();
        assert!(!holds(copies.path(), CONTENT), "{provider}: a backup");
        let running = start(&file, &encryption).await;
        assert_eq!(content(&running.0, "a").await, format!("{CONTENT}-a"));
        assert_eq!(running.0.get(SECRETS).await.names(), ["a", "b"]);
        stop(running).await;
    }
}

#[tokio::test]
async fn a_write_without_changes_encrypts_with_the_new_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let running = start(&file, &Arc::default()).await;
    create(&running.0, "a").await;
    create(&running.0, "b").await;
    stop(running).await;
    assert!(holds(folder.path(), CONTENT), "in clear at first");

    // Turned on: everything is still readable, and `kubectl replace` of what was read encrypts it.
    let running = start(&file, &encryption("aescbc", &[("k1", 1)], true)).await;
    for name in ["a", "b"] {
        let path = format!("{SECRETS}/{name}");
        let read = running.0.get(&path).await;
        let replaced = running.0.put(&path, &read.body).await;
        assert_eq!(replaced.code, 200);
        assert_ne!(replaced.version(), read.version(), "written, though nothing changed");
        let again = running.0.put(&path, &replaced.body).await;
        assert_eq!(again.version(), replaced.version(), "not once more");
    }
    stop(running).await;

    // The next key, by apply and patch as well.
    let running = start(&file, &encryption("aescbc", &[("k2", 2), ("k1", 1)], false)).await;
    let path = format!("{SECRETS}/a");
    let before = running.0.get(&path).await.version();
    let patched = running.0.patch(&path, crate::cluster::MERGE, &json!({})).await;
    assert_ne!(patched.version(), before);
    let read = running.0.get(&format!("{SECRETS}/b")).await;
    assert_eq!(running.0.put(&format!("{SECRETS}/b"), &read.body).await.code, 200);
    stop(running).await;

    let running = start(&file, &encryption("aescbc", &[("k2", 2)], false)).await;
    assert_eq!(content(&running.0, "a").await, format!("{CONTENT}-a"));
    assert_eq!(content(&running.0, "b").await, format!("{CONTENT}-b"));
    stop(running).await;
}

#[tokio::test]
async fn a_migration_leaves_nothing_in_clear_and_nothing_of_the_old_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let running = start(&file, &Arc::default()).await;
    for name in ["a", "b", "gone"] {
        create(&running.0, name).await;
    }
    let update =
        json!({ "stringData": { "k": format!("{CONTENT}-b") }, "metadata": { "labels": { "x": "y" } } });
    assert_eq!(running.0.patch(&format!("{SECRETS}/b"), crate::cluster::MERGE, &update).await.code, 200);
    assert_eq!(running.0.delete(&format!("{SECRETS}/gone")).await.code, 200);
    let version = running.0.get(&format!("{SECRETS}/a")).await.version();
    stop(running).await;
    assert!(holds(folder.path(), CONTENT));

    let rounds: [(&str, &[(&str, u8)]); 3] =
        [("secretbox", &[("k1", 1)]), ("secretbox", &[("k2", 2), ("k1", 1)]), ("secretbox", &[("k2", 2)])];
    for (round, (provider, keys)) in rounds.into_iter().enumerate() {
        let encryption = encryption(provider, keys, round == 0);
        let summary = rewrite_database::<Record>(&file, encryption.clone()).unwrap();
        assert!(summary.damaged.is_empty());
        assert_eq!(summary.rewritten, if round < 2 { 2 } else { 0 }, "round {round}");
        assert!(!holds(folder.path(), CONTENT), "round {round}");
        assert_eq!(holds(folder.path(), "k8s:enc:secretbox:v1:k1:"), round == 0, "round {round}");
        let running = start(&file, &encryption).await;
        assert_eq!(content(&running.0, "a").await, format!("{CONTENT}-a"));
        assert_eq!(running.0.get(&format!("{SECRETS}/a")).await.version(), version, "the object is the same");
        assert_eq!(running.0.get(SECRETS).await.names(), ["a", "b"]);
        create(&running.0, &format!("new-{round}")).await;
        assert_eq!(running.0.delete(&format!("{SECRETS}/new-{round}")).await.code, 200);
        stop(running).await;
    }
}

#[tokio::test]
async fn a_wrong_key_and_changed_bytes_are_damage_that_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let right = encryption("aesgcm", &[("k1", 1)], false);
    let running = start(&file, &right).await;
    create(&running.0, "a").await;
    stop(running).await;
    let cases = [
        (
            Arc::default(),
            "it is encrypted with key \"k1\" of provider aesgcm, and the server has no encryption configuration",
        ),
        (
            encryption("aesgcm", &[("k2", 1)], false),
            "key \"k1\" of provider aesgcm, which the encryption configuration does not have",
        ),
        (encryption("aesgcm", &[("k1", 2)], false), "key \"k1\" of provider aesgcm does not decrypt it"),
        (
            encryption("secretbox", &[("k1", 1)], false),
            "key \"k1\" of provider aesgcm, which the encryption configuration does not have",
        ),
    ];
    for (wrong, want) in cases {
        let running = start(&file, &wrong).await;
        let answer = content(&running.0, "a").await;
        assert!(
            answer.starts_with("500 StorageReadError the stored object core/secrets/default/a"),
            "{answer}"
        );
        assert!(answer.contains(want), "{answer}");
        assert_eq!(running.0.get(CONFIG_MAPS).await.code, 200, "everything else is served");
        // Nothing replaces what could be read again with the right key.
        let put = running.0.put(&format!("{SECRETS}/a"), &json!({ "metadata": { "name": "a" } })).await;
        assert_eq!(put.code, 500, "{}", put.text);
        stop(running).await;
    }
    let running = start(&file, &right).await;
    assert_eq!(content(&running.0, "a").await, format!("{CONTENT}-a"), "the right key again");
    stop(running).await;
}
