//! Reads the facts of one template. Each read that fails is told with its reason; the others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::config::{ResourceInterpreterCustomization, ResourceInterpreterWebhookConfiguration};
use portolan_api::meta::{Condition, condition};
use portolan_api::policy::{
    ClusterOverridePolicy, ClusterPropagationPolicy, OverridePolicy, PropagationPolicy,
};
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, ResourceHealth, Work};
use portolan_api::{labels, names, resources};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::discovery::ReadError;
use portolan_plan::explain::{Facts, MemberFacts, Read};
use portolan_plan::propagation::health::health;
use portolan_plan::propagation::snapshot::{self, Binding, Policy};
use portolan_plan::propagation::work;
use portolan_runtime::client::{Discovered, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{descendants, find, list, unread};
use crate::collections::{template_api, trim_template};

/// Members that are read at the same time.
const MAX_CONCURRENT: usize = 32;
/// Time for all requests to one member. Members that are not ready are not asked.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The kind on the hub.
    pub found: Discovered,
    /// Namespace and name.
    pub key: ObjectKey,
    /// Only the path to this cluster.
    pub only: Option<String>,
}

/// Reads everything about one object. `connect` makes a client of a member.
pub async fn facts(
    hub: &Client,
    question: Question,
    connect: impl AsyncFn(&Cluster) -> Read<Client>,
) -> Facts {
    let Question { found, key, only } = question;
    let resource = &found.resource;
    let namespace = key.namespace.as_str();
    let everywhere = Selection::all();
    let of_clusters = Resource::of::<Cluster>();
    let (template, binding, policies, overrides, clusters) = tokio::join!(
        template(hub, resource, &key),
        binding(hub, &resource.gvk, &key),
        both::<_, PropagationPolicy, ClusterPropagationPolicy>(hub, ""),
        both::<_, OverridePolicy, ClusterOverridePolicy>(hub, namespace),
        list::<Cluster>(hub, &of_clusters, &everywhere),
    );
    let namesakes = match &template {
        Ok(None) if resource.namespaced => namesakes(hub, resource, &key).await,
        _ => Vec::new(),
    };
    let warnings = match (&template, &binding) {
        (Ok(Some(template)), Ok(None)) => warnings(hub, template).await,
        _ => Ok(Vec::new()),
    };
    let works = works(hub, &resource.gvk, &key, &binding, &clusters).await;
    let priority_classes = priority_classes(hub, policies.as_deref().unwrap_or_default()).await;
    let mut facts = Facts {
        kind: resource.gvk.clone(),
        key,
        is_deletable: found.allows(&["delete"]),
        is_customised: is_customised(hub, &resource.gvk).await,
        template,
        namesakes,
        policies,
        overrides,
        priority_classes,
        warnings,
        binding,
        clusters,
        works,
        members: BTreeMap::new(),
        only,
    };
    facts.members = members(&facts, &connect).await;
    facts
}

/// The object on the hub, as propagation sees it; `None` if it does not exist.
async fn template(hub: &Client, resource: &Resource, key: &ObjectKey) -> Read<Option<Object>> {
    match template_api(hub, resource).get(key).await {
        Ok(mut object) => {
            trim_template(&mut object);
            Ok(Some(object))
        }
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(error) => Err(unread(error)),
    }
}

/// Whether a customised interpreter may handle the kind; also if that cannot be read.
async fn is_customised(hub: &Client, kind: &GroupVersionKind) -> bool {
    let scripts = customised::<ResourceInterpreterCustomization>(hub).await;
    let webhooks = customised::<ResourceInterpreterWebhookConfiguration>(hub).await;
    match (scripts, webhooks) {
        (Some(scripts), Some(webhooks)) => snapshot::is_customised(kind, &scripts, &webhooks),
        _ => true,
    }
}

