//! Runs the script of `portolan_plan::discovery::why::probe` in a pod of the cluster that uses the service.
//!
//! The pod is always deleted. If this process dies first, the pod's `activeDeadlineSeconds` ends it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::why::{Facts, Member, probe};
use portolan_runtime::client::Delete;
use portolan_runtime::{Api, Client};
use serde_json::json;

/// Time for the pod, including the pull of its image.
const POD_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two reads of the pod.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Label and name prefix of the pod.
const APP: &str = "portolan-probe";

/// Runs the script in a pod of `from` and adds the answers to the facts.
pub(super) async fn run(client: &Client, facts: &mut Facts, from: &str, image: &str) -> Result<()> {
    let Some(view) = facts.members.iter().find(|member| member.name == from).and_then(Member::view) else {
        return Ok(());
    };
    let script = probe::script(facts, view);
    let output = output(client, &facts.service.namespace, image, &script)
        .await
        .with_context(|| format!("cannot probe from {from}"))?;
    let found = probe::read(&output);
    if found.dns.is_none() {
        bail!("the probe in {from} did not run its script with image {image}: {}", output.trim());
    }
    let member = facts.members.iter_mut().find(|member| member.name == from);
    if let Some(view) = member.and_then(|member| member.view.as_mut().ok()) {
        view.dns.answer = found.dns;
        view.connections = found.connections;
    }
    Ok(())
}

/// The output of a pod that runs the script.
async fn output(client: &Client, namespace: &str, image: &str, script: &str) -> Result<String> {
    let pods = client.resource::<Object>(&resources::POD.into());
    let created = pods.create(&pod(namespace, image, script)).await.context("cannot create the pod")?;
    let key = created.key();
    let ended = tokio::time::timeout(POD_TIMEOUT, finished(&pods, &key)).await;
    let log = match ended {
        Ok(Ok(())) => {
            let path = format!("/api/v1/namespaces/{namespace}/pods/{}/log", key.name);
            client.text(&path).await.context("cannot read the pod's log")
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(anyhow::anyhow!("the pod did not end within {} s", POD_TIMEOUT.as_secs())),
    };
    let deleted = pods.delete(&key, &Delete { grace_period_seconds: Some(0), ..Delete::background() }).await;
    let log = log?;
    deleted.with_context(|| format!("cannot delete pod {key}"))?;
    Ok(log)
}

async fn finished(pods: &Api<Object>, key: &ObjectKey) -> Result<()> {
    loop {
        let pod = pods.get(key).await.context("cannot read the pod")?;
        if matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed") {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn pod(namespace: &str, image: &str, script: &str) -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "generateName": format!("{APP}-"), "namespace": namespace, "labels": { "app": APP } },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": POD_TIMEOUT.as_secs(),
            "terminationGracePeriodSeconds": 0,
            "containers": [{ "name": "probe", "image": image, "command": ["sh", "-c", script] }],
        },
    }))
}
