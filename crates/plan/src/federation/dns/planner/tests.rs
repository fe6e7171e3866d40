use super::*;

const G: &str = "nginx.myns.myfed.svc.example.com.";
const R_US: &str = "nginx.myns.myfed.svc.us-central1.example.com.";
const R_EU: &str = "nginx.myns.myfed.svc.europe-west1.example.com.";
const Z_A: &str = "nginx.myns.myfed.svc.us-central1-a.us-central1.example.com.";
const Z_B: &str = "nginx.myns.myfed.svc.us-central1-b.us-central1.example.com.";
const Z_F: &str = "nginx.myns.myfed.svc.us-central1-f.us-central1.example.com.";
const Z_EU: &str = "nginx.myns.myfed.svc.europe-west1-b.europe-west1.example.com.";
const LB: &str = "lb-c3.elb.example.net.";

/// Three clusters in two regions with one shard each.
#[derive(Clone)]
struct Federation {
    naming: Naming,
    health: Health,
    clusters: Vec<Cluster>,
    shards: Vec<Shard>,
}

fn federation() -> Federation {
    let cluster = |name: &str, region: &str, zone: &str| Cluster {
        name: name.to_owned(),
        region: Some(region.to_owned()),
        zones: BTreeSet::from([format!("{region}-{zone}")]),
        reach: Reach::Counted,
    };
    let shard = |cluster: &str, address: &str| Shard {
        cluster: cluster.to_owned(),
        ingress: vec![Ingress::Address(address.parse().unwrap())],
        has_ready_endpoints: true,
    };
    Federation {
        naming: Naming {
            domain: DomainName::parse("example.com").unwrap(),
            federation: "myfed".to_owned(),
            namespace: "myns".to_owned(),
            label: "nginx".to_owned(),
            prefix: None,
            ttl: DEFAULT_TTL,
        },
        health: Health::default(),
        clusters: vec![
            cluster("c1", "us-central1", "a"),
            cluster("c2", "us-central1", "b"),
            cluster("c3", "europe-west1", "b"),
        ],
        shards: vec![shard("c1", "198.51.100.1"), shard("c2", "198.51.100.2"), shard("c3", "203.0.113.3")],
    }
}

impl Federation {
    /// The base with one difference.
    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut federation = federation();
        change(&mut federation);
        federation
    }

    fn unhealthy(mut self, shards: &[usize]) -> Self {
        shards.iter().for_each(|&index| self.shards[index].has_ready_endpoints = false);
        self
    }

    /// Every record set as `NAME TYPE TARGET…`, sorted.
    fn records(&self) -> Vec<String> {
        let mut sets = plan(&self.naming, self.health, &self.clusters, &self.shards).unwrap();
        assert!(sets.iter().all(|set| set.ttl == self.naming.ttl));
        sets.sort_by_key(RecordSet::key);
        sets.iter().map(shown).collect()
    }
}

fn shown(set: &RecordSet) -> String {
    let targets: Vec<&str> = set.targets.iter().map(String::as_str).collect();
    format!("{} {} {}", set.name, set.kind, targets.join(" "))
}

