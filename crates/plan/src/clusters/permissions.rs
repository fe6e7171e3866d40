//! The rights that the control plane and its agent need in a cluster, from what is placed there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use portolan_api::conditions::cluster::{FORBIDDEN, RIGHTS_GRANTED, RIGHTS_MISSING};
use portolan_api::meta::{Condition, condition};
use portolan_api::names;
use serde_json::{Value, json};

/// A resource without its version; written as `deployments.apps`, or `configmaps` of the core group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupResource {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural of the kind.
    pub resource: String,
}

impl GroupResource {
    /// A resource of a group.
    pub fn new(group: &str, resource: &str) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned() }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.resource),
            group => write!(f, "{}.{group}", self.resource),
        }
    }
}

/// What may be placed in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeable {
    /// Every kind.
    Everything,
    /// These resources.
    Only(BTreeSet<GroupResource>),
}

impl Default for Placeable {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl FromIterator<Self> for Placeable {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), |sum, next| match (sum, next) {
            (Self::Only(mut sum), Self::Only(next)) => {
                sum.extend(next);
                Self::Only(sum)
            }
            _ => Self::Everything,
        })
    }
}

impl FromStr for Placeable {
    type Err = String;

    /// Reads `RESOURCE.GROUP`, or `*` for everything.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        let is_word = |word: &str| {
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        };
        if resource.is_empty() || !is_word(resource) || !is_word(group) {
            return Err(format!(
                "{text:?} is no resource: RESOURCE.GROUP such as deployments.apps, or configmaps"
            ));
        }
        Ok(Self::Only([GroupResource::new(group, resource)].into()))
    }
}

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
const RBAC: &str = "rbac.authorization.k8s.io";
const ROLES: [&str; 2] = ["clusterroles", "clusterrolebindings"];

/// What policies with `propagateDeps` place together with a workload.
pub fn dependencies() -> impl Iterator<Item = GroupResource> {
    let core = ["configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "services"];
    core.into_iter().map(|resource| GroupResource::new("", resource))
}

/// The rules of a ClusterRole that allows everything.
pub fn everything() -> Vec<Value> {
    vec![
        json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }),
        json!({ "nonResourceURLs": ["*"], "verbs": ["get"] }),
    ]
}

/// Resources that a condition names, at most.
const MAX_NAMED: usize = 10;

/// The condition `RightsMissing`, with the resources of placed objects that may not be read in `cluster`. `None` if it says
/// nothing new: a cluster in which nothing ever was missing has no such condition.
pub fn rights_condition(
    conditions: &[Condition],
    cluster: &str,
    missing: &BTreeSet<GroupResource>,
    now: &str,
) -> Option<Condition> {
    let before = condition(conditions, RIGHTS_MISSING);
    let condition = if missing.is_empty() {
        before.filter(|before| before.is_true())?;
        Condition::new(RIGHTS_MISSING, false, RIGHTS_GRANTED, "what is placed can be read and written", now)
    } else {
        let mut named: Vec<String> = missing.iter().take(MAX_NAMED).map(ToString::to_string).collect();
        if missing.len() > MAX_NAMED {
            named.push(format!("{} more", missing.len() - MAX_NAMED));
        }
        let message = format!(
            "policies place what the account of the control plane there (of the agent, in pull mode) has no rights for: {}; \
             `portolan cluster permissions {cluster} --apply --cluster-kubeconfig FILE` grants them",
            named.join(", ")
        );
        Condition::new(RIGHTS_MISSING, true, FORBIDDEN, message, now)
    };
    let is_new = before.is_none_or(|before| {
        (before.is_true(), &before.message) != (condition.is_true(), &condition.message)
    });
    is_new.then_some(condition)
}

/// The rules of a ClusterRole for the account of the control plane in `cluster`: what it needs itself, and all writes of
/// `placed`.
pub fn needed(cluster: &str, placed: &BTreeSet<GroupResource>) -> Vec<Value> {
    with_writes(own_needs(cluster), placed)
}

/// The rules of a ClusterRole for the agent of a cluster in pull mode: what it needs itself, and all writes of what may be
/// placed.
pub fn needed_by_agent(placeable: &Placeable) -> Vec<Value> {
    match placeable {
        Placeable::Everything => everything(),
        Placeable::Only(placed) => with_writes(needs_of_agent(), placed),
    }
}

/// The rules of a Role for the agent in its own namespace: it replaces its credential for the control plane.
pub fn credential_of_agent() -> Vec<Value> {
    vec![named("", &["secrets"], json!([names::AGENT_KUBECONFIG]), &["get", "list", "watch", "patch"])]
}

/// Adds all writes of `placed`. An account that writes roles with rights that it does not have needs the verbs `escalate`
/// and `bind`.
fn with_writes(mut rules: Vec<Value>, placed: &BTreeSet<GroupResource>) -> Vec<Value> {
    let groups: BTreeSet<&str> = placed.iter().map(|one| one.group.as_str()).collect();
    for group in groups {
        let of_group = placed.iter().filter(|one| one.group == group);
        let resources: Vec<&str> = of_group.map(|one| one.resource.as_str()).collect();
        let granting: &[&str] = if group == RBAC { &["escalate", "bind"] } else { &[] };
        let verbs: Vec<&str> = WRITE.iter().chain(granting).copied().collect();
        rules.push(rule(group, &resources, &verbs));
    }
    rules
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}

fn named(group: &str, resources: &[&str], names: Value, verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs })
}

/// What health, capacity, discovery, cluster sets, renewal of tokens and leaving need.
fn own_needs(cluster: &str) -> Vec<Value> {
    let role = names::cluster_role(cluster);
    let accounts = [names::service_account(cluster), names::IMPERSONATOR.to_owned()];
    let admission = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    let mut rules = vec![
        rule("", &["namespaces", "services"], &WRITE),
        rule("", &["nodes", "pods", "resourcequotas", "serviceaccounts"], &READ),
        // What `portolan tree` shows below a workload.
        rule("apps", &["*"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &WRITE),
        rule("multicluster.x-k8s.io", &["*"], &WRITE),
        rule("about.k8s.io", &["*"], &WRITE),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &WRITE),
        rule("admissionregistration.k8s.io", &admission, &WRITE),
        named(RBAC, &ROLES, json!([role]), &["patch", "delete"]),
        named("", &["serviceaccounts/token"], json!(accounts), &["create"]),
        named("", &["serviceaccounts"], json!(accounts), &["patch", "delete"]),
    ];
    rules.extend(shared_needs());
    rules
}

/// What health, capacity, DNS and leaving need. Cluster sets are in the hands of the control plane.
fn needs_of_agent() -> Vec<Value> {
    let mut rules = vec![
        rule("", &["namespaces"], &WRITE),
        rule("", &["nodes", "pods", "resourcequotas", "services"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &READ),
        rule("multicluster.x-k8s.io", &["*"], &READ),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &READ),
    ];
    rules.extend(shared_needs());
    rules
}

/// What the control plane needs in push mode and the agent in pull mode: health, Leases, and the role of the impersonator.
fn shared_needs() -> [Value; 5] {
    [
        rule("coordination.k8s.io", &["leases"], &WRITE),
        rule(RBAC, &ROLES, &READ),
        rule(RBAC, &ROLES, &["create"]),
        named(RBAC, &ROLES, json!([names::IMPERSONATOR]), &["update", "patch", "delete", "escalate", "bind"]),
        json!({ "nonResourceURLs": ["*"], "verbs": ["get"] }),
    ]
}

#[cfg(test)]
mod tests;