/// The objects of a kind of interpreters: none if the hub does not serve it; `None` if they cannot be read.
async fn customised<T>(hub: &Client) -> Option<Vec<T>>
where
    T: Kind + DeserializeOwned + Serialize + Send,
{
    match hub.kind::<T>().list(&Selection::all()).await {
        Ok(listed) => Some(listed.items.into_iter().map(|seen| seen.object).collect()),
        Err(ClientError::NotFound(_)) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// The objects of a kind in a namespace (all for an empty one), and those of its cluster-scoped variant.
pub(super) async fn both<T, N: Kind, C: Kind>(client: &Client, namespace: &str) -> Read<Vec<T>>
where
    T: DeserializeOwned + Serialize + Send,
{
    let (of_namespaced, of_cluster) = (Resource::of::<N>(), Resource::of::<C>());
    let (in_namespace, everywhere) = (Selection::namespace(namespace), Selection::all());
    let (namespaced, cluster) = tokio::join!(
        list::<T>(client, &of_namespaced, &in_namespace),
        list::<T>(client, &of_cluster, &everywhere),
    );
    let mut all = namespaced?;
    all.extend(cluster?);
    Ok(all)
}

/// The names of the PriorityClasses, if a policy needs one.
async fn priority_classes(hub: &Client, policies: &[Policy]) -> Read<Vec<String>> {
    if policies.iter().all(|policy| policy.spec.schedule_priority.is_none()) {
        return Ok(Vec::new());
    }
    let classes: Vec<Object> = list(hub, &resources::PRIORITY_CLASS.into(), &Selection::all()).await?;
    Ok(classes.iter().map(|class| class.name().to_owned()).collect())
}

async fn binding(hub: &Client, kind: &GroupVersionKind, key: &ObjectKey) -> Read<Option<Binding>> {
    let name = names::binding(&kind.kind, &key.name);
    let resource = match key.namespace.as_str() {
        "" => Resource::of::<ClusterResourceBinding>(),
        _ => Resource::of::<ResourceBinding>(),
    };
    let binding_key = ObjectKey::namespaced(key.namespace.as_str(), name);
    find(hub, &resource, &binding_key).await
}

/// Other namespaces with an object of this kind and name. Only a hint: empty if they cannot be read.
async fn namesakes(hub: &Client, resource: &Resource, key: &ObjectKey) -> Vec<String> {
    let selection = Selection::fields(format!("metadata.name={}", key.name));
    let found: Vec<Object> = list(hub, resource, &selection).await.unwrap_or_default();
    let mut namespaces: Vec<String> = found.iter().map(|object| object.namespace().to_owned()).collect();
    namespaces.sort();
    namespaces.truncate(10);
    namespaces
}

/// The Works of the template: those with the id of its binding, or those of a Namespace by their names.
async fn works(
    hub: &Client,
    kind: &GroupVersionKind,
    key: &ObjectKey,
    binding: &Read<Option<Binding>>,
    clusters: &Read<Vec<Cluster>>,
) -> Read<BTreeMap<String, Work>> {
    let resource = Resource::of::<Work>();
    let mut by_cluster = BTreeMap::new();
    if resources::NAMESPACE.is_kind(kind) {
        let template = Object::new(kind, key);
        for cluster in clusters.as_ref().map_err(Clone::clone)? {
            let name = &cluster.metadata.name;
            if let Some(work) = find::<Work>(hub, &resource, &work::key(&template, name)).await? {
                by_cluster.insert(name.clone(), work);
            }
        }
        return Ok(by_cluster);
    }
    let Some(binding) = binding.as_ref().map_err(Clone::clone)? else { return Ok(by_cluster) };
    let label = match key.namespace.as_str() {
        "" => labels::cluster_binding::PERMANENT_ID,
        _ => labels::binding::PERMANENT_ID,
    };
    let Some(id) = binding.metadata.label(label) else { return Ok(by_cluster) };
    let works: Vec<Work> = list(hub, &resource, &Selection::labels(format!("{label}={id}"))).await?;
    for work in works {
        if let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) {
            by_cluster.insert(cluster.to_owned(), work);
        }
    }
    Ok(by_cluster)
}

/// The object in every cluster with a Work.
async fn members(
    facts: &Facts,
    connect: &impl AsyncFn(&Cluster) -> Read<Client>,
) -> BTreeMap<String, MemberFacts> {
    let clusters = facts.clusters.as_deref().unwrap_or_default();
    let with_work = clusters.iter().filter(|cluster| {
        let name = &cluster.metadata.name;
        facts.asks_about(name) && facts.works.as_ref().is_ok_and(|works| works.contains_key(name))
    });
    let read = async |cluster: &Cluster| {
        let found = tokio::time::timeout(MEMBER_TIMEOUT, read_member(facts, cluster, connect)).await;
        let late = || Err(ReadError(format!("no answer within {} s", MEMBER_TIMEOUT.as_secs())));
        let found = found.unwrap_or_else(|_| late());
        let unread = |error: ReadError| MemberFacts {
            object: Err(error.clone()),
            below: Err(error.clone()),
            warnings: Err(error),
        };
        (cluster.metadata.name.clone(), found.unwrap_or_else(unread))
    };
    futures::stream::iter(with_work).map(read).buffer_unordered(MAX_CONCURRENT).collect().await
}

async fn read_member(
    facts: &Facts,
    cluster: &Cluster,
    connect: &impl AsyncFn(&Cluster) -> Read<Client>,
) -> Read<MemberFacts> {
    if !condition(&cluster.status.conditions, READY).is_some_and(Condition::is_true) {
        return Err(ReadError("the cluster is not ready".to_owned()));
    }
    let client = connect(cluster).await?;
    let served = client.discover().await.map_err(unread)?;
    let kind = &facts.kind;
    let Some(found) = served.find(&kind.group, &kind.kind) else {
        return Err(ReadError(format!("the cluster does not serve {}", kind.group_kind())));
    };
    let object: Option<Object> = find(&client, &found.resource, &facts.key).await?;
    let below = match &object {
        Some(object) => descendants(&client, &served, object).await,
        None => Ok(Vec::new()),
    };
    let warnings = match object.as_ref().filter(|object| health(object) == ResourceHealth::Unhealthy) {
        Some(object) => warnings(&client, object).await,
        None => Ok(Vec::new()),
    };
    Ok(MemberFacts { object: Ok(object), below, warnings })
}

/// The warnings about an object in its cluster. Those of cluster-scoped objects are in any namespace.
async fn warnings(client: &Client, object: &Object) -> Read<Vec<Object>> {
    let selection = Selection {
        namespace: object.namespace().to_owned(),
        ..Selection::fields(format!("type=Warning,involvedObject.uid={}", object.uid()))
    };
    list(client, &resources::EVENT.into(), &selection).await
}
