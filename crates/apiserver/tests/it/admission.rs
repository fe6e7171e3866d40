//! Admission plugins that await.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan_apiserver::admission::{Admission, AdmissionFuture, Attributes, Operation};
use portolan_apiserver::{ApiServer, Config};
use portolan_object::Status;
use portolan_store::Store;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cluster::{CONFIG_MAPS, Cluster, MERGE};

/// Stands for a webhook that is called for the config map `checked`.
#[derive(Default)]
struct Webhook {
    calls: AtomicUsize,
    /// The next call waits for this.
    gate: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Admission for Webhook {
    fn admit<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut Value,
        old: Option<&'a Value>,
    ) -> AdmissionFuture<'a> {
        Box::pin(async move {
            if attributes.resource.plural != "configmaps" || attributes.name != "checked" {
                return Ok(Vec::new());
            }
            self.calls.fetch_add(1, Ordering::SeqCst);
            let gate = self.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                gate.await.unwrap();
            }
            if attributes.operation == Operation::Delete {
                return Err(Status::new(403, "Forbidden", "checked objects stay"));
            }
            if object["data"]["bad"] == "yes" {
                return Err(Status::new(403, "Forbidden", "bad data"));
            }
            let seen = old.map_or(json!("nothing"), |old| old["data"]["a"].clone());
            object["data"]["admitted-after"] = seen;
            Ok(vec!["checked by a webhook".to_owned()])
        })
    }
}

impl Webhook {
    /// Makes the next call wait until the sender is used.
    fn hold_next_call(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        *self.gate.lock().unwrap() = Some(receiver);
        sender
    }

    /// Waits until the webhook was called so many times in all.
    async fn called(&self, times: usize) {
        while self.calls.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn start() -> (Cluster, Arc<Webhook>) {
    let webhook = Arc::new(Webhook::default());
    let admission: Vec<Arc<dyn Admission>> = vec![Arc::clone(&webhook) as Arc<dyn Admission>];
    let server = ApiServer::start(Config { admission, ..Config::default() }, Store::in_memory()).await;
    (Cluster::of(server.unwrap()), webhook)
}

fn config_map(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "data": { "a": "1" } })
}

const CHECKED: &str = "/api/v1/namespaces/default/configmaps/checked";

#[tokio::test]
async fn a_write_waits_for_its_plugin_and_delays_no_other() {
    let (cluster, webhook) = start().await;
    let gate = webhook.hold_next_call();
    let checked = config_map("checked");
    let meanwhile = async {
        webhook.called(1).await;
        assert_eq!(cluster.get(CHECKED).await.code, 404, "nothing is stored before admission");
        assert_eq!(cluster.post(CONFIG_MAPS, &config_map("other")).await.code, 201);
        gate.send(()).unwrap();
    };
    let (created, ()) = tokio::join!(cluster.post(CONFIG_MAPS, &checked), meanwhile);
    assert_eq!(created.summary(), "201 ConfigMap checked");
    assert_eq!(created.body["data"], json!({ "a": "1", "admitted-after": "nothing" }));
    assert_eq!(created.warnings(), ["299 - \"checked by a webhook\""]);
}

#[tokio::test]
async fn a_patch_that_conflicts_while_its_plugin_waits_is_admitted_again() {
    let (cluster, webhook) = start().await;
    cluster.post(CONFIG_MAPS, &config_map("checked")).await;
    let gate = webhook.hold_next_call();
    let patch = json!({ "data": { "b": "2" } });
    let meanwhile = async {
        webhook.called(2).await;
        let other = cluster.patch(CHECKED, MERGE, &json!({ "data": { "a": "3" } })).await;
        assert_eq!(other.code, 200);
        gate.send(()).unwrap();
    };
    let (patched, ()) = tokio::join!(cluster.patch(CHECKED, MERGE, &patch), meanwhile);
    assert_eq!(patched.code, 200);
    assert_eq!(patched.body["data"], json!({ "a": "3", "b": "2", "admitted-after": "3" }));
    assert_eq!(webhook.calls.load(Ordering::SeqCst), 4, "create, patch, other patch, patch again");
}

#[tokio::test]
async fn a_put_with_a_version_that_conflicts_while_its_plugin_waits_is_refused() {
    let (cluster, webhook) = start().await;
    let mut object = cluster.post(CONFIG_MAPS, &config_map("checked")).await.body;
    object["data"]["a"] = json!("late");
    let gate = webhook.hold_next_call();
    let meanwhile = async {
        webhook.called(2).await;
        let other = cluster.patch(CHECKED, MERGE, &json!({ "data": { "a": "3" } })).await;
        assert_eq!(other.code, 200);
        gate.send(()).unwrap();
    };
    let (put, ()) = tokio::join!(cluster.put(CHECKED, &object), meanwhile);
    assert_eq!(put.code, 409);
    assert_eq!(cluster.get(CHECKED).await.body["data"]["a"], "3");
}

#[tokio::test]
async fn a_plugin_refuses_writes_and_deletions() {
    let (cluster, _webhook) = start().await;
    let bad = json!({ "metadata": { "name": "checked" }, "data": { "bad": "yes" } });
    assert_eq!(cluster.post(CONFIG_MAPS, &bad).await.summary(), "403 Forbidden bad data");
    assert_eq!(cluster.post(CONFIG_MAPS, &config_map("checked")).await.code, 201);
    assert_eq!(cluster.delete(CHECKED).await.summary(), "403 Forbidden checked objects stay");
    assert_eq!(cluster.get(CHECKED).await.code, 200);
}
