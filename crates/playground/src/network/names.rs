//! What a host name inside a cluster can mean: the Services that a pod's resolver would look up for it, in order.
//!
//! Pure. It follows the search path of a pod with `dnsPolicy: ClusterFirst` (Kubernetes, "DNS for Services and
//! Pods"); addresses come from the rules of the cluster. Names outside of the cluster are not resolved.

use portolan_object::ObjectKey;

const CLUSTER_DOMAIN: &str = "cluster.local";

/// The Services that `host` may name for a pod of `namespace`.
pub(crate) fn services(host: &str, namespace: &str) -> Vec<ObjectKey> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let search = [
        format!("{host}.{namespace}.svc.{CLUSTER_DOMAIN}"),
        format!("{host}.svc.{CLUSTER_DOMAIN}"),
        format!("{host}.{CLUSTER_DOMAIN}"),
        host,
    ];
    search.iter().filter_map(|name| service(name)).collect()
}

fn service(name: &str) -> Option<ObjectKey> {
    let (rest, _) = name.split_once(".svc.").filter(|(_, domain)| *domain == CLUSTER_DOMAIN)?;
    let (name, namespace) = rest.split_once('.')?;
    (!namespace.contains('.') && !name.is_empty()).then(|| ObjectKey::namespaced(namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_services_they_may_mean() {
        let cases = [
            ("a bare name is of the pod's namespace", "serve", "shop/serve"),
            ("two labels name a namespace", "serve.default", "default/serve"),
            ("with svc", "serve.default.svc", "default/serve"),
            ("in full", "Serve.default.svc.cluster.local", "default/serve"),
            ("in full with a dot", "serve.default.svc.cluster.local.", "default/serve"),
            ("outside of the cluster", "www.example.com", ""),
            ("the clusterset is not this cluster", "serve.default.svc.clusterset.local", ""),
            ("nothing", "", ""),
        ];
        for (name, host, want) in cases {
            let found: Vec<String> = services(host, "shop").iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), want, "{name}");
        }
    }
}
