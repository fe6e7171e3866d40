//! Kinds of other projects (karmada pkg/resourceinterpreter/default/thirdparty).
//!
//! Their definitions are not part of this program, so the hooks read fields by path. Where a formula of Karmada takes the
//! current time, these take the newest time that the members report, so that the same reports give the same status.

mod combine;
mod flink_deployment;
mod flux;
mod kruise;
mod kubeflow;
mod kyverno;
mod pod_groups;
mod ray;
mod spark_application;
mod volcano_job;
mod workflow;

#[cfg(test)]
mod tests;

use super::Interpreter;

/// All of them.
pub(super) const ALL: &[Interpreter] = &[
    kruise::CLONE_SET,
    kruise::STATEFUL_SET,
    kruise::DAEMON_SET,
    kruise::UNITED_DEPLOYMENT,
    kruise::BROADCAST_JOB,
    kruise::ADVANCED_CRON_JOB,
    kruise::SIDECAR_SET,
    workflow::INTERPRETER,
    volcano_job::INTERPRETER,
    flink_deployment::INTERPRETER,
    flux::HELM_RELEASE,
    flux::KUSTOMIZATION,
    flux::GIT_REPOSITORY,
    flux::BUCKET,
    flux::HELM_CHART,
    flux::HELM_REPOSITORY,
    flux::OCI_REPOSITORY,
    kubeflow::NOTEBOOK,
    kubeflow::PYTORCH_JOB,
    kubeflow::TF_JOB,
    kubeflow::MPI_JOB,
    kyverno::CLUSTER_POLICY,
    kyverno::POLICY,
    ray::RAY_CLUSTER,
    ray::RAY_JOB,
    ray::RAY_SERVICE,
    spark_application::INTERPRETER,
];
