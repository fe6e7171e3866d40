//! `portolan migrate`: federated objects of KubeFed become templates with policies. The clusters keep what they have.

pub(crate) mod arguments;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use portolan_api::conditions::binding::FULLY_APPLIED;
use portolan_api::kubefed::{
    FederatedStatus, FederatedType, FederatedTypeConfig, ORPHAN, ReplicaSchedulingPreference,
    SYSTEM_NAMESPACE, is_federated,
};
use portolan_api::meta::condition;
use portolan_api::work::{
    ClusterResourceBinding, ResourceBinding, ResourceBindingSpec, ResourceBindingStatus,
};
use portolan_api::{labels, names};
use portolan_object::{Object, ObjectKey, yaml};
use portolan_plan::kubefed::migrate::{
    Clusters, Existing, Exists, Migrated, Step, migrate, overrides_beside, steps,
};
use portolan_plan::kubefed::type_config::read;
use portolan_runtime::client::{Delete, Discovery, Patch, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::hub_access::kinds_of_hub;
use crate::kinds::named;
use crate::manifests::describe;
use arguments::Migrate;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
const FEDERATED_NAMESPACE: &str = "FederatedNamespace";

/// Prints what takes the place of federated objects, or with `--apply` makes it so, one object after the other.
pub(crate) async fn run(arguments: Migrate) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = arguments.namespaces.chosen(&hub);
    let migration = Migration::read(hub.client, Duration::from_secs(arguments.timeout)).await?;
    let objects = migration.selected(&arguments, &namespace).await?;
    ensure!(!objects.is_empty(), "there is no such federated object");
    let (count, mut failed) = (objects.len(), 0);
    for object in objects {
        let title = format!("{} {}", object.kind(), object.key());
        let result = migration.migrate(&object, arguments.apply).await;
        match result {
            Ok(clusters) if arguments.apply => {
                anstream::println!("{title} is migrated; it stays as it is in {clusters} clusters");
            }
            Ok(_) => {}
            Err(error) => {
                failed += 1;
                anstream::eprintln!("{title} stays federated: {}", crate::output::causes(&error));
            }
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(anyhow!("{failed} of {count} federated objects stay")),
    }
}

struct Migration {
    hub: Client,
    discovery: Discovery,
    types: Vec<FederatedType>,
    /// Namespaces with a FederatedNamespace.
    gated: Vec<String>,
    timeout: Duration,
}

/// The binding of an object.
struct Binding {
    spec: ResourceBindingSpec,
    status: ResourceBindingStatus,
}

impl Migration {
    async fn read(hub: Client, timeout: Duration) -> Result<Self> {
        let discovery = kinds_of_hub(&hub).await?;
        let configs = hub.kind::<FederatedTypeConfig>().list(&Selection::namespace(SYSTEM_NAMESPACE)).await;
        let configs = configs.context("cannot read the FederatedTypeConfigs")?;
        let types = configs.items.iter().filter_map(|seen| read(&seen.object).ok());
        let types = types.map(|configured| configured.of).collect();
        let mut migration = Self { hub, discovery, types, gated: Vec::new(), timeout };
        if let Some(found) = migration.discovery.find("types.kubefed.io", FEDERATED_NAMESPACE) {
            let listed = migration.hub.resource::<Object>(&found.resource).list(&Selection::all()).await;
            let listed = listed.context("cannot read the FederatedNamespaces")?;
            migration.gated = listed.items.iter().map(|seen| seen.object.namespace().to_owned()).collect();
        }
        Ok(migration)
    }

    /// The federated objects that the arguments name; an empty `namespace` is all. FederatedNamespaces only if their kind is named.
    async fn selected(&self, arguments: &Migrate, namespace: &str) -> Result<Vec<Object>> {
        let resources: Vec<Resource> = match &arguments.kind {
            Some(kind) => {
                let found = named(&self.discovery, kind);
                let found = found.filter(|found| is_federated(&found.resource.gvk));
                let found = found
                    .with_context(|| format!("{kind:?} is no federated kind, such as FederatedDeployment"))?;
                vec![found.resource.clone()]
            }
            None => {
                let kinds = self.discovery.resources.iter().filter(|found| {
                    is_federated(&found.resource.gvk) && found.preferred && found.allows(&["list"])
                });
                let kinds = kinds.map(|found| found.resource.clone());
                kinds.filter(|resource| resource.gvk.kind != FEDERATED_NAMESPACE).collect()
            }
        };
        let mut objects = Vec::new();
        for resource in resources {
            let api = self.hub.resource::<Object>(&resource);
            let namespace = if resource.namespaced { namespace } else { "" };
            if arguments.names.is_empty() {
                let listed = api.list(&Selection::namespace(namespace)).await;
                let listed = listed.with_context(|| format!("cannot list {}", resource.plural))?;
                objects.extend(listed.items.into_iter().map(|seen| seen.object));
            }
            for name in &arguments.names {
                let key = ObjectKey::namespaced(namespace, name.as_str());
                let found = api.get(&key).await;
                objects.push(found.with_context(|| format!("cannot read {} {key}", resource.gvk.kind))?);
            }
        }
        Ok(objects)
    }

    /// Migrates one object, or prints how. Returns the number of its clusters.
    async fn migrate(&self, federated: &Object, applies: bool) -> Result<usize> {
        let kind = federated.kind();
        let of = self.types.iter().find(|of| of.federated.gvk.kind == kind);
        let of = of.with_context(|| {
            format!("{kind} has no FederatedTypeConfig: `portolan federate enable` makes one")
        })?;
        if federated.is_deleting() {
            // An earlier run has deleted it, and ended before its policies took over.
            let is_orphaned = federated.annotation(ORPHAN) == Some(labels::TRUE);
            ensure!(applies && is_orphaned, "it is being deleted");
            self.take_over(federated, of).await?;
            let binding = self.binding_of_template(federated, of).await?;
            return Ok(binding.map_or(0, |binding| binding.spec.clusters.len()));
        }
        if let Some(problem) = FederatedStatus::problem(federated) {
            bail!("its condition Propagation is not True: mend what its status says first: {problem}");
        }
        self.refuse_with_preference(federated).await?;
        let clusters = self.clusters(federated).await?;
        let migrated = migrate(federated, of, &clusters)?;
        match applies {
            true => self.apply(federated, of, &migrated).await?,
            false => print(federated, &clusters, &migrated),
        }
        Ok(clusters.names.len())
    }

    /// A preference goes on writing placement and replicas, for which policies have other fields.
    async fn refuse_with_preference(&self, federated: &Object) -> Result<()> {
        match self.hub.kind::<ReplicaSchedulingPreference>().get(&federated.key()).await {
            Ok(preference) if preference.spec.target_kind == federated.kind() => bail!(
                "a ReplicaSchedulingPreference divides its replicas: delete that first; the replicas stay as they are then, as \
                 overrides"
            ),
            Ok(_) | Err(ClientError::NotFound(_)) => Ok(()),
            Err(error) => Err(error).context("cannot read its ReplicaSchedulingPreference"),
        }
    }

    async fn clusters(&self, federated: &Object) -> Result<Clusters> {
        let binding = self.binding(federated.kind(), &federated.key()).await?;
        let binding = binding.context("the control plane has no binding of it")?;
        let names = binding.spec.clusters.into_iter().map(|target| target.name).collect();
        let is_listed = federated.at(&["spec", "placement", "clusters"]).is_some_and(|list| !list.is_null());
        let by_selector =
            !is_listed && !self.gated.iter().any(|namespace| namespace == federated.namespace());
        Ok(Clusters { names, by_selector })
    }

    /// The binding of what members have of a federated object.
    async fn binding_of_template(&self, federated: &Object, of: &FederatedType) -> Result<Option<Binding>> {
        let key = match of.target.namespaced {
            true => federated.key(),
            false => ObjectKey::cluster(federated.name()),
        };
        self.binding(&of.target.gvk.kind, &key).await
    }

    async fn binding(&self, kind: &str, key: &ObjectKey) -> Result<Option<Binding>> {
        let name = names::binding(kind, &key.name);
        let found = match &*key.namespace {
            "" => {
                let found = self.hub.kind::<ClusterResourceBinding>().get(&ObjectKey::cluster(name)).await;
                found.map(|found| Binding { spec: found.spec, status: found.status })
            }
            namespace => {
                let key = ObjectKey::namespaced(namespace, name);
                let found = self.hub.kind::<ResourceBinding>().get(&key).await;
                found.map(|found| Binding { spec: found.spec, status: found.status })
            }
        };
        match found {
            Ok(binding) => Ok(Some(binding)),
            Err(ClientError::NotFound(_)) => Ok(None),
            Err(error) => Err(error).context("cannot read the binding"),
        }
    }

    /// The policies and the template come first: they wait for the federated object, and take over when it has let go.
    async fn apply(&self, federated: &Object, of: &FederatedType, migrated: &Migrated) -> Result<()> {
        let overrides = self.existing(&overrides_beside(&migrated.policy)).await?;
        let policy = self.existing(&migrated.policy).await?;
        let existing = Existing { overrides, policy, template: self.existing(&migrated.template).await? };
        let steps = steps(federated, migrated, &existing).map_err(|Exists(other)| {
            anyhow!(
                "{} exists on the control plane already, and this command has not made it: delete or rename it, and run the \
                 command again; nothing was changed",
                describe(&other)
            )
        })?;
        for step in &steps {
            self.write(step).await?;
        }
        let api = self.hub.resource::<Object>(&Resource::from(&of.federated));
        let orphan = json!({ "metadata": { "resourceVersion": federated.resource_version(),
            "annotations": { ORPHAN: labels::TRUE } } });
        api.patch(&federated.key(), &Patch::Merge(orphan)).await.context("cannot orphan its objects")?;
        api.delete(&federated.key(), &Delete::background().uid(federated.uid()))
            .await
            .context("cannot delete it")?;
        self.take_over(federated, of).await
    }

    /// Waits until the federated object is gone, and its policies have brought the template to all clusters.
    async fn take_over(&self, federated: &Object, of: &FederatedType) -> Result<()> {
        let api = self.hub.resource::<Object>(&Resource::from(&of.federated));
        let deadline = Instant::now() + self.timeout;
        loop {
            let is_gone = match api.get(&federated.key()).await {
                Ok(_) => false,
                Err(ClientError::NotFound(_)) => true,
                Err(error) => return Err(error).context("cannot read it"),
            };
            let binding = if is_gone { self.binding_of_template(federated, of).await? } else { None };
            let is_applied = binding.is_some_and(|binding| {
                condition(&binding.status.conditions, FULLY_APPLIED).is_some_and(|applied| applied.is_true())
            });
            if is_applied {
                return Ok(());
            }
            if Instant::now() > deadline {
                ensure!(is_gone, "it is not deleted yet; its policies take over when it is");
                bail!("the template is not in all clusters yet: `portolan why` says why");
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    fn resource(&self, object: &Object) -> Result<Resource> {
        let kind = object.group_version_kind();
        let found = self.discovery.find(&kind.group, &kind.kind);
        let found = found.with_context(|| {
            format!("the control plane does not serve {kind}: apply its CustomResourceDefinition there first")
        })?;
        Ok(found.resource.clone())
    }

    /// The object of the same kind and name on the control plane.
    async fn existing(&self, object: &Object) -> Result<Option<Object>> {
        match self.hub.resource::<Object>(&self.resource(object)?).get(&object.key()).await {
            Ok(found) => Ok(Some(found)),
            Err(ClientError::NotFound(_)) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", describe(object))),
        }
    }

    async fn write(&self, step: &Step) -> Result<()> {
        let (Step::Create(object) | Step::Replace(object) | Step::Delete(object)) = step;
        let api = self.hub.resource::<Object>(&self.resource(object)?);
        let name = describe(object);
        let (written, what) = match step {
            Step::Create(_) => (api.create(object).await.map(drop), "created"),
            Step::Replace(_) => (api.replace(object).await.map(drop), "of an earlier run brought up to date"),
            Step::Delete(_) => {
                let options = Delete::background().uid(object.uid());
                (api.delete(&object.key(), &options).await, "of an earlier run deleted")
            }
        };
        written.with_context(|| {
            format!("cannot write {name}: run the command again; it goes on where it has ended")
        })?;
        anstream::println!("{name} {what}");
        Ok(())
    }
}

fn print(federated: &Object, clusters: &Clusters, migrated: &Migrated) {
    let names: Vec<&str> = clusters.names.iter().map(String::as_str).collect();
    anstream::println!(
        "# {} {}: no field changes in {}",
        federated.kind(),
        federated.key(),
        names.join(", ")
    );
    for object in [&migrated.template, &migrated.policy].into_iter().chain(&migrated.overrides) {
        anstream::print!("---\n{}", yaml::to_string(&object.0));
    }
}
