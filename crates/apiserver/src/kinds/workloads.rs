//! Resources that run and scale pods: `apps`, `batch`, `autoscaling`, `policy`.

use super::{BuiltinResource, Generation, NameRule, Subresource};

/// A namespaced kind whose generation follows its spec, shown by `get all`.
const fn workload(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
) -> BuiltinResource {
    BuiltinResource::new(group, "v1", kind, plural)
        .singular(singular)
        .namespaced()
        .category(&["all"])
        .generation(Generation::Spec)
}

const AUTOSCALER_PARTS: &[Subresource] = &[Subresource::status("HorizontalPodAutoscaler")];

const fn autoscaler(version: &'static str) -> BuiltinResource {
    BuiltinResource::new("autoscaling", version, "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .singular("horizontalpodautoscaler")
        .namespaced()
        .short(&["hpa"])
        .category(&["all"])
        .generation(Generation::Spec)
        .parts(AUTOSCALER_PARTS)
}

pub(super) const RESOURCES: &[BuiltinResource] = &[
    BuiltinResource::new("apps", "v1", "ControllerRevision", "controllerrevisions")
        .singular("controllerrevision")
        .namespaced(),
    workload("apps", "DaemonSet", "daemonsets", "daemonset")
        .short(&["ds"])
        .parts(&[Subresource::status("DaemonSet")]),
    workload("apps", "Deployment", "deployments", "deployment")
        .short(&["deploy"])
        .generation(Generation::SpecAndAnnotations)
        .parts(&[Subresource::scale(), Subresource::status("Deployment")]),
    workload("apps", "ReplicaSet", "replicasets", "replicaset")
        .short(&["rs"])
        .parts(&[Subresource::scale(), Subresource::status("ReplicaSet")]),
    // Pods are named after the set, and a pod's name becomes a host name.
    workload("apps", "StatefulSet", "statefulsets", "statefulset")
        .short(&["sts"])
        .names(NameRule::Label)
        .parts(&[Subresource::scale(), Subresource::status("StatefulSet")]),
    autoscaler("v2"),
    autoscaler("v1"),
    // The controller appends a dash and ten digits, and the job's name becomes a label value of 63 characters.
    workload("batch", "CronJob", "cronjobs", "cronjob")
        .short(&["cj"])
        .names(NameRule::ShortSubdomain(52))
        .parts(&[Subresource::status("CronJob")]),
    workload("batch", "Job", "jobs", "job").parts(&[Subresource::status("Job")]),
    BuiltinResource::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
        .singular("poddisruptionbudget")
        .namespaced()
        .short(&["pdb"])
        .names(NameRule::PathSegment)
        .generation(Generation::Spec)
        .update_requires_version()
        .parts(&[Subresource::status("PodDisruptionBudget")]),
];
