//! `portolan federate TYPE NAME`: federated objects from objects of the hub (kubefed pkg/kubefedctl/federate).

use anyhow::{Context, Result, bail};
use portolan_api::config::DependentObjectReference;
use portolan_api::kubefed::{FederatedType, FederatedTypeConfig, SYSTEM_NAMESPACE};
use portolan_object::{GroupVersion, Object, ObjectKey};
use portolan_plan::kubefed::federate::{can_be_federated, federated_form};
use portolan_plan::kubefed::type_config::read;
use portolan_plan::propagation::detect::{Skipped, exclusion};
use portolan_plan::propagation::references::dependencies;
use portolan_runtime::client::{Client, Discovered, Discovery, Selection};
use portolan_runtime::{ClientError, Resource};

use super::arguments::Federate;
use super::{discover, kind, print};

/// The control plane, its kinds, and the federated forms of these.
struct Control {
    hub: Client,
    discovery: Discovery,
    types: Vec<FederatedType>,
}

/// Federates what the arguments name.
pub(super) async fn federate(arguments: Federate) -> Result<()> {
    let (Some(asked), Some(name)) = (&arguments.kind, &arguments.name) else {
        bail!("name the type and the object");
    };
    let hub = arguments.hub.hub().await?;
    let namespace = hub.namespace_or(arguments.namespace.as_deref()).to_owned();
    let control = Control::read(hub.client).await?;
    let found = kind(&control.discovery, asked)?;
    let namespace = if found.resource.namespaced { namespace.as_str() } else { "" };
    let is_namespace = found.resource.gvk.group.is_empty() && found.resource.gvk.kind == "Namespace";
    if arguments.contents && !is_namespace {
        bail!("--contents is about a namespace: portolan federate namespace NAME --contents");
    }
    let object = control.get(&found.resource, &ObjectKey::namespaced(namespace, name.as_str())).await?;
    let mut objects = vec![object];
    if arguments.dependencies {
        for reference in dependencies(&objects[0]).context("cannot read what the object refers to")? {
            objects.extend(control.referred(&reference).await?);
        }
    }
    if arguments.contents {
        objects.extend(control.contents(name).await?);
    }
    let mut federated = Vec::new();
    for object in &objects {
        let kind = object.kind();
        let Some(of) = control.type_of(object) else {
            anstream::eprintln!(
                "{kind} {} is left out: the kind has no federated form; `portolan federate enable {kind}` gives it one",
                object.key()
            );
            continue;
        };
        let form = federated_form(object, of);
        if !form.dropped_annotations.is_empty() {
            let names = form.dropped_annotations.join(", ");
            anstream::eprintln!("{kind} {}: its annotations are not in the template: {names}", object.key());
        }
        federated.push((of, form.object));
    }
    if arguments.output.is_some() {
        let objects: Vec<Object> = federated.into_iter().map(|(_, object)| object).collect();
        print(&objects);
        return Ok(());
    }
    for (of, object) in &federated {
        control.create(of, object).await?;
    }
    Ok(())
}

impl Control {
    async fn read(hub: Client) -> Result<Self> {
        let discovery = discover(&hub).await?;
        let configs = hub.kind::<FederatedTypeConfig>().list(&Selection::namespace(SYSTEM_NAMESPACE)).await;
        let configs = configs.context("cannot read the FederatedTypeConfigs")?;
        let configured = configs.items.iter().filter_map(|seen| read(&seen.object).ok());
        let types = configured.map(|configured| configured.of).collect();
        Ok(Self { hub, discovery, types })
    }

    fn type_of(&self, object: &Object) -> Option<&FederatedType> {
        let kind = object.group_version_kind().group_kind();
        self.types.iter().find(|of| of.target.gvk.group_kind() == kind)
    }

    async fn get(&self, resource: &Resource, key: &ObjectKey) -> Result<Object> {
        let found = self.hub.resource::<Object>(resource).get(key).await;
        found.with_context(|| format!("cannot read {} {key}", resource.gvk.kind))
    }

    /// The objects of a reference that exist.
    async fn referred(&self, reference: &DependentObjectReference) -> Result<Vec<Object>> {
        let Ok(version) = reference.api_version.parse::<GroupVersion>() else { return Ok(Vec::new()) };
        let kind = version.kind(&*reference.kind);
        let Some(found) = self.discovery.find(&kind.group, &kind.kind) else { return Ok(Vec::new()) };
        if reference.name.is_empty() {
            return Ok(Vec::new());
        }
        let key = ObjectKey::namespaced(&*reference.namespace, &*reference.name);
        match self.hub.resource::<Object>(&found.resource).get(&key).await {
            Ok(object) if exclusion(&object, &Skipped::default()).is_none() => Ok(vec![object]),
            Ok(_) => Ok(Vec::new()),
            Err(ClientError::NotFound(_)) => {
                anstream::eprintln!("{} {key} does not exist and is left out", kind.kind);
                Ok(Vec::new())
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {} {key}", kind.kind)),
        }
    }

    /// Everything in a namespace that a user made.
    async fn contents(&self, namespace: &str) -> Result<Vec<Object>> {
        let skipped = Skipped::default();
        let is_wanted = |found: &&Discovered| {
            let resource = &found.resource;
            found.preferred
                && resource.namespaced
                && found.allows(&["list", "create"])
                && !skipped.has_kind(&resource.gvk)
        };
        let mut contents = Vec::new();
        for found in self.discovery.resources.iter().filter(is_wanted) {
            let listed =
                self.hub.resource::<Object>(&found.resource).list(&Selection::namespace(namespace)).await;
            let listed =
                listed.with_context(|| format!("cannot list {} of {namespace}", found.resource.plural))?;
            let objects = listed.items.into_iter().map(|seen| seen.object);
            contents.extend(
                objects.filter(|object| can_be_federated(object) && exclusion(object, &skipped).is_none()),
            );
        }
        Ok(contents)
    }

    async fn create(&self, of: &FederatedType, object: &Object) -> Result<()> {
        let resource = Resource::from(&of.federated);
        let name = format!("{}.{}/{}", resource.gvk.kind.to_lowercase(), resource.gvk.group, object.name());
        match self.hub.resource::<Object>(&resource).create(object).await {
            Ok(_) => anstream::println!("{name} created"),
            Err(ClientError::AlreadyExists(_)) => {
                anstream::println!("{name} exists already and stays as it is")
            }
            Err(error) => return Err(error).with_context(|| format!("cannot create {name}")),
        }
        Ok(())
    }
}
