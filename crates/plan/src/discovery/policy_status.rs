//! Condition `InEffect` of a TrafficPolicy: whether everything that it says is done, and what is not.

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::traffic_policy as reasons;
use portolan_api::meta::Condition;
use portolan_api::policy::ClusterAffinity;
use portolan_api::traffic::{TrafficPolicy, TrafficPolicySpec, WithdrawalPolicy};

use super::properties::{Properties, areas, required};
use super::traffic_policy::age;
use crate::propagation::affinity;

/// Names that are listed in one message, at most.
const MAX_NAMED: usize = 20;

/// What the condition of a policy depends on besides the policy.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// All policies of the namespace.
    pub policies: &'a [&'a TrafficPolicy],
    /// The clusters of the federation.
    pub clusters: &'a [&'a Cluster],
    /// The properties of the clusters.
    pub properties: &'a Properties,
    /// Names of the services of the namespace that a cluster exports or imports, or that a MultiClusterService has; `None` until
    /// all clusters have been read.
    pub services: Option<&'a BTreeSet<String>>,
}

/// The condition of a policy.
pub fn in_effect(policy: &TrafficPolicy, surroundings: Surroundings<'_>, now: &str) -> Condition {
    let Surroundings { policies, clusters, properties, services } = surroundings;
    let found = [
        without_service(&policy.spec, services),
        unmatched(&policy.spec, clusters),
        unknown(&policy.spec, clusters),
        without_property(&policy.spec, properties),
        overruled(policy, policies),
    ];
    let found: Vec<(&str, String)> = found.into_iter().flatten().collect();
    let generation = Some(policy.metadata.generation).filter(|generation| *generation > 0);
    let (is_true, reason, message) = match found.first() {
        None => (true, reasons::IN_EFFECT, "everything that the policy says is done".to_owned()),
        Some((reason, _)) => {
            let messages: Vec<String> = found.iter().map(|(_, message)| message.clone()).collect();
            (false, *reason, messages.join("; "))
        }
    };
    let mut condition = Condition::new(reasons::IN_EFFECT, is_true, reason, message, now);
    condition.observed_generation = generation;
    condition
}

/// Names of services that the namespace does not have.
fn without_service(
    spec: &TrafficPolicySpec,
    services: Option<&BTreeSet<String>>,
) -> Option<(&'static str, String)> {
    let services = services?;
    let missing = spec.services.iter().filter(|name| !services.contains(*name));
    let listed: Vec<&str> = missing.take(MAX_NAMED).map(String::as_str).collect();
    (!listed.is_empty()).then(|| {
        let message = format!(
            "spec.services names what no cluster exports or imports in this namespace: {}",
            listed.join(", ")
        );
        (reasons::NO_SERVICE, message)
    })
}

/// A selection of clusters without a cluster.
fn unmatched(spec: &TrafficPolicySpec, clusters: &[&Cluster]) -> Option<(&'static str, String)> {
    let is_empty =
        |wanted: &ClusterAffinity| !clusters.iter().any(|cluster| affinity::matches(wanted, cluster));
    let boundary = spec.boundary.as_ref().and_then(|boundary| boundary.cluster_affinity.as_ref());
    if boundary.is_some_and(is_empty) {
        let message =
            "spec.boundary.clusterAffinity selects no cluster of the federation: no endpoint gets traffic";
        return Some((reasons::NO_CLUSTER_SELECTED, message.to_owned()));
    }
    let message = "spec.visibleTo selects no cluster of the federation: no cluster has the service";
    spec.visible_to
        .as_ref()
        .filter(|wanted| is_empty(wanted))
        .map(|_| (reasons::NO_CLUSTER_SELECTED, message.to_owned()))
}

