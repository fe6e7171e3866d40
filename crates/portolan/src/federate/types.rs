//! `portolan federate enable` and `disable` (kubefed pkg/kubefedctl/enable, disable).

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_api::crd::federated_definition;
use portolan_api::kubefed::{
    BUILT_IN, ControllerStatus, FederatedType, FederatedTypeConfig, SYSTEM_NAMESPACE, Switch, TypeName,
    is_federated,
};
use portolan_api::{Kind, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::federate::{has_replicas, short_names};
use portolan_plan::kubefed::type_config::read;
use portolan_runtime::client::{Apply, Client, Delete, Discovered, Patch, Selection};
use portolan_runtime::{ClientError, Resource};
use serde_json::json;

use super::{discover, kind, print};

/// Time for the propagation of a kind to stop (as in kubefedctl).
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Makes the definition and the FederatedTypeConfig of a kind.
pub(super) async fn enable(hub: &Client, asked: &str, is_printed: bool) -> Result<()> {
    let discovery = discover(hub).await?;
    let found = kind(&discovery, asked)?;
    let of = federated_type(found)?;
    let config = FederatedTypeConfig::of(&of, Switch::Enabled);
    read(&config).with_context(|| format!("{} has no federated form", found.resource.gvk.kind))?;
    let mut objects = vec![config.to_object()];
    if !is_built_in(&of) {
        let definition = federated_definition(&of, &aliases(found), with_replicas(hub, &of).await?);
        objects.push(Object(definition));
    }
    if is_printed {
        print(&objects);
        return Ok(());
    }
    create_system_namespace(hub).await?;
    // The definition first: the FederatedTypeConfig then finds its kind served.
    for object in objects.iter().rev() {
        let is_definition = resources::CUSTOM_RESOURCE_DEFINITION.is_kind_of(object);
        let resource = match is_definition {
            true => Resource::from(resources::CUSTOM_RESOURCE_DEFINITION),
            false => Resource::of::<FederatedTypeConfig>(),
        };
        let options = Apply { manager: "portolan".to_owned(), force: true };
        let name = object.name();
        hub.resource::<Object>(&resource)
            .apply(object, &options)
            .await
            .with_context(|| format!("cannot apply {} {name}", object.kind()))?;
        match is_definition {
            true => anstream::println!("customresourcedefinition.apiextensions.k8s.io/{name} applied"),
            false => anstream::println!(
                "federatedtypeconfig.core.kubefed.io/{name} applied in namespace {SYSTEM_NAMESPACE}"
            ),
        }
    }
    Ok(())
}

/// Stops the propagation of a kind.
pub(super) async fn disable(hub: &Client, asked: &str, deletes_definition: bool) -> Result<()> {
    let discovery = discover(hub).await?;
    let of = federated_type(kind(&discovery, asked)?)?;
    let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, of.name());
    if deletes_definition {
        refuse_with_objects(hub, &of).await?;
    }
    let configs = hub.kind::<FederatedTypeConfig>();
    create_system_namespace(hub).await?;
    match configs.create(&FederatedTypeConfig::of(&of, Switch::Disabled)).await {
        Ok(_) => {}
        Err(ClientError::AlreadyExists(_)) => {
            let patch = json!({ "spec": { "propagation": Switch::Disabled } });
            configs
                .patch(&key, &Patch::Merge(patch))
                .await
                .context("cannot change the FederatedTypeConfig")?;
        }
        Err(error) => return Err(error).context("cannot create the FederatedTypeConfig"),
    }
    anstream::println!("Disabled propagation for FederatedTypeConfig \"{key}\"");
    wait_until_stopped(hub, &key).await?;
    anstream::println!("Propagation controller for FederatedTypeConfig \"{key}\" is stopped");
    configs.delete(&key, &Delete::background()).await.context("cannot delete the FederatedTypeConfig")?;
    anstream::println!("federatedtypeconfig \"{key}\" deleted");
    if deletes_definition {
        let name = format!("{}.{}", of.federated.plural, of.federated.gvk.group);
        let definitions = hub.resource::<Object>(&resources::CUSTOM_RESOURCE_DEFINITION.into());
        definitions.delete(&ObjectKey::cluster(&*name), &Delete::background()).await?;
        anstream::println!("customresourcedefinition \"{name}\" deleted");
    }
    Ok(())
}

/// The federated form of a kind of the hub.
fn federated_type(found: &Discovered) -> Result<FederatedType> {
    let resource = &found.resource;
    if is_federated(&resource.gvk) {
        bail!("{} is a federated kind: name the kind that members get", resource.gvk.kind);
    }
    Ok(FederatedType::of(TypeName::from(resource)))
}

fn is_built_in(of: &FederatedType) -> bool {
    BUILT_IN.iter().any(|one| one.target.is_kind(&of.target.gvk))
}

fn aliases(found: &Discovered) -> Vec<String> {
    short_names(&found.resource.gvk.kind.to_lowercase(), &found.aliases)
}

async fn with_replicas(hub: &Client, of: &FederatedType) -> Result<bool> {
    let target = &of.target;
    let key = ObjectKey::cluster(format!("{}.{}", target.plural, target.gvk.group));
    let definitions = hub.resource::<Object>(&resources::CUSTOM_RESOURCE_DEFINITION.into());
    match definitions.get(&key).await {
        Ok(definition) => Ok(has_replicas(&definition, &target.gvk.version)),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read the definition {}", key.name)),
    }
}

async fn create_system_namespace(hub: &Client) -> Result<()> {
    let namespace = Object(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": SYSTEM_NAMESPACE } }));
    match hub.resource::<Object>(&resources::NAMESPACE.into()).create(&namespace).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot create the namespace {SYSTEM_NAMESPACE}")),
    }
}

async fn refuse_with_objects(hub: &Client, of: &FederatedType) -> Result<()> {
    let federated = &of.federated;
    if is_built_in(of) {
        bail!("{} is built in: its definition stays; leave --delete-crd out", federated.gvk.kind);
    }
    let objects = hub.resource::<Object>(&Resource::from(federated)).list(&Selection::all()).await;
    match objects {
        Ok(objects) if !objects.items.is_empty() => {
            bail!(
                "there are {} objects of kind {}: delete them first",
                objects.items.len(),
                federated.gvk.kind
            )
        }
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", federated.plural)),
    }
}

async fn wait_until_stopped(hub: &Client, key: &ObjectKey) -> Result<()> {
    let configs = hub.kind::<FederatedTypeConfig>();
    let stopped = async {
        loop {
            let config = configs.get(key).await?;
            let is_seen = config.status.observed_generation == config.metadata.generation;
            if is_seen && config.status.propagation_controller == ControllerStatus::NotRunning {
                return Ok::<_, ClientError>(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(STOP_TIMEOUT, stopped).await {
        Ok(result) => Ok(result?),
        Err(_) => {
            bail!("the propagation does not stop within {STOP_TIMEOUT:?}: is the control plane running?")
        }
    }
}
