//! Files under `/etc` in the containers of a pod: `hosts`, `resolv.conf` and others.
//!
//! Pure. The contents follow the pod's spec.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

/// Cluster domain.
const DOMAIN: &str = "cluster.local";
/// Limits of resolvers.
const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCH_DOMAINS: usize = 32;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n";

/// `dnsPolicy` of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DnsPolicy {
    /// `ClusterFirst`.
    Cluster,
    /// `Default`: the node's resolver; nodes of the playground have none.
    Node,
    /// `None`: only `dnsConfig`.
    Spec,
}

/// Host name and DNS configuration of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Host name of the pod.
    pub(crate) hostname: String,
    /// `spec.subdomain`; may be empty.
    pub(crate) subdomain: String,
    /// The pod's namespace.
    pub(crate) namespace: String,
    /// `spec.hostAliases`: address and names.
    pub(crate) aliases: Vec<(String, Vec<String>)>,
    /// `spec.dnsPolicy`.
    pub(crate) policy: DnsPolicy,
    /// Address of the cluster's DNS server.
    pub(crate) cluster_dns: Option<IpAddr>,
    /// `spec.dnsConfig`.
    pub(crate) nameservers: Vec<String>,
    pub(crate) searches: Vec<String>,
    /// Names with their values, which may be empty.
    pub(crate) options: Vec<(String, String)>,
}

/// The files under `/etc`.
pub(crate) fn files(identity: &Identity, addresses: &[IpAddr]) -> BTreeMap<String, String> {
    let files = [
        ("hostname", format!("{}\n", identity.hostname)),
        ("hosts", hosts(identity, addresses)),
        ("resolv.conf", resolv_conf(identity)),
        ("passwd", PASSWD.to_owned()),
        ("group", GROUP.to_owned()),
        ("nsswitch.conf", NSSWITCH.to_owned()),
    ];
    files.map(|(name, content)| (name.to_owned(), content)).into()
}

fn hosts(identity: &Identity, addresses: &[IpAddr]) -> String {
    let Identity { hostname, subdomain, namespace, aliases, .. } = identity;
    let names = match subdomain.as_str() {
        "" => hostname.clone(),
        _ => format!("{hostname}.{subdomain}.{namespace}.svc.{DOMAIN}\t{hostname}"),
    };
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    for address in addresses {
        // Writing into a String cannot fail.
        let _ = writeln!(hosts, "{address}\t{names}");
    }
    for (address, names) in aliases {
        let _ = writeln!(hosts, "{address}\t{}", names.join("\t"));
    }
    hosts
}

fn resolv_conf(identity: &Identity) -> String {
    let namespace = &identity.namespace;
    let (mut nameservers, mut searches, mut options) = match identity.policy {
        DnsPolicy::Cluster => (
            identity.cluster_dns.iter().map(ToString::to_string).collect(),
            vec![format!("{namespace}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()],
            BTreeMap::from([("ndots".to_owned(), "5".to_owned())]),
        ),
        DnsPolicy::Node | DnsPolicy::Spec => (Vec::new(), Vec::new(), BTreeMap::new()),
    };
    let add = |to: &mut Vec<String>, more: &[String]| {
        more.iter().for_each(|one| {
            if !to.contains(one) {
                to.push(one.clone());
            }
        });
    };
    add(&mut nameservers, &identity.nameservers);
    add(&mut searches, &identity.searches);
    options.extend(identity.options.iter().cloned());
    let mut text = String::new();
    for nameserver in nameservers.iter().take(MAX_NAMESERVERS) {
        text.push_str(&format!("nameserver {nameserver}\n"));
    }
    searches.truncate(MAX_SEARCH_DOMAINS);
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    let options: Vec<String> = options
        .into_iter()
        .map(|(name, value)| if value.is_empty() { name } else { format!("{name}:{value}") })
        .collect();
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            hostname: "web-0".to_owned(),
            subdomain: String::new(),
            namespace: "shop".to_owned(),
            aliases: Vec::new(),
            policy: DnsPolicy::Cluster,
            cluster_dns: Some("10.11.0.10".parse().expect("address")),
            nameservers: Vec::new(),
            searches: Vec::new(),
            options: Vec::new(),
        }
    }

    #[test]
    fn resolvers() {
        let text = |text: &str| text.to_owned();
        let cases = [
            (
                "the cluster's",
                identity(),
                "nameserver 10.11.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
            ),
            (
                "with additions, which win over options",
                Identity {
                    nameservers: vec![text("192.0.2.1")],
                    searches: vec![text("example.org"), text("cluster.local")],
                    options: vec![(text("ndots"), text("2")), (text("edns0"), text(""))],
                    ..identity()
                },
                "nameserver 10.11.0.10\nnameserver 192.0.2.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local example.org\noptions edns0 ndots:2\n",
            ),
            (
                "only what the spec says",
                Identity { policy: DnsPolicy::Spec, nameservers: vec![text("192.0.2.1")], ..identity() },
                "nameserver 192.0.2.1\n",
            ),
            ("the node's", Identity { policy: DnsPolicy::Node, ..identity() }, ""),
        ];
        for (name, identity, want) in cases {
            assert_eq!(resolv_conf(&identity), want, "{name}");
        }
    }

    #[test]
    fn hosts_know_the_pod_and_its_aliases() {
        let addresses = ["10.10.0.5", "fd00:10::5"].map(|text| text.parse().expect("address"));
        assert!(hosts(&identity(), &addresses).ends_with("\n10.10.0.5\tweb-0\nfd00:10::5\tweb-0\n"));
        let member = Identity {
            subdomain: "web".to_owned(),
            aliases: vec![("192.0.2.1".to_owned(), vec!["db".to_owned(), "db.example".to_owned()])],
            ..identity()
        };
        let text = hosts(&member, &addresses[..1]);
        assert!(text.contains("10.10.0.5\tweb-0.web.shop.svc.cluster.local\tweb-0\n"), "{text}");
        assert!(text.ends_with("192.0.2.1\tdb\tdb.example\n"), "{text}");
    }
}
