//! Installing the federation's kinds in an embedded control plane.

use std::time::Duration;

use futures::future::try_join_all;
use portolan_api::crd;
use portolan_api::resources;
use portolan_object::Object;
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError, Resource};

/// An API server serves a new kind a moment after it has taken the definition.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
const LOOKS: usize = 2500;

/// Applies every CustomResourceDefinition, an unchanged one is not written; and waits until their kinds are served, so
/// that nobody who comes after is told that there is no such thing.
pub(crate) async fn install(client: &Client) -> Result<(), ClientError> {
    let resource = Resource::from(resources::CUSTOM_RESOURCE_DEFINITION);
    let api = client.resource::<Object>(&resource);
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    let definitions: Vec<Object> = crd::all().into_iter().map(Object).collect();
    try_join_all(definitions.iter().map(|definition| api.apply(definition, &options))).await?;
    for _ in 0..LOOKS {
        let discovery = client.discover().await?;
        let is_served = |definition: &Object| {
            let group = definition.str_at(&["spec", "group"]);
            discovery.find(group, definition.str_at(&["spec", "names", "kind"])).is_some()
        };
        if definitions.iter().all(is_served) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}
