//! Which collections of a cluster are cached.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::cluster::Cluster;
use portolan_api::meta::{Condition, ConditionStatus, condition};
use portolan_api::search::{CachedResource, ResourceRegistry};
use portolan_object::{GroupVersion, GroupVersionKind};

use crate::propagation::affinity;

/// Condition of a registry.
const CACHED: &str = "Cached";
/// Number of names in the message of a condition; more are counted.
const MAX_NAMES: usize = 5;

/// The namespaces of a cached collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// All; also for kinds without namespaces.
    All,
    /// These only.
    Named(BTreeSet<String>),
}

impl Namespaces {
    fn add(&mut self, namespace: &str) {
        match self {
            Self::All => {}
            _ if namespace.is_empty() => *self = Self::All,
            Self::Named(names) => {
                names.insert(namespace.to_owned());
            }
        }
    }

    /// The namespace of each cache; empty for all.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::All => vec![""],
            Self::Named(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// A kind and its namespaces.
pub type Collection = (GroupVersionKind, Namespaces);

/// The collections of `cluster` that the registries ask for. None for a cluster that is not ready: what was cached of it
/// could be long out of date.
pub fn collections<'a>(
    registries: impl IntoIterator<Item = &'a ResourceRegistry>,
    cluster: &Cluster,
) -> BTreeMap<GroupVersionKind, Namespaces> {
    let mut wanted: BTreeMap<GroupVersionKind, Namespaces> = BTreeMap::new();
    if cluster.metadata.is_deleting() || !is_ready(cluster) {
        return wanted;
    }
    for registry in registries.into_iter().filter(|registry| applies(registry, cluster)) {
        for selector in &registry.spec.resource_selectors {
            let Some(kind) = kind(selector) else { continue };
            wanted.entry(kind).or_insert_with(|| Namespaces::Named(BTreeSet::new())).add(&selector.namespace);
        }
    }
    wanted
}

fn applies(registry: &ResourceRegistry, cluster: &Cluster) -> bool {
    !registry.metadata.is_deleting() && affinity::matches(&registry.spec.target_cluster, cluster)
}

fn is_ready(cluster: &Cluster) -> bool {
    condition(&cluster.status.conditions, "Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
}

/// The kind of a selector; `None` for an `apiVersion` that cannot exist, which admission refuses.
fn kind(selector: &CachedResource) -> Option<GroupVersionKind> {
    let version: GroupVersion = selector.api_version.parse().ok()?;
    Some(GroupVersionKind::new(version.group, version.version, selector.kind.as_str()))
}

/// The condition of a registry: whether everything that it asks for is cached, and if not, why. `serves` says whether a
/// cluster serves a kind. The caller sets the time.
pub fn cached(
    registry: &ResourceRegistry,
    clusters: &[&Cluster],
    serves: impl Fn(&Cluster, &GroupVersionKind) -> bool,
) -> Condition {
    let (ready, absent): (Vec<&Cluster>, Vec<&Cluster>) = clusters
        .iter()
        .copied()
        .filter(|cluster| applies(registry, cluster))
        .partition(|cluster| is_ready(cluster));
    let mut problems = Vec::new();
    if ready.is_empty() && absent.is_empty() {
        problems.push("spec.targetCluster selects no cluster".to_owned());
    }
    if !absent.is_empty() {
        problems.push(format!(
            "not ready: {}",
            names(absent.iter().map(|cluster| cluster.metadata.name.as_str()))
        ));
    }
    let kinds: BTreeSet<GroupVersionKind> =
        registry.spec.resource_selectors.iter().filter_map(kind).collect();
    for kind in &kinds {
        let without = ready
            .iter()
            .filter(|cluster| !serves(cluster, kind))
            .map(|cluster| cluster.metadata.name.as_str());
        let without: Vec<&str> = without.collect();
        if !without.is_empty() {
            problems.push(format!(
                "{} {} is not served by {}",
                kind.api_version(),
                kind.kind,
                names(without)
            ));
        }
    }
    if registry.spec.backend_store.is_some() {
        problems.push("spec.backendStore is not used: objects are kept in memory only".to_owned());
    }
    let summary = format!(
        "{} of {}",
        counted(kinds.len(), "kind", "kinds"),
        counted(ready.len(), "cluster", "clusters")
    );
    let (status, reason, message) = match problems.is_empty() {
        true => (ConditionStatus::True, "Cached", format!("{summary} can be looked up")),
        false => (
            ConditionStatus::False,
            "Incomplete",
            format!("{summary} can be looked up; {}", problems.join("; ")),
        ),
    };
    Condition::new(CACHED, status, reason, message, "")
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The first names, and how many more there are.
fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.into_iter().collect();
    let mut text = all[..all.len().min(MAX_NAMES)].join(", ");
    if all.len() > MAX_NAMES {
        text.push_str(&format!(" and {} more", all.len() - MAX_NAMES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use portolan_api::meta::ObjectMeta;
    use portolan_api::policy::ClusterAffinity;
    use portolan_api::search::{BackendStore, ResourceRegistrySpec};

    fn cluster(name: &str, is_ready: bool) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
        cluster.status.conditions.push(Condition::new("Ready", is_ready, "Test", "", ""));
        cluster
    }

    fn registry(clusters: &[&str], selectors: &[(&str, &str, &str)]) -> ResourceRegistry {
        let resource = |(api_version, kind, namespace): &(&str, &str, &str)| CachedResource {
            api_version: (*api_version).to_owned(),
            kind: (*kind).to_owned(),
            namespace: (*namespace).to_owned(),
        };
        let cluster_names = clusters.iter().map(|&name| name.to_owned()).collect();
        let spec = ResourceRegistrySpec {
            target_cluster: ClusterAffinity { cluster_names, ..ClusterAffinity::default() },
            resource_selectors: selectors.iter().map(resource).collect(),
            backend_store: None,
        };
        ResourceRegistry { metadata: ObjectMeta::cluster("registry"), spec, ..ResourceRegistry::default() }
    }

    #[test]
    fn registries_add_up() {
        let first =
            registry(&["a"], &[("v1", "Pod", "x"), ("v1", "Secret", "x"), ("apps/v1", "Deployment", "")]);
        let second = registry(&[], &[("v1", "Pod", ""), ("v1", "Secret", "y")]);
        let elsewhere = registry(&["b"], &[("v1", "Node", "")]);
        let wanted = collections([&first, &second, &elsewhere], &cluster("a", true));
        let of = |group: &str, kind: &str| wanted[&GroupVersionKind::new(group, "v1", kind)].names();
        assert_eq!(wanted.len(), 3);
        assert_eq!(of("", "Pod"), [""]);
        assert_eq!(of("", "Secret"), ["x", "y"]);
        assert_eq!(of("apps", "Deployment"), [""]);
    }

    #[test]
    fn nothing_is_cached_of_a_cluster_that_is_not_ready() {
        let registry = registry(&[], &[("v1", "Pod", "")]);
        assert!(collections([&registry], &cluster("a", false)).is_empty());
        assert!(collections([&registry], &Cluster::default()).is_empty());
    }

    #[test]
    fn the_condition_names_what_is_missing() {
        let (a, b) = (cluster("a", true), cluster("b", false));
        let told = |registry: &ResourceRegistry, clusters: &[&Cluster]| {
            let condition = cached(registry, clusters, |_, kind| kind.kind != "Foo");
            (condition.status.as_str(), condition.message)
        };
        let pods = registry(&[], &[("v1", "Pod", "")]);
        assert_eq!(told(&pods, &[&a]), ("True", "1 kind of 1 cluster can be looked up".to_owned()));
        let text = "1 kind of 1 cluster can be looked up; not ready: b";
        assert_eq!(told(&pods, &[&a, &b]), ("False", text.to_owned()));
        let text = "1 kind of 0 clusters can be looked up; spec.targetCluster selects no cluster";
        assert_eq!(told(&registry(&["c"], &[("v1", "Pod", "")]), &[&a]), ("False", text.to_owned()));
        let mut foo = registry(&["a"], &[("example.io/v1", "Foo", "")]);
        foo.spec.backend_store = Some(BackendStore::default());
        let text = "1 kind of 1 cluster can be looked up; example.io/v1 Foo is not served by a; spec.backendStore is not \
                    used: objects are kept in memory only";
        assert_eq!(told(&foo, &[&a]), ("False", text.to_owned()));
    }
}
