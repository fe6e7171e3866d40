//! The hub's objects that decide about a template, at one moment.
//!
//! The controllers have them in caches. Commands read them once, and give them to the same functions.

use portolan_api::cluster::Cluster;
use portolan_api::config::{ResourceInterpreterCustomization, ResourceInterpreterWebhookConfiguration};
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{OverrideSpec, PropagationSpec};
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus, TargetCluster, Work};
use portolan_object::{GroupVersion, GroupVersionKind, Object};
use serde::{Deserialize, Serialize};

use super::binding;
use super::detect::Candidate;
use super::overrides::{self, OverrideError};
use super::replicas::demand;
use super::reschedule::View;
use super::schedule::{Estimates, Peers, Placed, PlacementError, Request, schedule};
use super::work::{Input, build, revised};

/// A PropagationPolicy or ClusterPropagationPolicy; the latter has no namespace.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: PropagationSpec,
}

/// An OverridePolicy or ClusterOverridePolicy; the latter has no namespace.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Override {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: OverrideSpec,
}

/// A ResourceBinding or ClusterResourceBinding; the latter has no namespace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: ResourceBindingSpec,
    /// Its status.
    pub status: ResourceBindingStatus,
}

impl Binding {
    /// The binding as the functions of `reschedule` take it.
    pub fn view(&self) -> View<'_> {
        View { metadata: &self.metadata, spec: &self.spec, status: &self.status }
    }

    /// The kind of its template.
    pub fn template_kind(&self) -> GroupVersionKind {
        let reference = &self.spec.resource;
        let version = reference.api_version.parse().unwrap_or_else(|_| GroupVersion::new("", ""));
        version.kind(&*reference.kind)
    }
}

impl Policy {
    /// `PropagationPolicy shop/web` or `ClusterPropagationPolicy web`.
    pub fn title(&self) -> String {
        policy_title(&self.metadata)
    }
}

/// `PropagationPolicy shop/web` or `ClusterPropagationPolicy web`.
pub fn policy_title(policy: &ObjectMeta) -> String {
    let kind = if policy.namespace.is_empty() { "ClusterPropagationPolicy" } else { "PropagationPolicy" };
    format!("{kind} {}", policy.key())
}

/// Whether a customised interpreter may handle a kind.
pub fn is_customised(
    kind: &GroupVersionKind,
    scripts: &[ResourceInterpreterCustomization],
    webhooks: &[ResourceInterpreterWebhookConfiguration],
) -> bool {
    let target = |one: &ResourceInterpreterCustomization| {
        one.spec.target.kind == kind.kind && one.spec.target.api_version == kind.api_version()
    };
    let has = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
    let mut rules = webhooks.iter().flat_map(|one| &one.webhooks).flat_map(|webhook| &webhook.rules);
    scripts.iter().any(target)
        || rules.any(|rule| has(&rule.kinds, &kind.kind) && has(&rule.api_groups, &kind.group))
}

/// The candidates of a template: policies of its namespace, and cluster-wide ones.
pub fn candidates<'a>(policies: &'a [Policy], namespace: &str) -> (Vec<Candidate<'a>>, Vec<Candidate<'a>>) {
    let of = |wanted: &str| {
        let found = policies.iter().filter(|policy| policy.metadata.namespace == wanted);
        found.map(|policy| Candidate { metadata: &policy.metadata, spec: &policy.spec }).collect()
    };
    let namespaced = if namespace.is_empty() { Vec::new() } else { of(namespace) };
    (namespaced, of(""))
}

/// The spec of a binding by the built-in rules: the fields of template and policy over the `old` spec.
pub fn binding_spec(
    template: &Object,
    policy: &PropagationSpec,
    old: Option<&ResourceBindingSpec>,
) -> ResourceBindingSpec {
    // The PriorityClass is not in the snapshot.
    let priority = old.and_then(|old| old.schedule_priority.as_ref()).map(|one| one.priority);
    binding::spec(template, policy, &demand(template), priority, old)
}

/// Chooses the clusters of a binding as the scheduler does now, without the room in the clusters and the workloads of
/// its affinity groups; see [`depends_on_more`].
///
/// # Errors
/// As [`schedule`].
pub fn place(binding: View<'_>, clusters: &[&Cluster]) -> Result<Placed, PlacementError> {
    let estimates = Estimates::default();
    let request = Request::of(binding, &estimates, Peers::default()).ok_or(PlacementError::NoPlacement)?;
    schedule(&request, clusters)
}

/// Whether the clusters of a binding depend on more than the hub's policies and clusters: on the room in the clusters, or
/// on workloads of its affinity groups.
pub fn depends_on_more(spec: &ResourceBindingSpec) -> bool {
    use portolan_api::policy::ReplicaDivisionPreference::Aggregated;
    let Some(placement) = &spec.placement else { return false };
    let scheduling = placement.replica_scheduling.as_ref();
    let by_room = scheduling.is_some_and(|scheduling| {
        scheduling.replica_division_preference == Some(Aggregated)
            || scheduling.weight_preference.as_ref().is_some_and(|weights| weights.dynamic_weight.is_some())
    });
    let is_workload = spec.replicas > 0 || !spec.components.is_empty();
    spec.workload_affinity_groups.is_some()
        || is_workload && (by_room || !placement.spread_constraints.is_empty() || !spec.components.is_empty())
}

/// The Work of one target as the controllers make it now; `present` is the Work that there is.
///
/// # Errors
/// The first override policy that cannot be applied.
pub fn work_of(
    template: &Object,
    binding: View<'_>,
    overrides: &[Override],
    target: &TargetCluster,
    cluster: &Cluster,
    present: Option<&Work>,
) -> Result<Work, OverrideError> {
    let of = |wanted: &str| -> Vec<overrides::Policy<'_>> {
        let found = overrides.iter().filter(|one| one.metadata.namespace == wanted);
        found.map(|one| overrides::Policy { metadata: &one.metadata, spec: &one.spec }).collect()
    };
    let namespaced = if template.namespace().is_empty() { Vec::new() } else { of(template.namespace()) };
    let input = Input {
        template,
        binding: binding.metadata,
        spec: binding.spec,
        cluster_overrides: &of(""),
        overrides: &namespaced,
    };
    build(&input, revised(template, binding.spec, target), target, cluster, present, "")
}
