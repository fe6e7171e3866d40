//! Generated names of bindings, Works, namespaces and derived objects.
//!
//! The names are Karmada's (karmada pkg/util/names/names.go), because existing objects in members are found by them. No
//! name contains the API group, and no name is truncated. Neither can change without losing objects.

use sha2::{Digest, Sha256};

/// Namespace of credentials and leases of clusters.
pub const CLUSTER_NAMESPACE: &str = "karmada-cluster";

/// ClusterRole of the control plane, and its binding, by which its administrator uses the proxies of all clusters.
pub const CLUSTER_PROXY_ADMIN: &str = "cluster-proxy-admin";

/// Namespace of the control plane's own objects.
pub const SYSTEM_NAMESPACE: &str = "karmada-system";

/// Namespaces of a member in which a Lease with label [`portolan.dev/agent`](crate::labels::agent::LEASE) counts as one of an agent: users
/// do not write there.
pub const AGENT_NAMESPACES: [&str; 3] = ["portolan-system", "kube-system", SYSTEM_NAMESPACE];

/// The service account that the control plane acts through in a member when it impersonates users.
pub const IMPERSONATOR: &str = "karmada-impersonator";

/// Secret in a member, and key in it, with the kubeconfig by which the member's agent reaches the control plane.
pub const AGENT_KUBECONFIG: &str = "karmada-kubeconfig";

/// Name of the ClusterRole of the agent in a cluster in pull mode, and of its binding.
pub const AGENT_ROLE: &str = "karmada-agent";

/// Lease in [`CLUSTER_NAMESPACE`] of a member that says which control plane holds the member.
pub const CONTROL_PLANE_LEASE: &str = "portolan-control-plane";

const EXECUTION_PREFIX: &str = "karmada-es-";

/// Name of the binding of an object.
pub fn binding(kind: &str, name: &str) -> String {
    format!("{}-{kind}", name.replace(':', ".")).to_lowercase()
}

/// Name of the Work of an object; `namespace` is empty for a cluster-scoped one.
pub fn work(kind: &str, name: &str, namespace: &str) -> String {
    let name = name.replace(':', ".").to_lowercase();
    let identity = match namespace {
        "" => format!("{name}-{kind}"),
        _ => format!("{namespace}-{name}-{kind}"),
    };
    format!("{name}-{}", short_hash(&identity.to_lowercase()))
}

/// The key by which labels refer to a binding; `namespace` is empty for a cluster-scoped one.
pub fn binding_reference(namespace: &str, name: &str) -> String {
    match namespace {
        "" => short_hash(name),
        _ => short_hash(&format!("{namespace}/{name}")),
    }
}

/// Name of the policy made for one object when a member's object is taken over; `gvk` is its printed kind.
pub fn adopted_policy(namespace: &str, name: &str, gvk: &str) -> String {
    format!("{}-{}", name.replace(':', "."), short_hash(&format!("{namespace}{gvk}"))).to_lowercase()
}

/// The execution namespace of a cluster, which has its Works.
pub fn execution_namespace(cluster: &str) -> String {
    format!("{EXECUTION_PREFIX}{cluster}")
}

/// The cluster of an execution namespace.
pub fn cluster_of_execution_namespace(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(EXECUTION_PREFIX)
}

/// Whether a namespace belongs to the control plane; its objects are never propagated.
pub fn is_reserved_namespace(namespace: &str) -> bool {
    matches!(namespace, SYSTEM_NAMESPACE | CLUSTER_NAMESPACE) || namespace.starts_with(EXECUTION_PREFIX)
}

/// Name of the Service derived from a ServiceImport.
pub fn derived_service(import: &str) -> String {
    format!("derived-{import}")
}

/// Name of the Service derived from an import of a cluster set: short enough for every import's name, and what the
/// SIG's reference controllers call it (mcs-api: controllers/common.go).
pub fn derived_service_of_set(namespace: &str, import: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{import}"));
    format!("derived-{}", base32_hex(&digest, 10))
}

/// Name of an EndpointSlice of a cluster set's import; `part` counts the pieces of one source slice.
///
/// Everything that makes it different is hashed: names of clusters and slices may both contain hyphens, and no member
/// shall be able to choose a name that collides with another's.
pub fn endpoint_slice_of_set(import: &str, cluster_id: &str, slice: &str, part: usize) -> String {
    let digest = Sha256::digest(format!("{cluster_id}/{slice}/{part}"));
    format!("{import}-{cluster_id}-{}", base32_hex(&digest, 10))
}

/// The first `length` characters of lower-case base32 with the extended hex alphabet, without padding (RFC 4648).
fn base32_hex(bytes: &[u8], length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let digit = |place: usize| (0..5).fold(0, |digit, offset| digit << 1 | bit(place * 5 + offset));
    (0..length).map(|place| char::from(ALPHABET[usize::from(digit(place))])).collect()
}

/// The import behind a derived Service.
pub fn import_of_derived_service(service: &str) -> Option<&str> {
    service.strip_prefix("derived-")
}

