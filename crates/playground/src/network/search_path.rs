//! The search path of a pod: the names that its resolver queries for a host name, in order.
//!
//! Pure. Follows `dnsPolicy: ClusterFirst` (Kubernetes, "DNS for Services and Pods"). Names outside the cluster and its
//! cluster set are not resolved.

const CLUSTER_DOMAIN: &str = "cluster.local";
/// A name with at least this many dots is queried as an absolute name first (`options ndots:5`).
const NDOTS: usize = 5;

/// The names to query for `host` in a pod of `namespace`.
pub(crate) fn candidates(host: &str, namespace: &str) -> Vec<String> {
    if let Some(absolute) = host.strip_suffix('.') {
        return vec![absolute.to_owned()];
    }
    if host.is_empty() {
        return Vec::new();
    }
    let searched = [
        format!("{host}.{namespace}.svc.{CLUSTER_DOMAIN}"),
        format!("{host}.svc.{CLUSTER_DOMAIN}"),
        format!("{host}.{CLUSTER_DOMAIN}"),
    ];
    let mut candidates = searched.to_vec();
    let position = if host.matches('.').count() >= NDOTS { 0 } else { candidates.len() };
    candidates.insert(position, host.to_owned());
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_queries() {
        let search = |host: &str| {
            ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]
                .map(|domain| format!("{host}.{domain}"))
        };
        let cases = [
            ("a bare name", "serve", [search("serve").as_slice(), &["serve".to_owned()]].concat()),
            (
                "few dots",
                "serve.default.svc.clusterset.local",
                [
                    search("serve.default.svc.clusterset.local").as_slice(),
                    &["serve.default.svc.clusterset.local".to_owned()],
                ]
                .concat(),
            ),
            (
                "many dots",
                "serve-0.east.serve.default.svc.clusterset.local",
                [
                    &["serve-0.east.serve.default.svc.clusterset.local".to_owned()],
                    search("serve-0.east.serve.default.svc.clusterset.local").as_slice(),
                ]
                .concat(),
            ),
            (
                "in full with a dot",
                "serve.default.svc.cluster.local.",
                vec!["serve.default.svc.cluster.local".to_owned()],
            ),
            ("nothing", "", vec![]),
        ];
        for (name, host, want) in cases {
            assert_eq!(candidates(host, "shop"), want, "{name}");
        }
    }
}
