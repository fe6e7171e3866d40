//! `portolan promote`: objects that run in a cluster become templates of the control plane, in place.
//!
//! Nothing restarts: the control plane takes the objects over as they are. A later deletion of the template leaves them in
//! the cluster.

pub(crate) mod arguments;

use anyhow::{Context, Result, anyhow, bail, ensure};
use portolan_api::config::DependentObjectReference;
use portolan_api::resources;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::adoption::{policy_of_template, template};
use portolan_plan::propagation::references::dependencies;
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::json;

use crate::apply::object;
use crate::hub_access::{Hub, kinds_of_hub};
use crate::kinds::{named, resolve};
use crate::manifests::describe;
use crate::servers::{administrator, cluster};
use arguments::{Promote, PromoteOutput};

/// Promotes the objects one after the other. One that cannot be is named, and the others go on.
pub(crate) async fn run(arguments: Promote) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let member = match administrator(&arguments.access).await? {
        Some(member) => member,
        None => cluster(&hub, &arguments.cluster).await?,
    };
    let served =
        member.discover().await.with_context(|| format!("cannot read cluster {}", arguments.cluster))?;
    let known = kinds_of_hub(&hub.client).await?;
    let promotion = Promotion { arguments: &arguments, hub: &hub, member, served, known };
    let objects = promotion.selected().await?;
    ensure!(!objects.is_empty(), "cluster {} has no such object", arguments.cluster);
    ensure!(
        arguments.policy_name.is_none() || objects.len() == 1,
        "--policy-name is for one object, and {} are selected",
        objects.len()
    );
    let (count, mut failed) = (objects.len(), 0);
    for object in objects {
        let name = describe(&object);
        if let Err(error) = promotion.promote(object).await {
            failed += 1;
            anstream::eprintln!("{name}: {}", crate::output::causes(&error));
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(anyhow!("{failed} of {count} objects are not promoted")),
    }
}

struct Promotion<'a> {
    arguments: &'a Promote,
    hub: &'a Hub,
    member: Client,
    /// The kinds of the cluster.
    served: Discovery,
    /// The kinds of the control plane.
    known: Discovery,
}

