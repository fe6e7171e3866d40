//! Why a policy has no effect, or less than its author expects.
//!
//! A policy has no status; the controller says each fault by an event on the policy.

mod idle;
mod named;
mod targets;

use std::collections::BTreeSet;
use std::fmt;

use portolan_api::policy::{PropagationSpec, ResourceSelector};
use portolan_object::{GroupKind, GroupVersion, GroupVersionKind, ObjectKey};

use super::detect::{Advantage, Exclusion, Skipped, Verdict, name};
pub use idle::{idle_overrides, idle_weights};
pub use named::{FindUnknown, NamesClusters, names_clusters, unknown_clusters};
pub use targets::override_faults;
use targets::target_faults;

/// Kinds that are named as corrections of an unknown one, at most.
const MAX_NEAR: usize = 3;
/// Letters by which a spelling may differ from the right one.
const MAX_DISTANCE: usize = 2;

/// What a policy is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The namespace of the policy; empty for a ClusterPropagationPolicy.
    pub namespace: &'a str,
    /// The kinds that can be propagated.
    pub kinds: &'a [GroupVersionKind],
    /// Those of them with objects that have no namespace.
    pub cluster_kinds: &'a BTreeSet<GroupKind>,
    /// The names of all clusters.
    pub clusters: &'a BTreeSet<String>,
    /// Kinds and namespaces that are never propagated.
    pub skipped: &'a Skipped,
}

/// An object that a selector of the policy fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its kind and name, for people.
    pub object: String,
    /// Why it is not a template, or what the policy is to it.
    pub standing: Result<Verdict, Exclusion>,
}

/// A reason why a policy has less effect than it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No kind of the API server fits a selector.
    KindNotServed {
        /// Index of the selector.
        selector: usize,
        /// What the selector asks for.
        asked: String,
        /// Kinds with a similar name, as `apiVersion kind`.
        near: Vec<String>,
    },
    /// Objects of the selected kind have no namespace, and the policy has one.
    KindClusterScoped {
        /// Index of the selector.
        selector: usize,
        /// What the selector asks for.
        asked: String,
    },
    /// Objects of the selected kind are never propagated.
    KindSkipped {
        /// Index of the selector.
        selector: usize,
        /// What the selector asks for.
        asked: String,
    },
    /// Objects in the selected namespace are never propagated.
    NamespaceSkipped {
        /// The namespace.
        namespace: String,
    },
    /// No object fits any selector.
    NothingSelected,
    /// All selected objects are no templates; the first of them.
    Excluded {
        /// The object.
        object: String,
        /// Why.
        reason: Exclusion,
    },
    /// All selected objects belong to other policies; the first of them.
    ClaimedByOthers {
        /// The object.
        object: String,
        /// Its policy.
        to: ObjectKey,
        /// Why the other policy has it.
        because: Advantage,
        /// The number of selected objects that belong to other policies.
        count: usize,
    },
    /// The placement names clusters that do not exist.
    NoSuchCluster {
        /// The names.
        names: Vec<String>,
        /// Whether one of the named clusters exists.
        others_exist: bool,
    },
    /// Labels and fields select no cluster now.
    NoClusterFits {
        /// The field.
        field: String,
    },
    /// Command or arguments of a container are changed that no selected object has.
    NoSuchContainer {
        /// Its name.
        container: String,
    },
    /// Another field names clusters that do not exist.
    NoSuchTarget {
        /// The field.
        field: &'static str,
        /// The names.
        names: Vec<String>,
    },
}

impl Fault {
    /// The reason of the event.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::KindNotServed { .. } => "KindNotServed",
            Self::KindClusterScoped { .. } => "KindClusterScoped",
            Self::KindSkipped { .. } | Self::NamespaceSkipped { .. } | Self::Excluded { .. } => {
                "NeverPropagated"
            }
            Self::NothingSelected => "NothingSelected",
            Self::ClaimedByOthers { .. } => "ClaimedByAnotherPolicy",
            Self::NoClusterFits { .. } => "NoClusterFits",
            Self::NoSuchContainer { .. } => "NoSuchContainer",
            Self::NoSuchCluster { .. } | Self::NoSuchTarget { .. } => "NoSuchCluster",
        }
    }

    /// Whether the fault is likely meant to be so: a policy may come before its objects.
    pub fn is_expected(&self) -> bool {
        *self == Self::NothingSelected
    }
}

