//! Removes the Leases of agents that are gone: each pod has a Lease of its own name.

use std::time::Duration;

use portolan_api::{labels, resources};
use portolan_net::Clock;
use portolan_object::Object;
use portolan_plan::discovery::abandoned::is_abandoned;
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Client, ClientError};

use crate::missing::ignore_missing;

/// Time between two looks; the first one is at the start.
const INTERVAL: Duration = Duration::from_hours(1);

/// Removes them from `namespace` until the task is dropped.
pub(super) async fn remove_regularly(client: Client, namespace: String, clock: Clock) {
    let mut was_told = false;
    loop {
        match remove(&client, &namespace, &clock).await {
            Ok(()) => was_told = false,
            // Told once, not every hour.
            Err(error) if !std::mem::replace(&mut was_told, true) => tracing::warn!(
                namespace, %error,
                "Leases of agents that are gone stay: the agent's account needs list and delete of leases there"
            ),
            Err(_) => {}
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn remove(client: &Client, namespace: &str, clock: &Clock) -> Result<(), ClientError> {
    let api = client.resource::<Object>(&resources::LEASE.into());
    let labels = format!("{}={}", labels::agent::LEASE, labels::TRUE);
    let selection = Selection { labels, ..Selection::namespace(namespace) };
    for seen in api.list(&selection).await?.items {
        if !is_abandoned(&seen.object, clock.now()) {
            continue;
        }
        // One that is renewed at this moment stays.
        let at_version = Delete { resource_version: Some(seen.resource_version), ..Delete::background() };
        match ignore_missing(api.delete(&seen.key, &at_version).await) {
            Err(error) if error.is_race() => continue,
            deleted => deleted?,
        };
        tracing::info!(lease = %seen.key, "removed the Lease of an agent that has been gone for a day");
    }
    Ok(())
}
