//! `portolan release`: lets the deletions go on that the brake holds in a cluster.

use anyhow::{Context, Result};
use jiff::Timestamp;
use portolan_api::annotations::cluster::DELETIONS_RELEASED;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::meta::condition;
use portolan_object::ObjectKey;
use portolan_object::time::format_time;
use portolan_runtime::ClientError;
use portolan_runtime::client::Patch;
use serde_json::json;

use crate::arguments::Release;
use crate::servers::{connect, no_cluster};

/// Releases the deletions that are held now. Later ones are counted afresh.
pub(crate) async fn run(arguments: Release) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let (api, name) = (hub.kind::<Cluster>(), arguments.cluster.as_str());
    let key = ObjectKey::cluster(name);
    let cluster = match api.get(&key).await {
        Ok(cluster) => cluster,
        Err(ClientError::NotFound(status)) => return Err(no_cluster(&hub, name, &status)),
        Err(error) => return Err(error).with_context(|| format!("cannot read cluster {name}")),
    };
    let held = condition(&cluster.status.conditions, DELETIONS_HELD).filter(|held| held.is_true());
    let Some(held) = held else {
        anstream::println!("cluster({name}): no deletion is held");
        return Ok(());
    };
    let now = format_time(Timestamp::now());
    let patch = json!({ "metadata": { "annotations": { DELETIONS_RELEASED: now } } });
    api.patch(&key, &Patch::Merge(patch)).await.with_context(|| format!("cannot release cluster {name}"))?;
    anstream::println!("cluster({name}) is released. It was held: {}", held.message);
    Ok(())
}
