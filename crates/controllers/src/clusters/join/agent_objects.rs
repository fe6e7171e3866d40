//! What an agent needs in its cluster: a namespace, an account with rights, and the Secret with its credential for the
//! control plane. Names are Karmada's (karmada pkg/karmadactl/register/register.go); there the role has all rights.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::names::{self, AGENT_ROLE};
use portolan_api::{labels, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::leaving::described;
use portolan_plan::clusters::permissions::{Placeable, credential_of_agent, needed_by_agent};
use portolan_runtime::client::{Apply, Delete, Endpoint, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use super::ensure::{ensure, namespace};
use super::own_namespace::{self, DEFAULT_ACCOUNT, is_unused};
use crate::MANAGER;
use crate::agents::agent_kubeconfig;
use crate::missing::ignore_missing;

const RBAC: &str = "rbac.authorization.k8s.io";
/// Name of the account.
const ACCOUNT: &str = "karmada-agent-sa";
/// Names of the Deployment: of `deploy/agent/pull.yaml`, and of karmadactl.
const DEPLOYMENTS: [&str; 2] = ["portolan-agent", "karmada-agent"];

/// Where the agent of a cluster is.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentObjects<'a> {
    /// Its namespace.
    pub(super) namespace: &'a str,
    /// Name of the cluster.
    pub(super) cluster: &'a str,
}

impl AgentObjects<'_> {
    fn secret_key(&self) -> ObjectKey {
        ObjectKey::namespaced(self.namespace, names::AGENT_KUBECONFIG)
    }

    /// The account, its roles and their bindings. The last one is the binding of the ClusterRole.
    fn objects(&self, placeable: &Placeable) -> [(Resource, Object); 5] {
        let metadata = |name: &str| json!({ "name": name, "labels": { labels::SYSTEM: labels::TRUE } });
        let here = |name: &str| {
            let mut metadata = metadata(name);
            metadata["namespace"] = json!(self.namespace);
            metadata
        };
        let role = |kind: &str, metadata: Value, rules: Vec<Value>| json!({ "apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata, "rules": rules });
        let binding = |kind: &str, role: &str, metadata: Value| {
            json!({ "apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata,
                "roleRef": { "apiGroup": RBAC, "kind": role, "name": AGENT_ROLE },
                "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace }] })
        };
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": here(ACCOUNT) });
        let in_cluster = role("ClusterRole", metadata(AGENT_ROLE), needed_by_agent(placeable));
        let in_namespace = role("Role", here(AGENT_ROLE), credential_of_agent());
        [
            (resources::SERVICE_ACCOUNT.into(), Object(account)),
            (resources::ROLE.into(), Object(in_namespace)),
            (resources::ROLE_BINDING.into(), Object(binding("RoleBinding", "Role", here(AGENT_ROLE)))),
            (resources::CLUSTER_ROLE.into(), Object(in_cluster)),
            (
                resources::CLUSTER_ROLE_BINDING.into(),
                Object(binding("ClusterRoleBinding", "ClusterRole", metadata(AGENT_ROLE))),
            ),
        ]
    }
}

/// Writes the objects; the credential last.
pub(super) async fn put(
    member: &Client,
    agent: &AgentObjects<'_>,
    placeable: &Placeable,
    endpoint: &Endpoint,
) -> Result<(), ClientError> {
    let options = Apply { manager: MANAGER.to_owned(), force: true };
    // One that exists belongs to others, and gets no label.
    ensure(member, &resources::NAMESPACE.into(), &namespace(agent.namespace)).await?;
    for (resource, object) in agent.objects(placeable) {
        member.resource::<Object>(&resource).apply(&object, &options).await?;
    }
    let mut secret = Object::new(&resources::SECRET.gvk(), &agent.secret_key());
    secret.set_label(labels::SYSTEM, labels::TRUE);
    secret.0["type"] = json!("Opaque");
    let text = agent_kubeconfig(agent.cluster, endpoint);
    secret.0["data"] = json!({ names::AGENT_KUBECONFIG: STANDARD.encode(text) });
    member.resource::<Object>(&resources::SECRET.into()).apply(&secret, &options).await.map(drop)
}

/// Deletes what `register` made for the agent of `cluster`. Its namespace goes too if `register` created it and nothing of
/// others is in it.
pub(super) async fn remove(member: &Client, cluster: &str) -> Result<(), ClientError> {
    let options = Delete::background();
    let Some(namespace) = installed_in(member).await? else { return Ok(()) };
    let agent = AgentObjects { namespace: &namespace, cluster };
    let secret = member.resource::<Object>(&resources::SECRET.into());
    ignore_missing(secret.delete(&agent.secret_key(), &options).await)?;
    // Only the names matter. The binding of the ClusterRole last: it tells a second attempt where the agent is.
    let [others @ .., binding] = agent.objects(&Placeable::default());
    for own in others {
        delete_own(member, own).await?;
    }
    for lease in leases(member, &namespace).await? {
        delete_own(member, (resources::LEASE.into(), lease)).await?;
    }
    if is_unused(member, &namespace).await? && !has_others(member, &namespace).await? {
        let namespaces = member.resource::<Object>(&resources::NAMESPACE.into());
        ignore_missing(namespaces.delete(&ObjectKey::cluster(&*namespace), &options).await)?;
    }
    delete_own(member, binding).await
}

/// What `register` made for the agent of `cluster`, described.
pub(super) async fn listed(member: &Client, cluster: &str) -> Result<Vec<String>, ClientError> {
    let Some(namespace) = installed_in(member).await? else { return Ok(Vec::new()) };
    let agent = AgentObjects { namespace: &namespace, cluster };
    let objects = agent.objects(&Placeable::default());
    let mut listed: Vec<String> = objects.iter().map(|(_, object)| described(object)).collect();
    listed.push(format!("Secret {}", agent.secret_key()));
    listed.extend(leases(member, &namespace).await?.iter().map(described));
    Ok(listed)
}

/// The Leases of the agent, one for each name that its process had.
async fn leases(member: &Client, namespace: &str) -> Result<Vec<Object>, ClientError> {
    let labels = format!("{}={}", labels::agent::LEASE, labels::TRUE);
    let selection = Selection { labels, ..Selection::namespace(namespace) };
    let listed = member.resource::<Object>(&resources::LEASE.into()).list(&selection).await?;
    Ok(listed.items.into_iter().map(|seen| seen.object).collect())
}

/// Deletes an object unless it was made by others.
async fn delete_own(member: &Client, (resource, object): (Resource, Object)) -> Result<(), ClientError> {
    let api = member.resource::<Object>(&resource);
    let Some(found) = ignore_missing(api.get(&object.key()).await)? else { return Ok(()) };
    if [labels::SYSTEM, labels::agent::LEASE].iter().any(|label| found.label(label) == Some(labels::TRUE)) {
        ignore_missing(api.delete(&object.key(), &Delete::background()).await)?;
    }
    Ok(())
}

/// The namespace of the agent, which the binding of its role names; `None` if the cluster has no agent.
async fn installed_in(member: &Client) -> Result<Option<String>, ClientError> {
    let bindings = member.resource::<Object>(&resources::CLUSTER_ROLE_BINDING.into());
    let binding = ignore_missing(bindings.get(&ObjectKey::cluster(AGENT_ROLE)).await)?;
    let named = binding.as_ref().and_then(|binding| binding.0.pointer("/subjects/0/namespace")?.as_str());
    Ok(named.map(str::to_owned))
}

/// Whether a namespace has accounts, workloads or Services besides those of the agent.
async fn has_others(member: &Client, namespace: &str) -> Result<bool, ClientError> {
    for (resource, own) in [
        (resources::SERVICE_ACCOUNT, &[DEFAULT_ACCOUNT, ACCOUNT][..]),
        (resources::DEPLOYMENT, &DEPLOYMENTS[..]),
        (resources::STATEFUL_SET, &[][..]),
        (resources::DAEMON_SET, &[][..]),
        (resources::SERVICE, &[][..]),
    ] {
        let found = own_namespace::names(member, &resource.into(), namespace).await?;
        if found.iter().any(|name| !own.contains(&name.as_str())) {
            return Ok(true);
        }
    }
    Ok(false)
}