/// Expands `.1` to `.3` and `>NAME`, and sorts.
fn expected(records: &[(&str, &str)]) -> Vec<String> {
    let mut lines: Vec<String> = records
        .iter()
        .map(|(name, data)| {
            if let Some(target) = data.strip_prefix('>') {
                return format!("{name} CNAME {target}");
            }
            let full = |address| match address {
                ".1" => "198.51.100.1",
                ".2" => "198.51.100.2",
                ".3" => "203.0.113.3",
                other => other,
            };
            let mut addresses: Vec<&str> = data.split(' ').map(full).collect();
            addresses.sort_unstable();
            format!("{name} A {}", addresses.join(" "))
        })
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn check(case: &str, federation: &Federation, records: &[(&str, &str)]) {
    let mut found = federation.records();
    found.sort();
    assert_eq!(found, expected(records), "{case}");
}

fn to(target: &str) -> String {
    format!(">{target}")
}

/// The six names of the base, in the order global, both regions, three zones.
#[track_caller]
fn check_six(case: &str, federation: &Federation, data: [&str; 6]) {
    let names = [G, R_US, R_EU, Z_A, Z_B, Z_EU];
    let data: Vec<(&str, String)> = names
        .into_iter()
        .zip(data)
        .filter(|(_, data)| !data.is_empty())
        .map(|(name, data)| {
            let target = match data {
                ">G" => to(G),
                ">Rus" => to(R_US),
                ">Reu" => to(R_EU),
                ">LB" => to(LB),
                other => other.to_owned(),
            };
            (name, target)
        })
        .collect();
    let records: Vec<(&str, &str)> = data.iter().map(|(name, data)| (*name, data.as_str())).collect();
    check(case, federation, &records);
}

const HEALTHY: [&str; 6] = [".1 .2 .3", ".1 .2", ".3", ".1", ".2", ".3"];
const WITHOUT_C2: [&str; 6] = [".1 .3", ".1", ".3", ".1", ">Rus", ".3"];
const WITHOUT_C3: [&str; 6] = [".1 .2", ".1 .2", ">G", ".1", ".2", ">Reu"];
const NONE: [&str; 6] = ["", ">G", ">G", ">Rus", ">Rus", ">Reu"];

#[test]
fn unhealthy_shards_leave_and_their_names_lead_to_the_next_wider_level() {
    check_six("all healthy", &federation(), HEALTHY);
    check_six("one shard", &federation().unhealthy(&[0]), [".2 .3", ".2", ".3", ">Rus", ".2", ".3"]);
    check_six("a region", &federation().unhealthy(&[2]), WITHOUT_C3);
    check_six("all", &federation().unhealthy(&[0, 1, 2]), NONE);
    check_six("pending load balancer", &Federation::with(|all| all.shards[1].ingress.clear()), WITHOUT_C2);
    check_six("lost load balancer", &Federation::with(|all| all.shards[2].ingress.clear()), WITHOUT_C3);
    check_six("cluster without shard", &Federation::with(|all| drop(all.shards.remove(1))), WITHOUT_C2);
}

#[test]
fn dead_clusters_leave_unless_all_seem_dead() {
    let dead = |clusters: &[usize]| {
        Federation::with(|all| clusters.iter().for_each(|&index| all.clusters[index].reach = Reach::Dead))
    };
    check_six("a region alone", &dead(&[2]), WITHOUT_C3);
    check_six("a shared region", &dead(&[1]), WITHOUT_C2);
    check_six("all together", &dead(&[0, 1, 2]), HEALTHY);
}

#[test]
fn a_federation_without_a_healthy_shard_can_fail_open() {
    let open = Health { fails_open: true, ignores_endpoints: false };
    let all = Federation::with(|all| all.health = open);
    check_six("no shard is healthy", &all.clone().unhealthy(&[0, 1, 2]), HEALTHY);
    check_six("one shard is healthy", &all.unhealthy(&[1, 2]), [".1", ".1", ">G", ".1", ">Rus", ">Reu"]);
    let ignored = Health { ignores_endpoints: true, fails_open: false };
    check_six(
        "endpoints do not count",
        &Federation::with(|all| all.health = ignored).unhealthy(&[0, 1, 2]),
        HEALTHY,
    );
}

#[test]
fn clusters_share_zones_and_leave_with_their_names() {
    let shared = Federation::with(|all| all.clusters[1].zones = all.clusters[0].zones.clone());
    check_six("two in one zone", &shared, [".1 .2 .3", ".1 .2", ".3", ".1 .2", "", ".3"]);
    check_six("one of them unhealthy", &shared.unhealthy(&[0]), [".2 .3", ".2", ".3", ".2", "", ".3"]);
    let unregistered = Federation::with(|all| drop(all.clusters.remove(2)));
    check_six("unregistered", &unregistered, [".1 .2", ".1 .2", "", ".1", ".2", ""]);
    let nowhere = Federation::with(|all| {
        all.clusters[2].region = None;
        all.clusters[2].zones.clear();
    });
    check_six("without a place", &nowhere, [".1 .2 .3", ".1 .2", "", ".1", ".2", ""]);
    let alone = Federation::with(|all| {
        all.clusters.truncate(1);
        all.shards[0].ingress.clear();
    });
    check_six("the only one lost its load balancer", &alone, ["", ">G", "", ">Rus", "", ""]);
}

#[test]
fn a_cluster_in_several_zones_has_a_name_in_each() {
    let several = Federation::with(|all| {
        all.clusters[0].zones.insert("us-central1-f".to_owned());
    });
    check(
        "healthy",
        &several,
        &[
            (G, ".1 .2 .3"),
            (R_US, ".1 .2"),
            (R_EU, ".3"),
            (Z_A, ".1"),
            (Z_F, ".1"),
            (Z_B, ".2"),
            (Z_EU, ".3"),
        ],
    );
    let region = to(R_US);
    check(
        "unhealthy",
        &several.unhealthy(&[0]),
        &[
            (G, ".2 .3"),
            (R_US, ".2"),
            (R_EU, ".3"),
            (Z_A, &region),
            (Z_F, &region),
            (Z_B, ".2"),
            (Z_EU, ".3"),
        ],
    );
}

#[test]
fn one_host_name_is_an_alias_and_several_targets_are_addresses() {
    let hosted = Federation::with(|all| {
        let addresses = vec!["192.0.2.31".parse().unwrap(), "192.0.2.32".parse().unwrap()];
        all.shards[2].ingress = vec![Ingress::Host { name: DomainName::parse(LB).unwrap(), addresses }];
    });
    check_six("a host name", &hosted, [".1 .2 192.0.2.31 192.0.2.32", ".1 .2", ">LB", ".1", ".2", ">LB"]);
}

#[test]
fn addresses_of_both_families_have_their_types() {
    let dual = Federation::with(|all| {
        all.clusters.truncate(1);
        all.shards[0].ingress.push(Ingress::Address("2001:db8::1".parse().unwrap()));
    });
    let records = dual.records();
    assert_eq!(records.len(), 6, "{records:?}");
    assert!(records.contains(&format!("{Z_A} A 198.51.100.1")));
    assert!(records.contains(&format!("{Z_A} AAAA 2001:db8::1")));
}

#[test]
fn prefix_label_and_time_to_live_are_those_of_the_record() {
    let www = "www.example.com. CNAME nginx.myns.myfed.svc.example.com.".to_owned();
    let prefixed = Federation::with(|all| all.naming.prefix = Some("www".to_owned()));
    assert!(prefixed.records().contains(&www));
    assert!(
        prefixed.unhealthy(&[0, 1, 2]).records().contains(&www),
        "also while the global name has no record"
    );
    let renamed = Federation::with(|all| all.naming.label = "web".to_owned());
    assert!(renamed.records().iter().all(|record| record.starts_with("web.myns.myfed.svc.")));
    Federation::with(|all| all.naming.ttl = 60).records();
}

#[test]
fn a_region_that_is_no_dns_label_is_refused() {
    let wrong = Federation::with(|all| all.clusters[0].region = Some("us central".to_owned()));
    assert!(plan(&wrong.naming, wrong.health, &wrong.clusters, &wrong.shards).is_err());
}
