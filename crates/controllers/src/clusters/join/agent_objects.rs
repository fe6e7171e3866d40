//! What an agent needs in its cluster: a namespace, an account with rights, and the Secret with its credential for the
//! control plane. Names are Karmada's (karmada pkg/karmadactl/register/register.go).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Apply, Delete, Endpoint};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::json;

use crate::MANAGER;
use crate::agents::agent_kubeconfig;
use crate::missing::ignore_missing;

/// Name of the account, with `-sa`, of its role and of the binding.
const AGENT: &str = "karmada-agent";
/// Name of the account.
const ACCOUNT: &str = "karmada-agent-sa";

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

    /// The namespace, the account, its role and the binding.
    fn objects(&self) -> [(Resource, Object); 4] {
        let label = json!({ labels::SYSTEM: labels::TRUE });
        let rbac = "rbac.authorization.k8s.io";
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": self.namespace, "labels": label } });
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": ACCOUNT, "namespace": self.namespace, "labels": label } });
        let role = json!({ "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole",
            "metadata": { "name": AGENT, "labels": label },
            "rules": portolan_plan::clusters::permissions::everything() });
        let binding = json!({ "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
            "metadata": { "name": AGENT, "labels": label },
            "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": AGENT },
            "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace }] });
        [
            (resources::NAMESPACE.into(), Object(namespace)),
            (resources::SERVICE_ACCOUNT.into(), Object(account)),
            (resources::CLUSTER_ROLE.into(), Object(role)),
            (resources::CLUSTER_ROLE_BINDING.into(), Object(binding)),
        ]
    }
}

/// Writes the objects; the credential last.
pub(super) async fn put(
    member: &Client,
    agent: &AgentObjects<'_>,
    endpoint: &Endpoint,
) -> Result<(), ClientError> {
    let options = Apply { manager: MANAGER.to_owned(), force: true };
    for (resource, object) in agent.objects() {
        member.resource::<Object>(&resource).apply(&object, &options).await?;
    }
    let mut secret = Object::new(&resources::SECRET.gvk(), &agent.secret_key());
    secret.set_label(labels::SYSTEM, labels::TRUE);
    secret.0["type"] = json!("Opaque");
    let text = agent_kubeconfig(agent.cluster, endpoint);
    secret.0["data"] = json!({ names::AGENT_KUBECONFIG: STANDARD.encode(text) });
    member.resource::<Object>(&resources::SECRET.into()).apply(&secret, &options).await.map(drop)
}

/// Deletes what `register` made for the agent. The namespace stays: others may use it, and it may have been there before.
pub(super) async fn remove(member: &Client, agent: &AgentObjects<'_>) -> Result<(), ClientError> {
    let options = Delete::background();
    let secret = member.resource::<Object>(&resources::SECRET.into());
    ignore_missing(secret.delete(&agent.secret_key(), &options).await)?;
    let objects = agent.objects().into_iter().rev();
    for (resource, object) in objects.filter(|(_, object)| !resources::NAMESPACE.is_kind_of(object)) {
        let api = member.resource::<Object>(&resource);
        let Some(found) = ignore_missing(api.get(&object.key()).await)? else { continue };
        if found.label(labels::SYSTEM) == Some(labels::TRUE) {
            ignore_missing(api.delete(&object.key(), &options).await)?;
        }
    }
    Ok(())
}
