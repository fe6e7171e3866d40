//! The role by which the administrator of an embedded control plane may use the proxies of all clusters.
//!
//! Groups are not enough: a cluster lets only users be impersonated whom a role of the control plane names. Upstream: karmada
//! artifacts/deploy/cluster-proxy-admin-rbac.yaml.

use portolan_api::cluster::Cluster;
use portolan_api::kind::Kind;
use portolan_api::{names, resources};
use portolan_object::Object;
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError};
use serde_json::json;

use crate::certificates::ADMINISTRATOR;

const NAME: &str = names::CLUSTER_PROXY_ADMIN;

/// Applies the role and its binding.
pub(crate) async fn install(client: &Client) -> Result<(), ClientError> {
    let group = "rbac.authorization.k8s.io";
    let api_version = format!("{group}/v1");
    let role = json!({ "apiVersion": api_version, "kind": "ClusterRole", "metadata": { "name": NAME },
        "rules": [{ "apiGroups": [Cluster::GROUP], "resources": ["clusters/proxy"], "verbs": ["*"] }] });
    let binding = json!({ "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": { "name": NAME },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": NAME },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": ADMINISTRATOR.0 }] });
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    for (resource, object) in [(resources::CLUSTER_ROLE, role), (resources::CLUSTER_ROLE_BINDING, binding)] {
        client.resource::<Object>(&resource.into()).apply(&Object(object), &options).await?;
    }
    Ok(())
}