/// The faults of a policy; `selected` are objects that its selectors fit.
pub fn faults(spec: &PropagationSpec, facts: Facts<'_>, selected: &[Selected]) -> Vec<Fault> {
    let (mut faults, served) = selector_faults(&spec.resource_selectors, facts);
    if served > 0 {
        faults.extend(selection_fault(selected));
    }
    faults.extend(cluster_fault(spec, facts.clusters));
    faults.extend(target_faults(spec, facts.clusters));
    faults
}

/// The faults of selectors, and the number of those without one.
fn selector_faults(selectors: &[ResourceSelector], facts: Facts<'_>) -> (Vec<Fault>, usize) {
    let mut faults = Vec::new();
    let mut served = 0;
    for (index, selector) in selectors.iter().enumerate() {
        match selector_fault(index, selector, facts) {
            Some(fault) if faults.contains(&fault) => {}
            Some(fault) => faults.push(fault),
            None => served += 1,
        }
    }
    (faults, served)
}

fn selector_fault(index: usize, selector: &ResourceSelector, facts: Facts<'_>) -> Option<Fault> {
    let asked = match selector.api_version.as_str() {
        "" => format!("{} without apiVersion", selector.kind),
        version => format!("{version} {}", selector.kind),
    };
    let version = selector.api_version.parse().unwrap_or_else(|_| GroupVersion::new("", ""));
    let kind = version.kind(&*selector.kind);
    if !selector.api_version.is_empty() && facts.skipped.has_kind(&kind) {
        return Some(Fault::KindSkipped { selector: index, asked });
    }
    let is_served = facts.kinds.iter().any(|served| served.group_kind() == kind.group_kind());
    if selector.api_version.is_empty() || !is_served {
        return Some(Fault::KindNotServed { selector: index, asked, near: near(&kind, facts.kinds) });
    }
    if !facts.namespace.is_empty() && facts.cluster_kinds.contains(&kind.group_kind()) {
        return Some(Fault::KindClusterScoped { selector: index, asked });
    }
    let namespace = if facts.namespace.is_empty() { &selector.namespace } else { facts.namespace };
    let is_skipped = !namespace.is_empty() && facts.skipped.has_namespace(namespace);
    is_skipped.then(|| Fault::NamespaceSkipped { namespace: namespace.to_owned() })
}

fn selection_fault(selected: &[Selected]) -> Option<Fault> {
    let (mut first_lost, mut lost) = (None, 0);
    let mut first_excluded = None;
    for one in selected {
        match &one.standing {
            Ok(Verdict::Loses { to, because }) => {
                lost += 1;
                first_lost.get_or_insert((one.object.clone(), to.clone(), *because));
            }
            Err(reason) => {
                first_excluded.get_or_insert((one.object.clone(), *reason));
            }
            Ok(_) => return None,
        }
    }
    if let Some((object, to, because)) = first_lost {
        return Some(Fault::ClaimedByOthers { object, to, because, count: lost });
    }
    let excluded = first_excluded.map(|(object, reason)| Fault::Excluded { object, reason });
    Some(excluded.unwrap_or(Fault::NothingSelected))
}

fn cluster_fault(spec: &PropagationSpec, clusters: &BTreeSet<String>) -> Option<Fault> {
    let placement = &spec.placement;
    let groups = placement.cluster_affinities.iter().map(|group| &group.affinity);
    let affinities = placement.cluster_affinity.iter().chain(groups);
    let named: BTreeSet<&String> = affinities.flat_map(|affinity| &affinity.cluster_names).collect();
    let names: Vec<String> =
        named.iter().filter(|&&name| !clusters.contains(name)).map(|&name| name.clone()).collect();
    let others_exist = names.len() < named.len();
    (!names.is_empty()).then_some(Fault::NoSuchCluster { names, others_exist })
}

