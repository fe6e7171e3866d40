//! Identities of the agents of clusters in pull mode, and of the tokens by which they register.
//!
//! Users and groups are Karmada's (karmada pkg/karmadactl/register/register.go), so that `karmadactl register` and its
//! agents work. A token that is bound to one cluster is ours: the name of the cluster is in a group of the token's user.

/// Group of all agents: the organization of their certificates.
pub const GROUP: &str = "system:karmada:agents";

/// The user of `karmadactl register` while it makes the roles of an agent.
pub const ROLE_MAKER: &str = "system:karmada:agent:rbac-generator";

/// Signer of the certificates of agents.
pub const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Group of the users of all bootstrap tokens.
pub const BOOTSTRAPPERS: &str = "system:bootstrappers";

/// Group of the users of tokens that are not bound to a cluster; karmadactl's default.
pub const UNBOUND_TOKENS: &str = "system:bootstrappers:karmada:default-cluster-token";

/// Group of the users of tokens that are bound to a cluster; another group names the cluster.
pub const BOUND_TOKENS: &str = "system:bootstrappers:portolan";

const USER_PREFIX: &str = "system:karmada:agent:";
const BOUND_PREFIX: &str = "system:bootstrappers:portolan:cluster:";

/// The user of the agent of a cluster.
pub fn user(cluster: &str) -> String {
    format!("{USER_PREFIX}{cluster}")
}

/// The cluster of an agent's user; `None` for any other user. The name need not be a valid one.
pub fn cluster_of_user(user: &str) -> Option<&str> {
    if user == ROLE_MAKER {
        return None;
    }
    user.strip_prefix(USER_PREFIX)
}

/// Group of the users of tokens that are bound to a cluster.
pub fn bound_token_group(cluster: &str) -> String {
    format!("{BOUND_PREFIX}{cluster}")
}

/// The cluster that a group of a token's user names.
pub fn cluster_of_token_group(group: &str) -> Option<&str> {
    group.strip_prefix(BOUND_PREFIX)
}

/// Name of the ClusterRole of an agent, and of its binding.
pub(super) fn cluster_role(cluster: &str) -> String {
    format!("system:karmada:{cluster}:agent")
}

/// Name of the Role of an agent for its Secrets and its Lease, and of its binding.
pub(super) fn secret_role(cluster: &str) -> String {
    format!("system:karmada:{cluster}:agent-secret")
}

/// Name of the Role of an agent for its Works, and of its binding.
pub(super) fn work_role(cluster: &str) -> String {
    format!("system:karmada:{cluster}:agent-work")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_names_its_cluster() {
        assert_eq!(cluster_of_user(&user("eu")), Some("eu"));
        for other in [ROLE_MAKER, "system:karmada:agents", "eve", "system:karmada:agent"] {
            assert_eq!(cluster_of_user(other), None, "{other}");
        }
        assert_eq!(cluster_of_token_group(&bound_token_group("eu")), Some("eu"));
        assert_eq!(cluster_of_token_group(UNBOUND_TOKENS), None);
    }
}
