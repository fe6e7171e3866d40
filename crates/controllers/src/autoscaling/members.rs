//! Pods, metrics and replicas of one workload in the members.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use portolan_api::resources;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::autoscaling::{PodId, PodSample, Usage, read};
use portolan_runtime::client::Selection;
use portolan_runtime::members::Health;
use portolan_runtime::{ClientError, ClusterName, Member, Resource};

use super::scale::replicas;
use crate::hub::Hub;

/// Time for all answers of one member.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the members that answer have.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Sum of `spec.replicas`.
    pub(super) replicas: i32,
    /// Pods of all members.
    pub(super) pods: Vec<PodSample>,
    /// Metrics of these pods.
    pub(super) usage: BTreeMap<PodId, Usage>,
    /// Why members have no part in this.
    pub(super) failures: Vec<String>,
    /// Why metrics of members are missing.
    pub(super) metric_failures: Vec<String>,
}

/// The part of one member.
struct Part {
    replicas: i32,
    pods: Vec<PodSample>,
    usage: Result<BTreeMap<PodId, Usage>, String>,
}

/// Why a member has no part.
#[derive(Debug, thiserror::Error)]
enum PartError {
    #[error("it is not ready")]
    NotReady,
    #[error("it does not serve {0}")]
    NotServed(GroupVersionKind),
    #[error("its object has no selector in the scale subresource")]
    NoSelector,
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Asks all clusters at the same time.
pub(super) async fn ask(hub: &Hub, clusters: &[String], kind: &GroupVersionKind, key: &ObjectKey) -> Answers {
    let asked = clusters.iter().map(|cluster| async move {
        let member = hub.members.get(&ClusterName::new(cluster.as_str()));
        let answer = tokio::time::timeout(TIMEOUT, ask_member(member, cluster, kind, key)).await;
        (cluster, answer.unwrap_or(Err(PartError::Timeout)))
    });
    let mut answers = Answers::default();
    for (cluster, answer) in join_all(asked).await {
        match answer {
            Ok(part) => {
                answers.replicas = answers.replicas.saturating_add(part.replicas);
                answers.pods.extend(part.pods);
                match part.usage {
                    Ok(usage) => answers.usage.extend(usage),
                    Err(failure) => answers.metric_failures.push(format!("cluster {cluster}: {failure}")),
                }
            }
            Err(error) => answers.failures.push(format!("cluster {cluster}: {error}")),
        }
    }
    answers
}

async fn ask_member(
    member: Option<Arc<Member>>,
    cluster: &str,
    kind: &GroupVersionKind,
    key: &ObjectKey,
) -> Result<Part, PartError> {
    let member = member.filter(|member| member.health() == Health::Ready).ok_or(PartError::NotReady)?;
    let resource = member.resource(kind).ok_or_else(|| PartError::NotServed(kind.clone()))?;
    let scale = member.client().resource::<Object>(&resource).scale(key).await?;
    let selector = scale.str_at(&["status", "selector"]);
    if selector.is_empty() {
        return Err(PartError::NoSelector);
    }
    let selection = Selection { namespace: key.namespace.clone(), ..Selection::labels(selector) };
    let listed = member.client().resource::<Object>(&resources::POD.into()).list(&selection).await?;
    let pods = listed.items.iter().filter_map(|pod| match read::pod(cluster, &pod.object) {
        Ok(pod) => Some(pod),
        Err(error) => {
            tracing::debug!(cluster, %error, "a pod cannot be read");
            None
        }
    });
    let pods = pods.collect();
    let usage = metrics(&member, cluster, &selection).await;
    Ok(Part { replicas: replicas(&scale), pods, usage })
}

/// The metrics of the pods of a member.
async fn metrics(
    member: &Member,
    cluster: &str,
    selection: &Selection,
) -> Result<BTreeMap<PodId, Usage>, String> {
    let gvk = GroupVersionKind::new("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = Resource { gvk, plural: "pods".to_owned(), namespaced: true };
    match member.client().resource::<Object>(&resource).list(selection).await {
        Ok(listed) => {
            let found = listed.items.iter();
            Ok(found.filter_map(|metrics| read::usage(cluster, &metrics.object)).collect())
        }
        Err(error) if error.is_not_found() => {
            Err("it serves no metrics.k8s.io/v1beta1: install metrics-server there".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}
