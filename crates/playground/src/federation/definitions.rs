//! Installing the federation's kinds in an embedded control plane.

use futures::future::try_join_all;
use portolan_api::crd;
use portolan_object::Object;
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError, Resource};

/// Applies every CustomResourceDefinition; an unchanged one is not written.
pub(super) async fn install(client: &Client) -> Result<(), ClientError> {
    let resource = Resource::cluster(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    let api = client.resource::<Object>(&resource);
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    let definitions: Vec<Object> = crd::all().into_iter().map(Object).collect();
    try_join_all(definitions.iter().map(|definition| api.apply(definition, &options))).await?;
    Ok(())
}