/// Name, at the importing end, of an EndpointSlice that `cluster` exports.
pub fn imported_endpoint_slice(cluster: &str, slice: &str) -> String {
    format!("imported-{cluster}-{slice}")
}

/// Name, in a consuming cluster, of an EndpointSlice of a MultiClusterService from `provider`.
pub fn dispatched_endpoint_slice(provider: &str, slice: &str) -> String {
    format!("{provider}-{slice}")
}

/// The control plane's service account in a member.
pub fn service_account(cluster: &str) -> String {
    format!("karmada-{cluster}")
}

/// The ClusterRole, and its binding, of the control plane's service account in a member.
pub fn cluster_role(cluster: &str) -> String {
    format!("karmada-controller-manager:{}", service_account(cluster))
}

/// Secret with the impersonator's token for a cluster, in [`CLUSTER_NAMESPACE`]. The secret with the cluster's own
/// credentials and its Lease are named after the cluster.
pub fn impersonation_secret(cluster: &str) -> String {
    format!("{cluster}-impersonator")
}

/// Lease in [`SYSTEM_NAMESPACE`] by which the replicas of a cluster's agent elect a leader.
pub fn agent_lease(cluster: &str) -> String {
    format!("karmada-agent-{cluster}")
}

/// Service of the capacity estimator of a cluster; the prefix is a setting.
pub fn estimator_service(prefix: &str, cluster: &str) -> String {
    format!("{prefix}-{cluster}")
}

/// FNV-1a of `text`, in the safe alphabet of Kubernetes names.
pub fn short_hash(text: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let encode = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    fnv1a_32(text.as_bytes()).to_string().bytes().map(encode).collect()
}

/// FNV-1a, 32 bits.
pub fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings() {
        for (kind, name, want) in [
            ("Deployment", "nginx", "nginx-deployment"),
            ("ClusterRole", "system:tom", "system.tom-clusterrole"),
            ("RoleBinding", "system::tt:Tom", "system..tt.tom-rolebinding"),
        ] {
            assert_eq!(binding(kind, name), want);
        }
    }

    #[test]
    fn works() {
        for (kind, name, namespace, want) in [
            ("Deployment", "nginx", "default", "nginx-687f7fb96f"),
            ("ClusterRole", "system:tom", "", "system.tom-84f4c7868f"),
            ("Service", "web", "demo", "web-84587dbbbc"),
            ("Service", "derived-web", "demo", "derived-web-c487c987f"),
            ("ServiceExport", "web", "demo", "web-79976cd48f"),
            ("ServiceImport", "web", "demo", "web-7b64f55758"),
            ("MultiClusterService", "web", "demo", "web-f47c4cf68"),
            ("EndpointSlice", "web-abcde", "demo", "web-abcde-d59f4568c"),
            ("ResourceQuota", "rq", "demo", "rq-96fb7456f"),
            ("Namespace", "demo", "", "demo-6654f4c4f6"),
        ] {
            assert_eq!(work(kind, name, namespace), want);
        }
        assert_eq!(work("Role", "A:B", "x"), work("role", "a.b", "x"), "case and colons do not count");
    }

    #[test]
    fn references() {
        assert_eq!(binding_reference("test", "test-binding"), "5dbb6dc9c8");
        assert_ne!(binding_reference("a", "b-c"), binding_reference("a-b", "c"));
        assert_eq!(adopted_policy("ns-foo", "foo", "rand"), "foo-b4978784");
    }

    #[test]
    fn namespaces() {
        assert_eq!(execution_namespace("member1"), "karmada-es-member1");
        assert_eq!(cluster_of_execution_namespace("karmada-es-member1"), Some("member1"));
        assert_eq!(cluster_of_execution_namespace("default"), None);
        for (namespace, reserved) in
            [("karmada-system", true), ("karmada-cluster", true), ("karmada-es-x", true), ("default", false)]
        {
            assert_eq!(is_reserved_namespace(namespace), reserved, "{namespace}");
        }
    }

    #[test]
    fn simple_names() {
        assert_eq!(derived_service("web"), "derived-web");
        assert_eq!(import_of_derived_service("derived-web"), Some("web"));
        assert_eq!(imported_endpoint_slice("member1", "web-abcde"), "imported-member1-web-abcde");
        assert_eq!(derived_service_of_set("default", "serve"), "derived-0p6lqce99d");
        let slices = [("a-b", "c"), ("a", "b-c")].map(|(id, slice)| endpoint_slice_of_set("s", id, slice, 0));
        assert_ne!(slices[0], slices[1]);
        assert_eq!(dispatched_endpoint_slice("member1", "web-abcde"), "member1-web-abcde");
        assert_eq!(service_account("eu"), "karmada-eu");
        assert_eq!(cluster_role("eu"), "karmada-controller-manager:karmada-eu");
        assert_eq!(impersonation_secret("eu"), "eu-impersonator");
        assert_eq!(estimator_service("karmada-scheduler-estimator", "eu"), "karmada-scheduler-estimator-eu");
    }
}
