//! Why clients find a federated Service, or do not: findings about its shards, its records and an answer of DNS.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::dns::overview::{Row, State};

/// What a finding means for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// As it shall be.
    Good,
    /// It cannot be told.
    Unclear,
    /// Clients are kept away from here on purpose, as from a cluster without endpoints.
    LeftOut,
    /// Something is broken.
    Broken,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, such as `shard eu`.
    pub subject: String,
    /// What it means.
    pub meaning: Meaning,
    /// What was seen.
    pub seen: String,
    /// What to do; empty if there is nothing to do.
    pub next: String,
}

/// The Service in one cluster.
#[derive(Debug, Clone)]
pub struct ShardFacts {
    /// Name of the cluster.
    pub cluster: String,
    /// Why the cluster is not ready, if it is not.
    pub not_ready: Option<String>,
    /// Whether it has the Service as it is asked for, and if not, why.
    pub applied: Result<(), String>,
    /// Addresses and host names of the load balancer.
    pub load_balancers: Vec<String>,
    /// Whether any endpoint is ready, if the cluster could be asked.
    pub has_ready_endpoints: Result<bool, String>,
}

/// Judges a shard. `has_names` says whether the Service has records; `ignores_endpoints` whether shards without endpoints
/// have them too.
pub fn shard(facts: &ShardFacts, has_names: bool, ignores_endpoints: bool) -> Finding {
    let found = |meaning, seen: String, next: &str| Finding {
        subject: format!("shard {}", facts.cluster),
        meaning,
        seen,
        next: next.to_owned(),
    };
    if let Some(cause) = &facts.not_ready {
        let next = format!(
            "kubectl describe cluster {}; its records stay while its load balancers answer",
            facts.cluster
        );
        return found(Meaning::Unclear, format!("the cluster is not ready: {cause}"), &next);
    }
    if let Err(cause) = &facts.applied {
        return found(
            Meaning::Broken,
            format!("the cluster does not have the Service: {cause}"),
            "mend the cause",
        );
    }
    if has_names && facts.load_balancers.is_empty() {
        let next = format!("look at the events of the Service in {}", facts.cluster);
        return found(Meaning::LeftOut, "its load balancer has no address".to_owned(), &next);
    }
    let addresses = match facts.load_balancers.is_empty() {
        true => "no load balancer".to_owned(),
        false => facts.load_balancers.join(", "),
    };
    match &facts.has_ready_endpoints {
        Ok(true) => found(Meaning::Good, format!("{addresses}; endpoints are ready"), ""),
        Ok(false) if ignores_endpoints => {
            found(Meaning::Good, format!("{addresses}; no endpoint is ready, which does not count"), "")
        }
        Ok(false) => {
            let next = format!("start pods that its selector selects in {}", facts.cluster);
            found(Meaning::LeftOut, format!("{addresses}; no endpoint is ready"), &next)
        }
        Err(cause) => found(Meaning::Unclear, format!("{addresses}; endpoints cannot be read: {cause}"), ""),
    }
}

/// What is said of a Service without names in public DNS.
pub fn without_names(kind: &str) -> Finding {
    let kind = if kind.is_empty() { "ClusterIP" } else { kind };
    Finding {
        subject: "names".to_owned(),
        meaning: Meaning::Good,
        seen: format!(
            "none: the Service is of type {kind}, and only those of type LoadBalancer have names in public DNS"
        ),
        next: String::new(),
    }
}

/// Judges the record sets of the Service in a zone, or why they cannot be read. `trouble` is what the control plane reports of the
/// zone.
pub fn zone(name: &str, rows: Result<&[Row], &str>, trouble: &str) -> Vec<Finding> {
    let found = |meaning, seen: String, next: &str| Finding {
        subject: format!("zone {name}"),
        meaning,
        seen,
        next: next.to_owned(),
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(cause) => return vec![found(Meaning::Unclear, format!("it cannot be read: {cause}"), "")],
    };
    let is_there = |row: &&Row| matches!(row.state, State::Published | State::Reported);
    let published = rows.iter().filter(is_there).count();
    let mut findings: Vec<Finding> = rows.iter().filter_map(|row| record(name, row, trouble)).collect();
    if findings.is_empty() {
        let seen = match published {
            0 => "the Service has no records, and shall have none".to_owned(),
            count => format!("all {count} record sets are published"),
        };
        findings.push(found(Meaning::Good, seen, ""));
    }
    findings
}

/// A record set that is not as it shall be.
fn record(zone: &str, row: &Row, trouble: &str) -> Option<Finding> {
    let seen = format!("{} {} {}", row.name, row.kind, row.state);
    let next = match &row.state {
        State::Published | State::Reported => return None,
        State::Missing | State::Differs | State::Surplus if trouble.is_empty() => {
            "wait: the control plane writes it with the next pass"
        }
        State::Missing | State::Differs | State::Surplus => trouble,
        State::Foreign(_) => "delete the record at the provider, or use another name",
    };
    let subject = format!("zone {zone}");
    Some(Finding { subject, meaning: Meaning::Broken, seen, next: next.to_owned() })
}