/// Kinds with the same or a similar name.
fn near(asked: &GroupVersionKind, kinds: &[GroupVersionKind]) -> Vec<String> {
    let distance = |kind: &GroupVersionKind| distance(&asked.kind.to_lowercase(), &kind.kind.to_lowercase());
    let mut near: Vec<(usize, String)> = kinds
        .iter()
        .map(|kind| (distance(kind), format!("{} {}", kind.api_version(), kind.kind)))
        .filter(|(distance, _)| *distance <= MAX_DISTANCE)
        .collect();
    near.sort();
    near.into_iter().take(MAX_NEAR).map(|(_, kind)| kind).collect()
}

/// The number of letters to insert, remove or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 0..other.len() {
            let replaced = diagonal + usize::from(letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KindNotServed { selector, asked, near } => {
                write!(
                    f,
                    "spec.resourceSelectors[{selector}] selects nothing: the API server has no kind {asked}"
                )?;
                match near.as_slice() {
                    [] => {
                        f.write_str("; install its CustomResourceDefinition, or correct apiVersion and kind")
                    }
                    near => write!(f, "; did you mean {}?", near.join(" or ")),
                }
            }
            Self::KindClusterScoped { selector, asked } => write!(
                f,
                "spec.resourceSelectors[{selector}] selects nothing: objects of kind {asked} have no namespace, and a policy \
                 in a namespace is only for objects in it; use the kind of policy that begins with Cluster"
            ),
            Self::KindSkipped { selector, asked } => write!(
                f,
                "spec.resourceSelectors[{selector}] selects nothing: objects of kind {asked} are never propagated"
            ),
            Self::NamespaceSkipped { namespace } => write!(
                f,
                "objects in namespace {namespace} are never propagated: it belongs to the control plane, or is in \
                 --skipped-propagating-namespaces; use another namespace"
            ),
            Self::NothingSelected => f.write_str("no object fits a selector of this policy yet"),
            Self::Excluded { object, reason } => {
                write!(f, "the policy has no effect: {object} is not propagated: {reason}")
            }
            Self::ClaimedByOthers { object, to, because, count } => {
                let policy = name(to);
                match count {
                    1 => write!(f, "the policy has no effect: {object} belongs to {policy}, which {because}"),
                    count => write!(
                        f,
                        "the policy has no effect: the {count} objects that it selects belong to other policies; \
                         {object} to {policy}, which {because}"
                    ),
                }
            }
            Self::NoClusterFits { field } => {
                write!(f, "{field} fits no cluster: correct its labels and fields, or those of a cluster")
            }
            Self::NoSuchContainer { container } => write!(
                f,
                "no selected object has a container {container}: correct containerName of commandOverrider and argsOverrider"
            ),
            Self::NoSuchTarget { field, names } => write!(
                f,
                "{field} names clusters that do not exist: {}; correct the names, or join the clusters",
                names.join(", ")
            ),
            Self::NoSuchCluster { names, others_exist } => {
                let names = names.join(", ");
                match others_exist {
                    true => write!(
                        f,
                        "spec.placement names clusters that do not exist: {names}; correct the names"
                    ),
                    false => write!(
                        f,
                        "no object is placed: none of the clusters in spec.placement exists: {names}; correct the \
                         names, or join the clusters"
                    ),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::{ClusterAffinity, Placement};

    use super::*;
    use crate::propagation::detect::NoPreemption;

    fn selector(api_version: &str, kind: &str) -> ResourceSelector {
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        ResourceSelector { api_version, kind, ..ResourceSelector::default() }
    }

    fn says(selectors: &[ResourceSelector], namespace: &str, selected: &[Selected]) -> Vec<String> {
        let kinds = [
            GroupVersionKind::new("apps", "v1", "Deployment"),
            GroupVersionKind::new("", "v1", "ConfigMap"),
            GroupVersionKind::new("", "v1", "Secret"),
            GroupVersionKind::new("rbac.authorization.k8s.io", "v1", "ClusterRole"),
        ];
        let cluster_kinds = BTreeSet::from([kinds[3].group_kind()]);
        let clusters = BTreeSet::from(["eu".to_owned()]);
        let skipped = Skipped::default();
        let facts = Facts {
            namespace,
            kinds: &kinds,
            cluster_kinds: &cluster_kinds,
            clusters: &clusters,
            skipped: &skipped,
        };
        let spec = PropagationSpec { resource_selectors: selectors.to_vec(), ..PropagationSpec::default() };
        faults(&spec, facts, selected).iter().map(ToString::to_string).collect()
    }

    fn selected(standing: Result<Verdict, Exclusion>) -> Selected {
        Selected { object: "Deployment shop/web".to_owned(), standing }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn faults_name_cause_and_cure() {
        let holds = || selected(Ok(Verdict::Holds));
        let deployments = || selector("apps/v1", "Deployment");
        let loses = selected(Ok(Verdict::Loses {
            to: ObjectKey::namespaced("shop", "other"),
            because: Advantage::Claim(NoPreemption::Never),
        }));
        let cases = [
            (vec![deployments()], "shop", vec![holds()], vec![]),
            (vec![deployments()], "shop", vec![], vec!["no object fits a selector of this policy yet"]),
            (
                vec![selector("apps/v1", "Deploymnet"), deployments()],
                "shop",
                vec![holds()],
                vec![
                    "selects nothing: the API server has no kind apps/v1 Deploymnet; did you mean apps/v1 Deployment?",
                ],
            ),
            (
                vec![selector("", "Secret"), selector("v1", "Deployment")],
                "shop",
                vec![],
                vec![
                    "no kind Secret without apiVersion; did you mean v1 Secret?",
                    "did you mean apps/v1 Deployment?",
                ],
            ),
            (
                vec![selector("example.com/v1", "Widget")],
                "shop",
                vec![],
                vec!["no kind example.com/v1 Widget; install its CustomResourceDefinition"],
            ),
            (
                vec![selector("rbac.authorization.k8s.io/v1", "ClusterRole")],
                "shop",
                vec![],
                vec![
                    "ClusterRole have no namespace, and a policy in a namespace is only for objects in it; use",
                ],
            ),
            (
                vec![selector("rbac.authorization.k8s.io/v1", "ClusterRole")],
                "",
                vec![],
                vec!["no object fits a selector of this policy yet"],
            ),
            (
                vec![selector("v1", "Event")],
                "shop",
                vec![],
                vec!["objects of kind v1 Event are never propagated"],
            ),
            (
                vec![deployments()],
                "kube-system",
                vec![],
                vec!["objects in namespace kube-system are never propagated"],
            ),
            (
                vec![deployments()],
                "shop",
                vec![loses.clone()],
                vec![
                    "the policy has no effect: Deployment shop/web belongs to PropagationPolicy shop/other, which claimed \
                     it before: set `preemption: Always` to take it",
                ],
            ),
            (vec![deployments()], "shop", vec![loses, holds()], vec![]),
            (
                vec![deployments()],
                "shop",
                vec![selected(Err(Exclusion::InEveryCluster))],
                vec!["Deployment shop/web is not propagated: every cluster makes its own"],
            ),
        ];
        for (selectors, namespace, selected, want) in cases {
            let said = says(&selectors, namespace, &selected);
            assert_eq!(said.len(), want.len(), "{said:?}");
            for (said, want) in said.iter().zip(want) {
                assert!(said.contains(want), "{said:?} lacks {want:?}");
            }
        }
    }

    #[test]
    fn clusters_that_do_not_exist_are_named() {
        let clusters = BTreeSet::from(["eu".to_owned()]);
        let cases = [
            (vec!["eu"], None),
            (
                vec!["eu", "sa"],
                Some("spec.placement names clusters that do not exist: sa; correct the names"),
            ),
            (vec!["sa"], Some("no object is placed: none of the clusters in spec.placement exists: sa")),
        ];
        for (names, want) in cases {
            let cluster_names = names.into_iter().map(str::to_owned).collect();
            let affinity = ClusterAffinity { cluster_names, ..ClusterAffinity::default() };
            let placement = Placement { cluster_affinity: Some(affinity), ..Placement::default() };
            let spec = PropagationSpec { placement, ..PropagationSpec::default() };
            let said = cluster_fault(&spec, &clusters).map(|fault| fault.to_string());
            match (want, said) {
                (None, None) => {}
                (Some(want), Some(said)) => assert!(said.starts_with(want), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
