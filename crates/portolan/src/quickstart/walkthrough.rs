//! The steps of `examples/karmada-mcs` and their results.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_playground::federation::Playground;
use portolan_runtime::client::{Client, Delete, Selection, TableOptions};
use portolan_runtime::{ClientError, Resource};
use serde_json::{Value, json};

use crate::manifests;
use crate::output::progress::Progress;

/// The purpose and the content of each file, in the order in which they are applied.
const FILES: [(&str, &str); 4] = [
    (
        "send both Multi-Cluster Services CRDs to both members",
        include_str!("../../../../examples/karmada-mcs/1-propagate-crds.yaml"),
    ),
    (
        "run the Deployment and Service `serve` in member1",
        include_str!("../../../../examples/karmada-mcs/2-workload.yaml"),
    ),
    ("export `serve` from member1", include_str!("../../../../examples/karmada-mcs/3-export.yaml")),
    ("import `serve` into member2", include_str!("../../../../examples/karmada-mcs/4-import.yaml")),
];
/// Time for each object to appear; it takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two reads.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Number of requests, one per second.
const ANSWERS: usize = 3;

/// Applies the files, waits for their effects, and sends requests from one cluster to the other.
pub(crate) async fn run(playground: &Playground, progress: &Progress) -> Result<()> {
    let (hub, member1, member2) =
        (&playground.hub, playground.member("member1").await?, playground.member("member2").await?);
    let (member1, member2) = (&member1, &member2);
    for (purpose, manifest) in FILES {
        progress
            .step(purpose, async {
                let applied = manifests::apply_text(hub, manifest).await?;
                anyhow::Ok(((), format!("applied {}", applied.join(", "))))
            })
            .await?;
    }
    progress
        .step("the workload arrives in member1 and answers there", async {
            let deployment = Resource::from(resources::DEPLOYMENT);
            let is_ready =
                |object: &Object| object.at(&["status", "readyReplicas"]).and_then(Value::as_i64) >= Some(1);
            eventually(member1, &deployment, "serve", is_ready).await?;
            anyhow::Ok(((), String::new()))
        })
        .await?;
    let address = progress
        .step("member2 gets the Service derived-serve with member1's endpoints", derived(member2))
        .await?;
    progress.say(&format!("\n$ kubectl --context member2 get svc\n{}", services(member2).await?));
    let answers = progress
        .step(&format!("a pod in member2 asks http://{address}, {ANSWERS} times"), async {
            let answers = ask(member2, &address).await?;
            anyhow::Ok((answers.clone(), answers.join("\n")))
        })
        .await?;
    ensure!(answers.len() >= ANSWERS, "only {} of {ANSWERS} answers came", answers.len());
    ensure!(
        answers.iter().all(|answer| answer.contains("hello from cluster member1")),
        "an answer came from elsewhere"
    );
    Ok(())
}

/// Waits for the derived Service and a ready endpoint behind it, and returns its ClusterIP.
async fn derived(member: &Client) -> Result<(String, String)> {
    let service = Resource::from(resources::SERVICE);
    let found = eventually(member, &service, "derived-serve", |object| {
        !object.str_at(&["spec", "clusterIP"]).is_empty()
    })
    .await?;
    let slices = Resource::from(resources::ENDPOINT_SLICE);
    let selection = portolan_runtime::client::Selection::labels("kubernetes.io/service-name=derived-serve");
    let search = async {
        loop {
            let list = member.resource::<Object>(&slices).list(&selection).await?;
            let ready =
                list.items.iter().find(|slice| slice.object.0["endpoints"][0]["conditions"]["ready"] == true);
            if let Some(slice) = ready {
                return Ok::<_, ClientError>(slice.key.name.clone());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let Ok(slice) = tokio::time::timeout(TIMEOUT, search).await else {
        bail!("no endpoint of member1 reached member2 within {TIMEOUT:?}");
    };
    let address = found.str_at(&["spec", "clusterIP"]).to_owned();
    let outcome = format!("service/derived-serve {address}, endpointslice/{}", slice?);
    Ok((address, outcome))
}

async fn eventually(
    client: &Client,
    resource: &Resource,
    name: &str,
    wanted: impl Fn(&Object) -> bool,
) -> Result<Object> {
    let api = client.resource::<Object>(resource);
    let key = ObjectKey::namespaced("default", name);
    let search = async {
        loop {
            match api.get(&key).await {
                Ok(object) if wanted(&object) => return Ok(object),
                Ok(_) | Err(ClientError::NotFound(_)) => tokio::time::sleep(POLL_INTERVAL).await,
                Err(error) => return Err(error),
            }
        }
    };
    match tokio::time::timeout(TIMEOUT, search).await {
        Ok(found) => Ok(found?),
        Err(_) => bail!("{} {name} was not as expected within {TIMEOUT:?}", resource.gvk.kind),
    }
}

/// The table that kubectl prints.
async fn services(member: &Client) -> Result<String> {
    let table = member
        .table(&resources::SERVICE.into(), &Selection::namespace("default"), None, TableOptions::default())
        .await?;
    Ok(crate::output::table::plain(&table))
}

/// Runs the walkthrough's `request` pod in member2 and returns the lines it printed.
async fn ask(member: &Client, address: &str) -> Result<Vec<String>> {
    let resource = Resource::from(resources::POD);
    let pods = member.resource::<Object>(&resource);
    let key = ObjectKey::namespaced("default", "request");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "request", "namespace": "default" },
        "spec": { "restartPolicy": "Never", "containers": [{
            "name": "request", "image": "jeremyot/request:0a40de8",
            "args": [format!("--duration={ANSWERS}s"), format!("--address={address}")],
        }]},
    });
    pods.create(&Object(pod)).await?;
    let is_over = |pod: &Object| matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    let finished = eventually(member, &resource, "request", is_over).await?;
    let log = member.text(&format!("{}?container=request", resource.object_path(&key, "log"))).await?;
    pods.delete(&key, &Delete::background()).await?;
    ensure!(finished.str_at(&["status", "phase"]) == "Succeeded", "the request pod failed:\n{log}");
    Ok(log.lines().map(str::to_owned).collect())
}