impl Promotion<'_> {
    fn namespace(&self) -> &str {
        self.arguments.namespace.as_deref().unwrap_or(&self.hub.namespace)
    }

    /// The objects that the arguments name.
    async fn selected(&self) -> Result<Vec<Object>> {
        let arguments = self.arguments;
        let (kind, names) = match arguments.kind.split_once('/') {
            Some((kind, name)) => (kind, vec![name.to_owned()]),
            None => (arguments.kind.as_str(), arguments.names.clone()),
        };
        ensure!(
            !arguments.kind.contains('/') || arguments.names.is_empty(),
            "write KIND/NAME, or KIND and names"
        );
        let is_selected = !arguments.selector.is_empty() || arguments.all;
        ensure!(names.is_empty() == is_selected, "name the objects, or select them with -l or --all");
        let resources = resolve(&self.served, kind)?;
        let [resource] = &*resources else { bail!("promote one kind at a time, not {kind}") };
        let api = self.member.resource::<Object>(resource);
        let namespace = if resource.namespaced { self.namespace() } else { "" };
        if is_selected {
            let selection = Selection {
                namespace: namespace.to_owned(),
                labels: arguments.selector.clone(),
                fields: String::new(),
            };
            let list = api.list(&selection).await?;
            return Ok(list.items.into_iter().map(|seen| seen.object).collect());
        }
        let mut objects = Vec::new();
        for name in names {
            let found = api.get(&ObjectKey::namespaced(namespace, &*name)).await;
            objects.push(found.with_context(|| format!("cluster {}", arguments.cluster))?);
        }
        Ok(objects)
    }

    async fn promote(&self, running: Object) -> Result<()> {
        let arguments = self.arguments;
        let owner =
            running.at(&["metadata", "ownerReferences"]).and_then(|owners| owners.as_array()?.first());
        if let Some(owner) = owner {
            bail!(
                "{} {} made it: promote that",
                owner["kind"].as_str().unwrap_or_default(),
                owner["name"].as_str().unwrap_or_default()
            );
        }
        let dependencies =
            if arguments.dependencies { self.dependencies(&running).await? } else { Vec::new() };
        let template = template(running);
        let policy_name = arguments.policy_name.as_deref().unwrap_or_default();
        let policy =
            object(policy_of_template(&template, &arguments.cluster, policy_name, arguments.dependencies))?;
        if let Some(output) = arguments.output {
            let policy = arguments.auto_create_policy.then_some(&policy);
            return dependencies
                .iter()
                .chain([&template])
                .chain(policy)
                .try_for_each(|object| print(object, output));
        }
        for dependency in &dependencies {
            if !self.create(dependency).await? {
                anstream::eprintln!(
                    "{} is on the control plane already and stays as it is",
                    describe(dependency)
                );
            }
        }
        if !self.create(&template).await? {
            anstream::eprintln!(
                "{} is on the control plane already: a PropagationPolicy places it, and an OverridePolicy changes it for \
                 one cluster",
                describe(&template)
            );
            return Ok(());
        }
        if arguments.auto_create_policy && !self.create(&policy).await? {
            bail!("{} exists already: edit it, or choose another --policy-name", describe(&policy));
        }
        let dry_run = if arguments.dry_run { " (dry run)" } else { "" };
        anstream::println!(
            "{} is promoted from cluster {} successfully{dry_run}",
            describe(&template),
            arguments.cluster
        );
        Ok(())
    }

    /// The templates of the objects that an object needs, as far as the cluster has them.
    async fn dependencies(&self, running: &Object) -> Result<Vec<Object>> {
        let mut templates = Vec::new();
        for reference in dependencies(running)? {
            for dependency in self.find(&reference).await? {
                templates.push(template(dependency));
            }
        }
        Ok(templates)
    }

    async fn find(&self, reference: &DependentObjectReference) -> Result<Vec<Object>> {
        let (group, version) = reference.api_version.split_once('/').unwrap_or(("", &reference.api_version));
        let kind = GroupVersionKind::new(group, version, &*reference.kind);
        let Some(found) = self.served.resources.iter().find(|found| found.resource.gvk == kind) else {
            return Ok(Vec::new());
        };
        let api = self.member.resource::<Object>(&found.resource);
        if reference.name.is_empty() {
            // Objects that labels select, such as EndpointSlices of a ServiceImport, are made by the cluster itself.
            return Ok(Vec::new());
        }
        match api.get(&ObjectKey::namespaced(&*reference.namespace, &*reference.name)).await {
            Ok(object) => Ok(vec![object]),
            // An optional reference, or one that the cluster lives without.
            Err(ClientError::NotFound(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates an object on the control plane; false if it exists.
    async fn create(&self, object: &Object) -> Result<bool> {
        let kind = object.group_version_kind();
        let found = named(&self.known, &format!("{}.{}.{}", kind.kind, kind.version, kind.group));
        let found = found.with_context(|| {
            format!("the control plane does not serve {kind}: apply its CustomResourceDefinition there first")
        })?;
        self.ensure_namespace(&found.resource, object).await?;
        let mut api = self.hub.client.resource::<Object>(&found.resource);
        if self.arguments.dry_run {
            api = api.dry_run();
        }
        match api.create(object).await {
            Ok(_) => {
                let dry_run = if self.arguments.dry_run { " (dry run)" } else { "" };
                anstream::println!("{} created{dry_run}", describe(object));
                Ok(true)
            }
            Err(ClientError::AlreadyExists(_)) => Ok(false),
            // The namespace would have been created before.
            Err(ClientError::NotFound(_)) if self.arguments.dry_run => Ok(true),
            Err(error) => Err(error).with_context(|| format!("cannot create {}", describe(object))),
        }
    }

    /// Creates the namespace of an object on the control plane, if it is not there.
    async fn ensure_namespace(&self, resource: &Resource, object: &Object) -> Result<()> {
        if !resource.namespaced {
            return Ok(());
        }
        let namespace = object.namespace();
        let mut namespaces = self.hub.client.resource::<Object>(&resources::NAMESPACE.into());
        match namespaces.get(&ObjectKey::cluster(namespace)).await {
            Ok(_) => return Ok(()),
            Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read namespace {namespace}")),
        }
        if self.arguments.dry_run {
            namespaces = namespaces.dry_run();
        }
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        let created = namespaces.create(&Object(object)).await;
        created.with_context(|| format!("cannot create namespace {namespace} on the control plane"))?;
        let dry_run = if self.arguments.dry_run { " (dry run)" } else { "" };
        anstream::println!("namespace/{namespace} created{dry_run}; every cluster gets it");
        Ok(())
    }
}

fn print(object: &Object, output: PromoteOutput) -> Result<()> {
    match output {
        PromoteOutput::Json => anstream::println!("{}", serde_json::to_string_pretty(&object.0)?),
        PromoteOutput::Yaml => anstream::print!("---\n{}", serde_saphyr::to_string(&object.0)?),
    }
    Ok(())
}