/// Judges what the resolver of this machine answers for the name of the Service.
pub fn answer(name: &str, published: &BTreeSet<IpAddr>, answer: Result<&BTreeSet<IpAddr>, &str>) -> Finding {
    let text =
        |addresses: &BTreeSet<IpAddr>| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let (meaning, seen, next) = match answer {
        Ok(found) if found.is_subset(published) && !found.is_empty() => {
            (Meaning::Good, format!("{name} is {}", text(found)), "")
        }
        Ok(found) => (
            Meaning::Unclear,
            format!("{name} is {}, published is {}", text(found), text(published)),
            "resolvers keep an old answer for its time to live; after that, look at the delegation of the zone",
        ),
        Err(cause) => (
            Meaning::Unclear,
            format!("{name}: {cause}"),
            "this machine may not use public DNS; otherwise look at the delegation of the zone",
        ),
    };
    Finding { subject: "resolver".to_owned(), meaning, seen, next: next.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::dns::record::{DomainName, RecordType};
    use super::*;

    fn facts(change: impl FnOnce(&mut ShardFacts)) -> ShardFacts {
        let mut facts = ShardFacts {
            cluster: "eu".to_owned(),
            not_ready: None,
            applied: Ok(()),
            load_balancers: vec!["192.0.2.1".to_owned()],
            has_ready_endpoints: Ok(true),
        };
        change(&mut facts);
        facts
    }

    #[test]
    fn a_shard_is_good_left_out_unclear_or_broken() {
        for (facts, ignores, want, words) in [
            (facts(|_| {}), false, Meaning::Good, "192.0.2.1; endpoints are ready"),
            (
                facts(|facts| facts.not_ready = Some("no route".to_owned())),
                false,
                Meaning::Unclear,
                "the cluster is not ready: no route",
            ),
            (
                facts(|facts| facts.applied = Err("refused".to_owned())),
                false,
                Meaning::Broken,
                "does not have the Service: refused",
            ),
            (
                facts(|facts| facts.load_balancers.clear()),
                false,
                Meaning::LeftOut,
                "its load balancer has no address",
            ),
            (
                facts(|facts| facts.has_ready_endpoints = Ok(false)),
                false,
                Meaning::LeftOut,
                "no endpoint is ready",
            ),
            (
                facts(|facts| facts.has_ready_endpoints = Ok(false)),
                true,
                Meaning::Good,
                "which does not count",
            ),
            (
                facts(|facts| facts.has_ready_endpoints = Err("pull".to_owned())),
                false,
                Meaning::Unclear,
                "endpoints cannot be read: pull",
            ),
        ] {
            let found = shard(&facts, true, ignores);
            assert_eq!(found.meaning, want, "{}", found.seen);
            assert!(found.seen.contains(words), "{}", found.seen);
        }
        let internal = shard(&facts(|facts| facts.load_balancers.clear()), false, false);
        assert_eq!(internal.meaning, Meaning::Good, "a Service without records needs no load balancer");
    }

    #[test]
    fn records_that_are_not_as_they_shall_be_are_named() {
        let row = |state: State| Row {
            name: DomainName::parse("web.example.com").expect("a name"),
            kind: RecordType::A,
            wanted: None,
            published: None,
            state,
        };
        let good = zone("example.com", Ok(&[row(State::Published), row(State::Reported)]), "");
        assert_eq!((good.len(), good[0].seen.as_str()), (1, "all 2 record sets are published"));
        let bad = zone("example.com", Ok(&[row(State::Published), row(State::Foreign(None))]), "");
        assert_eq!((bad.len(), bad[0].meaning), (1, Meaning::Broken));
        assert!(bad[0].seen.contains("without a known owner"), "{}", bad[0].seen);
        assert_eq!(zone("example.com", Err("refused"), "")[0].meaning, Meaning::Unclear);
        assert_eq!(zone("example.com", Ok(&[]), "")[0].meaning, Meaning::Good);
        let refused = "ns1:53 refuses the dynamic update";
        assert_eq!(zone("example.com", Ok(&[row(State::Missing)]), refused)[0].next, refused);
        assert!(zone("example.com", Ok(&[row(State::Missing)]), "")[0].next.starts_with("wait"));
    }

    #[test]
    fn an_answer_is_compared_with_what_is_published() {
        let set = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        let published: BTreeSet<IpAddr> = set(&["192.0.2.1", "192.0.2.2"]);
        let found = |texts: &[&str]| answer("web", &published, Ok(&set(texts))).meaning;
        assert_eq!(found(&["192.0.2.2"]), Meaning::Good);
        assert_eq!(found(&["192.0.2.9"]), Meaning::Unclear);
        assert_eq!(answer("web", &published, Err("no such name")).meaning, Meaning::Unclear);
    }
}
