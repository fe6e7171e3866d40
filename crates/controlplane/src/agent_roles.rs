//! The roles by which clusters register in pull mode. `portolan_api::agents::roles` has them.

use portolan_api::agents::roles::of_registration;
use portolan_api::resources;
use portolan_object::Object;
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError};

/// Applies the roles and their bindings.
pub(crate) async fn install(client: &Client) -> Result<(), ClientError> {
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    for object in of_registration() {
        let resource = match resources::CLUSTER_ROLE.is_kind_of(&object) {
            true => resources::CLUSTER_ROLE,
            false => resources::CLUSTER_ROLE_BINDING,
        };
        client.resource::<Object>(&resource.into()).apply(&object, &options).await?;
    }
    Ok(())
}
