//! What a host name inside a cluster can mean: the names that a pod's resolver asks for, in order.
//!
//! Pure. It follows the search path of a pod with `dnsPolicy: ClusterFirst` (Kubernetes, "DNS for Services and
//! Pods"); the cluster's DNS zones say what they mean. Names outside of the cluster and its set are not resolved.

const CLUSTER_DOMAIN: &str = "cluster.local";
/// A name with as many dots is asked for as it is first (`options ndots:5`).
const DOTS: usize = 5;

/// The names that `host` may stand for in a pod of `namespace`.
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
    let place = if host.matches('.').count() >= DOTS { 0 } else { candidates.len() };
    candidates.insert(place, host.to_owned());
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_asked_for() {
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
