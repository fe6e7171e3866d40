//! `portolan federation`: plain Services in every cluster, as in Federation v1.

pub(crate) mod arguments;
mod context;
mod explain;
pub(crate) mod published;
mod status;
mod take_over;

use anyhow::{Context, Result};
use portolan_api::federation::Federation;
use portolan_api::meta::ObjectMeta;
use portolan_runtime::{Client, ClientError};

use crate::hub_access::HubAccess;
use crate::servers::connect;
use arguments::{FederationArguments, FederationCommand};
pub(crate) use explain::explain;

/// Runs the command.
pub(crate) async fn run(arguments: FederationArguments) -> Result<()> {
    match arguments.command {
        FederationCommand::Init { name, new_context, hub } => init(&name, &new_context, &hub).await,
        FederationCommand::TakeOver(arguments) => take_over::run(&arguments).await,
        FederationCommand::Status { name, hub } => status::run(&connect(&hub).await?, name.as_deref()).await,
    }
}

async fn init(name: &str, new_context: &str, access: &HubAccess) -> Result<()> {
    let hub = connect(access).await?;
    let outcome = if create(&hub, name).await? { "created" } else { "unchanged" };
    anstream::println!("federation.portolan.dev/{name} {outcome}");
    let (file, is_new) = context::add(access, new_context)?;
    let outcome = if is_new { "created" } else { "unchanged" };
    anstream::println!("context {new_context} {outcome} in {}", file.display());
    anstream::println!("next: kubectl --context={new_context} create -f SERVICE.yaml");
    Ok(())
}

/// Whether the Federation is new.
async fn create(hub: &Client, name: &str) -> Result<bool> {
    let federation = Federation { metadata: ObjectMeta::cluster(name), ..Federation::default() };
    match hub.kind::<Federation>().create(&federation).await {
        Ok(_) => Ok(true),
        Err(ClientError::AlreadyExists(_)) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot create Federation {name}")),
    }
}