/// Names of clusters that the federation does not have.
fn unknown(spec: &TrafficPolicySpec, clusters: &[&Cluster]) -> Option<(&'static str, String)> {
    let known: BTreeSet<&str> = clusters.iter().map(|cluster| cluster.metadata.name.as_str()).collect();
    let of_areas = areas(spec).filter_map(|area| area.cluster_affinity.as_ref());
    let of_affinities = of_areas
        .chain(&spec.visible_to)
        .flat_map(|affinity| affinity.cluster_names.iter().chain(&affinity.exclude_clusters));
    let named = of_affinities.chain(spec.weights.keys()).chain(&spec.drained_clusters);
    let unknown: BTreeSet<&str> = named.map(String::as_str).filter(|name| !known.contains(name)).collect();
    let listed: Vec<&str> = unknown.into_iter().take(MAX_NAMED).collect();
    (!listed.is_empty()).then(|| {
        let message =
            format!("the policy names clusters that the federation does not have: {}", listed.join(", "));
        (reasons::UNKNOWN_CLUSTER, message)
    })
}

/// Properties that no cluster of the federation has.
fn without_property(spec: &TrafficPolicySpec, properties: &Properties) -> Option<(&'static str, String)> {
    let names: BTreeSet<&str> = required(spec).map(|wanted| wanted.name.as_str()).collect();
    let missing: Vec<&str> = names.into_iter().filter(|name| !properties.has(name)).take(MAX_NAMED).collect();
    (!missing.is_empty()).then(|| {
        let message = format!(
            "no cluster of the federation has the ClusterProperty {}: write it in the clusters, which have to be in a cluster set",
            missing.join(", ")
        );
        (reasons::NO_CLUSTER_SELECTED, message)
    })
}

/// Older policies that select the same services, if this one has fields of which only the oldest policy counts.
fn overruled(policy: &TrafficPolicy, of_namespace: &[&TrafficPolicy]) -> Option<(&'static str, String)> {
    let fields = exclusive_fields(&policy.spec);
    if fields.is_empty() {
        return None;
    }
    let older = of_namespace.iter().filter(|other| age(other) < age(policy));
    let texts: Vec<String> = older
        .filter_map(|other| {
            Some(format!(
                "TrafficPolicy {} is older and selects {} too",
                other.metadata.name,
                shared(policy, other)?
            ))
        })
        .take(MAX_NAMED)
        .collect();
    (!texts.is_empty()).then(|| {
        let message =
            format!("{}: {} of this policy have no effect there", texts.join(", and "), fields.join(", "));
        (reasons::OLDER_POLICY, message)
    })
}

/// The services that two policies select.
fn shared(one: &TrafficPolicy, other: &TrafficPolicy) -> Option<String> {
    let (ours, theirs) = (&one.spec.services, &other.spec.services);
    let both: Vec<&str> = match (ours.is_empty(), theirs.is_empty()) {
        (true, true) => vec!["all services"],
        (true, false) => theirs.iter().map(String::as_str).collect(),
        (false, true) => ours.iter().map(String::as_str).collect(),
        (false, false) => ours.iter().filter(|name| theirs.contains(name)).map(String::as_str).collect(),
    };
    let listed: Vec<&str> = both.into_iter().take(MAX_NAMED).collect();
    (!listed.is_empty()).then(|| listed.join(", "))
}

