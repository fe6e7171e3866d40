//! Which zones a Federation writes, and which it must clear.

use std::collections::BTreeMap;

use portolan_api::federation::{Federation, FederationDns, PublishedZone};
use portolan_object::ObjectKey;

use super::difference::{Conflict, Wanted};
use super::planner::{DEFAULT_TTL, plan};
use super::record::{DomainName, NameError};
use super::registry::Registry;
use super::service::{Cluster, Health, Naming, Shard};

/// One zone to bring up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Zone, provider and marks.
    pub zone: PublishedZone,
    /// Domains below which the names are. Without any, the federation's records leave the zone.
    pub domains: Vec<String>,
}

impl Target {
    /// How records are marked there.
    pub fn registry(&self) -> Registry {
        Registry { owner: self.zone.owner.clone(), prefix: self.zone.mark_prefix.clone() }
    }

    /// Name of the zone in lower case, without a final dot.
    pub fn zone_name(&self) -> String {
        name_of(&self.zone)
    }

    /// What tells it from other targets. Credentials do not count.
    pub fn identity(&self) -> String {
        identity(&self.zone)
    }
}

fn name_of(zone: &PublishedZone) -> String {
    zone.zone.trim_end_matches('.').to_ascii_lowercase()
}

fn identity(zone: &PublishedZone) -> String {
    let name = name_of(zone);
    format!("{name} {} {} {}", zone.provider.address(), zone.owner, zone.mark_prefix)
}

/// The zones of a federation, and those that it had before, sorted by identity.
pub fn targets(federation: &Federation) -> Vec<Target> {
    let mut targets: BTreeMap<String, Target> = BTreeMap::new();
    for zone in &federation.status.zones {
        targets.insert(identity(zone), Target { zone: zone.clone(), domains: Vec::new() });
    }
    let dns = federation.spec.dns.as_ref().filter(|_| !federation.metadata.is_deleting());
    for wanted in dns.iter().flat_map(|dns| &dns.zones) {
        let owner = dns.map(|dns| dns.owner.as_str()).filter(|owner| !owner.is_empty());
        let zone = PublishedZone {
            zone: wanted.zone().to_owned(),
            provider: wanted.provider.clone(),
            owner: owner.unwrap_or(&federation.metadata.name).to_owned(),
            mark_prefix: dns.map(|dns| dns.mark_prefix.clone()).unwrap_or_default(),
            ..PublishedZone::default()
        };
        let target = targets
            .entry(identity(&zone))
            .or_insert_with(|| Target { zone: zone.clone(), domains: Vec::new() });
        // The credentials are those of the spec.
        target.zone.provider = zone.provider;
        target.domains.push(wanted.domain.clone());
    }
    targets.into_values().collect()
}

/// A federated Service with its shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedService {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its shards, as last seen.
    pub shards: Vec<Shard>,
}

impl FederatedService {
    /// What the records of the Service say that they are for.
    pub fn resource(&self) -> String {
        resource_of(&ObjectKey::namespaced(&*self.namespace, &*self.name))
    }
}

/// What the records of a Service say that they are for.
pub fn resource_of(service: &ObjectKey) -> String {
    format!("service/{}/{}", service.namespace, service.name)
}

/// Names of a Service that cannot be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// See [`FederatedService::resource`].
    pub resource: String,
    /// Why.
    pub error: NameError,
}

/// The record sets that a target shall have, and Services without a name.
pub fn wanted(
    federation: &Federation,
    target: &Target,
    clusters: &[Cluster],
    services: &[FederatedService],
) -> (Vec<Wanted>, Vec<Unnamed>) {
    let (mut wanted, mut unnamed) = (Vec::new(), Vec::new());
    let Some(dns) = &federation.spec.dns else { return (wanted, unnamed) };
    for domain in &target.domains {
        for service in services {
            let resource = service.resource();
            let sets = DomainName::parse(domain).and_then(|domain| {
                let naming = naming(&federation.metadata.name, dns, domain, service);
                plan(&naming, health(dns), clusters, &service.shards)
            });
            match sets {
                Ok(sets) => {
                    wanted.extend(sets.into_iter().map(|set| Wanted { set, resource: resource.clone() }));
                }
                Err(error) => unnamed.push(Unnamed { resource, error }),
            }
        }
    }
    (wanted, unnamed)
}

fn naming(federation: &str, dns: &FederationDns, domain: DomainName, service: &FederatedService) -> Naming {
    Naming {
        domain,
        federation: federation.to_owned(),
        namespace: service.namespace.clone(),
        label: service.name.clone(),
        prefix: None,
        ttl: dns.ttl_seconds.unwrap_or(DEFAULT_TTL),
    }
}

