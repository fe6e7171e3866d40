//! The record sets of one federated Service at zone, region and global level.
//!
//! A level has the addresses of its healthy shards, or an alias of the next wider level without any. The global level
//! without any has no record. Every zone and region with a registered cluster has a name, because clients there ask for it
//! wherever the shards are.
//!
//! federation pkg/federation-controller/service/dns/dns.go, kubefed pkg/controller/dnsendpoint at v0.6.1

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::record::{DomainName, NameError, RecordSet, RecordType};
use super::service::{Cluster, Health, Ingress, Naming, Reach, Shard};

/// Time to live of records in seconds, as in Federation v1 and KubeFed.
pub const DEFAULT_TTL: u32 = 180;

/// Computes the record sets, sorted by name and type.
///
/// # Errors
/// When a part of a name is no DNS label, or a name is too long.
pub fn plan(
    naming: &Naming,
    health: Health,
    clusters: &[Cluster],
    shards: &[Shard],
) -> Result<Vec<RecordSet>, NameError> {
    let service = format!("{}.{}.{}.svc", naming.label, naming.namespace, naming.federation);
    let counted = counted(health, clusters, shards);
    let global = naming.domain.below(&service)?;
    let mut levels: BTreeMap<DomainName, Level<'_>> = BTreeMap::new();
    levels.insert(global.clone(), Level::default());
    for cluster in clusters {
        let ingress = counted.get(cluster.name.as_str()).copied().unwrap_or_default();
        add(&mut levels, &global, None, ingress);
        let Some(region) = &cluster.region else { continue };
        let region = naming.domain.below(region)?;
        let regional = region.below(&service)?;
        add(&mut levels, &regional, Some(&global), ingress);
        for zone in &cluster.zones {
            let zonal = region.below(&format!("{service}.{zone}"))?;
            add(&mut levels, &zonal, Some(&regional), ingress);
        }
    }
    let mut sets = Vec::with_capacity(levels.len());
    levels.into_iter().for_each(|(name, level)| level.publish(&name, naming.ttl, &mut sets));
    if let Some(prefix) = &naming.prefix {
        let name = naming.domain.below(prefix)?;
        sets.push(RecordSet::new(name, RecordType::Cname, naming.ttl, [global.as_str()]));
    }
    sets.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
    Ok(sets)
}

/// The ingress of the shards that count, by cluster.
///
/// Dead clusters leave, but not all at once: when every cluster seems dead, the fault is probably the hub's own, and the
/// last known shards stay.
fn counted<'a>(
    health: Health,
    clusters: &'a [Cluster],
    shards: &'a [Shard],
) -> BTreeMap<&'a str, &'a [Ingress]> {
    let all_dead = clusters.iter().all(|cluster| cluster.reach == Reach::Dead);
    let alive: BTreeSet<&str> = clusters
        .iter()
        .filter(|cluster| all_dead || cluster.reach == Reach::Counted)
        .map(|cluster| cluster.name.as_str())
        .collect();
    let reachable: Vec<&Shard> = shards
        .iter()
        .filter(|shard| alive.contains(shard.cluster.as_str()) && !shard.ingress.is_empty())
        .collect();
    let any_healthy = reachable.iter().any(|shard| shard.has_ready_endpoints);
    let ignores_endpoints = health.ignores_endpoints || (health.fails_open && !any_healthy);
    reachable
        .into_iter()
        .filter(|shard| ignores_endpoints || shard.has_ready_endpoints)
        .map(|shard| (shard.cluster.as_str(), shard.ingress.as_slice()))
        .collect()
}

/// One name with what is published at it.
#[derive(Debug, Default)]
struct Level<'a> {
    ingress: Vec<&'a Ingress>,
    /// The next wider level.
    wider: Option<DomainName>,
}

fn add<'a>(
    levels: &mut BTreeMap<DomainName, Level<'a>>,
    name: &DomainName,
    wider: Option<&DomainName>,
    ingress: &'a [Ingress],
) {
    let level = levels.entry(name.clone()).or_default();
    level.ingress.extend(ingress);
    level.wider = wider.cloned();
}

impl Level<'_> {
    /// A single host name is an alias, so that the provider of the load balancer may change its addresses. Several need
    /// their addresses, because a name has one alias at most.
    fn publish(&self, name: &DomainName, ttl: u32, sets: &mut Vec<RecordSet>) {
        if let [Ingress::Host { name: host, .. }] = self.ingress.as_slice() {
            sets.push(RecordSet::new(name.clone(), RecordType::Cname, ttl, [host.as_str()]));
            return;
        }
        let addresses: BTreeSet<IpAddr> =
            self.ingress.iter().flat_map(|ingress| addresses(ingress)).copied().collect();
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        for (kind, addresses) in [(RecordType::A, &v4), (RecordType::Aaaa, &v6)] {
            if !addresses.is_empty() {
                sets.push(RecordSet::new(name.clone(), kind, ttl, addresses.iter().map(IpAddr::to_string)));
            }
        }
        if let (true, true, Some(wider)) = (v4.is_empty(), v6.is_empty(), &self.wider) {
            sets.push(RecordSet::new(name.clone(), RecordType::Cname, ttl, [wider.as_str()]));
        }
    }
}

fn addresses(ingress: &Ingress) -> &[IpAddr] {
    match ingress {
        Ingress::Address(address) => std::slice::from_ref(address),
        Ingress::Host { addresses, .. } => addresses,
    }
}

#[cfg(test)]
mod tests;