/// Fields that the policy has and of which only the oldest policy counts.
fn exclusive_fields(spec: &TrafficPolicySpec) -> Vec<&'static str> {
    let fields = [
        ("spec.nearness", spec.nearness.is_some()),
        ("spec.weights", !spec.weights.is_empty()),
        ("spec.drainedClusters", !spec.drained_clusters.is_empty()),
        ("spec.transitionSeconds", spec.transition_seconds.is_some()),
        ("spec.httpProbe", spec.http_probe.is_some()),
        ("spec.withdrawal", spec.withdrawal != WithdrawalPolicy::default()),
    ];
    fields.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use portolan_api::traffic::PropertyRequirement;

    use super::*;
    use crate::discovery::nearness::tests::cluster;
    use crate::discovery::properties::tests::properties;

    fn policy(name: &str, since: &str, services: &[&str], spec: TrafficPolicySpec) -> TrafficPolicy {
        let mut policy = TrafficPolicy { spec, ..TrafficPolicy::default() };
        policy.metadata.name = name.to_owned();
        policy.metadata.creation_timestamp = Some(since.to_owned());
        policy.spec.services = services.iter().map(|name| (*name).to_owned()).collect();
        policy
    }

    fn named(name: &str) -> ClusterAffinity {
        ClusterAffinity { cluster_names: vec![name.to_owned()], ..ClusterAffinity::default() }
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let weighted =
            || TrafficPolicySpec { weights: [("east".to_owned(), 3)].into(), ..TrafficPolicySpec::default() };
        let boundary = |name: &str| {
            let mut spec = TrafficPolicySpec::default();
            spec.boundary.get_or_insert_default().cluster_affinity = Some(named(name));
            spec
        };
        let visible =
            |name: &str| TrafficPolicySpec { visible_to: Some(named(name)), ..TrafficPolicySpec::default() };
        let drained =
            TrafficPolicySpec { drained_clusters: vec!["wset".to_owned()], ..TrafficPolicySpec::default() };
        let ring = |name: &str| {
            let mut spec = TrafficPolicySpec::default();
            spec.boundary.get_or_insert_default().property =
                Some(PropertyRequirement { name: name.to_owned(), values: Vec::new() });
            spec
        };
        let older = policy("a", "t1", &["web", "db"], weighted());
        let all = policy("all", "t1", &[], weighted());
        let cases = [
            ("all is done", policy("b", "t2", &["web"], weighted()), vec![], "InEffect"),
            (
                "an older one",
                policy("b", "t2", &["web"], weighted()),
                vec![&older],
                "a is older and selects web too: spec.weights of",
            ),
            ("one for other services", policy("b", "t2", &["api"], weighted()), vec![&older], "InEffect"),
            (
                "one for all",
                policy("b", "t2", &["api"], weighted()),
                vec![&all],
                "all is older and selects api too",
            ),
            (
                "for all, after one for some",
                policy("b", "t2", &[], weighted()),
                vec![&older],
                "selects web, db too",
            ),
            ("two for all", policy("b", "t2", &[], weighted()), vec![&all], "selects all services too"),
            ("a newer one", policy("b", "t0", &["web"], weighted()), vec![&older], "InEffect"),
            (
                "a boundary holds beside it",
                policy("b", "t2", &["web"], boundary("east")),
                vec![&older],
                "InEffect",
            ),
            (
                "a boundary of nothing",
                policy("b", "t2", &[], boundary("wset")),
                vec![],
                "no endpoint gets traffic; the policy names",
            ),
            ("seen by none", policy("b", "t2", &[], visible("wset")), vec![], "no cluster has the service"),
            ("a mistyped name", policy("b", "t2", &[], drained), vec![], "does not have: wset"),
            ("a property that a cluster has", policy("b", "t2", &[], ring("ring")), vec![], "InEffect"),
            (
                "a mistyped property",
                policy("b", "t2", &[], ring("rnig")),
                vec![],
                "has the ClusterProperty rnig",
            ),
        ];
        let (east, west) = (cluster("east", ""), cluster("west", ""));
        let properties = properties(&["east ring 1"]);
        for (name, policy, mut others, want) in cases {
            others.push(&policy);
            let surroundings = Surroundings {
                policies: &others,
                clusters: &[&east, &west],
                properties: &properties,
                services: None,
            };
            let condition = in_effect(&policy, surroundings, "t9");
            let text = if condition.is_true() { &condition.reason } else { &condition.message };
            assert!(text.contains(want), "{name}: {condition:?}");
        }
    }

    #[test]
    fn services_that_do_not_exist_are_named_once_all_clusters_are_known() {
        let known: BTreeSet<String> = ["web".to_owned(), "db".to_owned()].into();
        let status = |services: &[&str], known: Option<&BTreeSet<String>>| {
            let policy = policy("a", "t1", services, TrafficPolicySpec::default());
            let surroundings = Surroundings {
                policies: &[&policy],
                clusters: &[],
                properties: &properties(&[]),
                services: known,
            };
            in_effect(&policy, surroundings, "t9")
        };
        for (services, known) in
            [(&["web", "db"][..], Some(&known)), (&["web", "dbb"], None), (&[], Some(&known)), (&[], None)]
        {
            assert!(status(services, known).is_true(), "{services:?} {known:?}");
        }
        let missing = status(&["web", "dbb"], Some(&known));
        assert_eq!((missing.is_true(), missing.reason.as_str()), (false, "NoService"));
        assert!(missing.message.ends_with("in this namespace: dbb"), "{}", missing.message);
    }
}