fn health(dns: &FederationDns) -> Health {
    Health { ignores_endpoints: dns.ignore_endpoints, fails_open: dns.fail_open }
}

/// What a publication found wrong, as the status of its zone has it. At most a few of many.
pub fn problems(unnamed: &[Unnamed], conflicts: &[Conflict], failures: &[String]) -> String {
    const LISTED: usize = 3;
    let unnamed = unnamed.iter().map(|one| format!("{}: {}", one.resource, one.error));
    let conflicts = conflicts.iter().map(|one| format!("{}: {one}", one.resource));
    let all: Vec<String> = failures.iter().cloned().chain(unnamed).chain(conflicts).collect();
    let mut listed = all[..all.len().min(LISTED)].join("; ");
    if all.len() > LISTED {
        listed.push_str(&format!("; and {} more", all.len() - LISTED));
    }
    listed
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use serde_json::{Value, json};

    use super::super::service::{Ingress, Reach};
    use super::*;

    fn federation(spec: Value, status: Value) -> Federation {
        let object = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": "myfed" }, "spec": spec, "status": status });
        serde_json::from_value(object).unwrap()
    }

    fn server(name: &str) -> Value {
        json!({ "rfc2136": { "server": name } })
    }

    fn shown(federation: &Federation) -> Vec<String> {
        let show = |target: &Target| {
            format!("{} {} {:?}", target.zone.zone, target.zone.provider.address(), target.domains)
        };
        targets(federation).iter().map(show).collect()
    }

    #[test]
    fn zones_that_left_the_spec_are_cleared() {
        let zone = |domain: &str, zone: &str, at: &str| json!({ "domain": domain, "zone": zone, "provider": server(at) });
        let had = |zone: &str, at: &str| json!({ "zone": zone, "provider": server(at), "owner": "myfed" });
        let spec = json!({ "dns": { "zones": [zone("a.example.com", "example.com", "ns1:53"),
            zone("b.example.com", "example.com.", "ns1:53"), zone("example.org", "", "ns2:53")] } });
        let status = json!({ "zones": [had("example.com", "ns1:53"), had("example.org", "ns1:53")] });
        let mut federation = federation(spec, status);
        assert_eq!(
            shown(&federation),
            [
                r#"example.com rfc2136 ns1:53 ["a.example.com", "b.example.com"]"#,
                r#"example.org rfc2136 ns1:53 []"#,
                r#"example.org rfc2136 ns2:53 ["example.org"]"#,
            ]
        );
        federation.metadata.deletion_timestamp = Some("2026-01-02T03:04:05Z".to_owned());
        assert_eq!(shown(&federation), ["example.com rfc2136 ns1:53 []", "example.org rfc2136 ns1:53 []"]);
    }

    #[test]
    fn every_service_has_its_names_below_every_domain() {
        let spec = json!({ "dns": { "ttlSeconds": 60, "zones": [
            { "domain": "example.com", "provider": server("ns1:53") }] } });
        let federation = federation(spec, json!({}));
        let clusters = [Cluster {
            name: "c1".to_owned(),
            region: Some("eu".to_owned()),
            zones: ["eu-a".to_owned()].into(),
            reach: Reach::Counted,
        }];
        let service = |name: &str| FederatedService {
            namespace: "myns".to_owned(),
            name: name.to_owned(),
            shards: vec![Shard {
                cluster: "c1".to_owned(),
                ingress: vec![Ingress::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))],
                has_ready_endpoints: true,
            }],
        };
        let target = &targets(&federation)[0];
        let services = [service("nginx"), service(&"x".repeat(64))];
        let (wanted, unnamed) = wanted(&federation, target, &clusters, &services);
        let sets: Vec<String> = wanted.iter().map(|one| one.set.to_string()).collect();
        assert_eq!(
            sets,
            [
                "nginx.myns.myfed.svc.eu-a.eu.example.com. 60 A 192.0.2.1",
                "nginx.myns.myfed.svc.eu.example.com. 60 A 192.0.2.1",
                "nginx.myns.myfed.svc.example.com. 60 A 192.0.2.1",
            ]
        );
        assert_eq!(wanted[0].resource, "service/myns/nginx");
        assert_eq!(unnamed.len(), 1);
        let problems = problems(&unnamed, &[], &["the server is away".to_owned()]);
        assert!(problems.starts_with("the server is away; service/myns/xxx"), "{problems}");
    }
}
