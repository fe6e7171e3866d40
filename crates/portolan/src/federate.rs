//! `portolan federate`: federated objects of KubeFed from objects of the hub, and federated forms of kinds.

pub(crate) mod arguments;
mod objects;
mod types;

use anyhow::{Context, Result, bail};
use portolan_object::{Object, yaml};
use portolan_runtime::client::{Client, Discovered, Discovery};

use crate::kinds::named;
use crate::servers::connect;
use arguments::{Federate, FederateCommand};

/// Runs the command.
pub(crate) async fn run(arguments: Federate) -> Result<()> {
    match arguments.command {
        Some(FederateCommand::Enable { kind, output, hub }) => {
            types::enable(&connect(&hub).await?, &kind, output.is_some()).await
        }
        Some(FederateCommand::Disable { kind, delete_crd, hub }) => {
            types::disable(&connect(&hub).await?, &kind, delete_crd).await
        }
        None => objects::federate(arguments).await,
    }
}

/// The kinds of the control plane.
async fn discover(hub: &Client) -> Result<Discovery> {
    hub.discover().await.context("cannot read the kinds of the control plane")
}

/// The kind of this name.
fn kind<'a>(discovery: &'a Discovery, asked: &str) -> Result<&'a Discovered> {
    match named(discovery, asked) {
        Some(found) => Ok(found),
        None => bail!("the control plane has no kind called {asked:?}: apply its definition first"),
    }
}

/// Prints objects as YAML documents.
fn print(objects: &[Object]) {
    for object in objects {
        anstream::print!("---\n{}", yaml::to_string(&object.0));
    }
}
