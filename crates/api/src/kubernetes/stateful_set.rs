//! `apps/v1` StatefulSet.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSet<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: StatefulSetSpec<'a>,
    /// Counters, revisions and conditions.
    pub status: StatefulSetStatus<'a>,
}

/// `spec` of a StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetSpec<'a> {
    /// Desired pods; one if absent.
    pub replicas: Option<i64>,
    /// Headless Service that names the pods in DNS.
    pub service_name: &'a str,
    /// `OrderedReady` or `Parallel`.
    pub pod_management_policy: &'a str,
    /// Numbers of the pods.
    pub ordinals: StatefulSetOrdinals,
    /// How pods of the old template are replaced.
    #[serde(borrow)]
    pub update_strategy: StatefulSetUpdateStrategy<'a>,
    /// Old ControllerRevisions to keep; ten if absent.
    pub revision_history_limit: Option<u32>,
    /// Volumes that each pod needs.
    pub volume_claim_templates: Vec<VolumeClaimTemplate<'a>>,
    /// When the claims of these volumes go.
    pub persistent_volume_claim_retention_policy: ClaimRetention<'a>,
}

/// `spec.ordinals` of a StatefulSet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetOrdinals {
    /// Number of the first pod.
    pub start: i64,
}

/// `spec.updateStrategy` of a StatefulSet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetUpdateStrategy<'a> {
    /// `type`: `RollingUpdate` or `OnDelete`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Limits of a rolling update.
    pub rolling_update: StatefulSetRollingUpdate,
}

/// `spec.updateStrategy.rollingUpdate` of a StatefulSet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetRollingUpdate {
    /// Pods below this number keep the old template.
    pub partition: i64,
}

/// `spec.persistentVolumeClaimRetentionPolicy` of a StatefulSet: `Retain` or `Delete`; retained if absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimRetention<'a> {
    /// When the set is deleted.
    pub when_deleted: &'a str,
    /// When a pod goes because the set has fewer replicas.
    pub when_scaled: &'a str,
}

/// One entry of `spec.volumeClaimTemplates` of a StatefulSet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeClaimTemplate<'a> {
    /// Its metadata.
    #[serde(borrow)]
    pub metadata: VolumeClaimMetadata<'a>,
}

/// `metadata` of a volume claim template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeClaimMetadata<'a> {
    /// Name.
    pub name: &'a str,
}

/// `status` of a StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetStatus<'a> {
    /// The generation that the status is about.
    pub observed_generation: i64,
    /// Pods of the new template.
    pub updated_replicas: i64,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: i64,
    /// ControllerRevision of the old template.
    pub current_revision: &'a str,
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> for StatefulSet<'a> {
    const RESOURCE: StaticResource = resources::STATEFUL_SET;
}
