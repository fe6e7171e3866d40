//! Planning of the public records of federated Services: how long one core needs, from shards to the writes that remain.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::Result;
use portolan_api::federation::{DnsProvider, Federation, FederationDns, FederationZone, Rfc2136Provider};
use portolan_plan::federation::dns::difference::difference;
use portolan_plan::federation::dns::record::{DomainName, RecordKey, RecordSet, Write};
use portolan_plan::federation::dns::service::{Cluster, Ingress, Reach, Shard};
use portolan_plan::federation::dns::zones::{FederatedService, targets, wanted};

use crate::arguments::Records;
use crate::figure::Figure;
use crate::machine::Machine;
use crate::report::Report;

const ABOUT: &str = "One thread; every cluster has another zone, two of them share a region.";
/// Ten thousand Services in ten clusters, in ms.
const TARGET: f64 = 1000.0;
const ROUNDS: usize = 5;

/// Measures planning from nothing, and again without a change.
pub(crate) fn run(sizes: &Records) -> Result<Report> {
    let mut report = Report::new(Machine::describe(&std::env::temp_dir()), ABOUT);
    let federation = federation();
    let clusters: Vec<Cluster> = (0..sizes.clusters).map(cluster).collect();
    let services: Vec<FederatedService> =
        (0..sizes.services).map(|index| service(index, sizes.clusters)).collect();
    let target = targets(&federation).into_iter().next().expect("the federation has a zone");
    let (name, registry) = (DomainName::parse("example.com")?, target.registry());
    let (mut planning, mut comparing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let (sets, _) = wanted(&federation, &target, &clusters, &services);
        planning.push(started.elapsed());
        let empty = registry.read(Vec::new());
        let mut zone: BTreeMap<RecordKey, RecordSet> = BTreeMap::new();
        for write in
            difference(&name, &registry, &sets, &empty).changes.into_iter().flat_map(|one| one.writes)
        {
            if let Write::Put { set, .. } = write {
                zone.insert(set.key(), set);
            }
        }
        let started = Instant::now();
        let listed = registry.read(zone.into_values().collect());
        let rest = difference(&name, &registry, &sets, &listed);
        comparing.push(started.elapsed());
        anyhow::ensure!(rest.changes.is_empty(), "{} changes remain after all were made", rest.changes.len());
    }
    let figure = |what: &str, samples: &[Duration]| {
        let name = format!("{what}: {} Services, {} clusters", sizes.services, sizes.clusters);
        Figure::times(name, samples)
    };
    let figures = vec![
        figure("records planned", &planning).target(TARGET),
        figure("compared with the zone", &comparing),
    ];
    report.add("records", Ok(figures));
    Ok(report)
}

fn federation() -> Federation {
    let rfc2136 = Rfc2136Provider { server: "127.0.0.1:53".to_owned(), ..Rfc2136Provider::default() };
    let provider = DnsProvider { rfc2136: Some(rfc2136), ..DnsProvider::default() };
    let zone = FederationZone { domain: "example.com".to_owned(), provider, ..FederationZone::default() };
    let mut federation = Federation::default();
    federation.metadata.name = "bench".to_owned();
    federation.spec.dns = Some(FederationDns { zones: vec![zone], ..FederationDns::default() });
    federation
}

fn cluster(index: u32) -> Cluster {
    Cluster {
        name: format!("c{index}"),
        region: Some(format!("region-{}", index / 2)),
        zones: [format!("zone-{index}")].into(),
        reach: Reach::Counted,
    }
}

fn service(index: u32, clusters: u32) -> FederatedService {
    let shard = |cluster: u32| Shard {
        cluster: format!("c{cluster}"),
        ingress: vec![Ingress::Address(IpAddr::V4(Ipv4Addr::from_bits(
            0xc612_0000 + index + (cluster << 16),
        )))],
        has_ready_endpoints: !(index + cluster).is_multiple_of(7),
    };
    FederatedService {
        namespace: format!("ns-{}", index % 100),
        name: format!("web-{index}"),
        shards: (0..clusters).map(shard).collect(),
    }
}
