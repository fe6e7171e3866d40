//! PersistentVolumes: the phase of one, and its end (kubernetes pkg/controller/volume/persistentvolume, syncVolume).

use portolan_api::kubernetes::View;
use portolan_api::resources::{self, StaticResource};
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::{Value, json};

/// Name of the provisioner that made a volume.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// A volume as its controller reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VolumeView<'a> {
    #[serde(borrow)]
    pub(super) spec: VolumeSpec<'a>,
    #[serde(borrow)]
    pub(super) status: PhaseView<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct VolumeSpec<'a> {
    pub(super) storage_class_name: &'a str,
    pub(super) volume_mode: &'a str,
    pub(super) access_modes: Vec<&'a str>,
    pub(super) capacity: Storage<'a>,
    pub(super) persistent_volume_reclaim_policy: &'a str,
    #[serde(borrow)]
    pub(super) claim_ref: Option<ClaimReference<'a>>,
}

/// The amount of storage in a list of resources.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Storage<'a> {
    pub(super) storage: &'a str,
}

/// The claim of a volume.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ClaimReference<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// Empty when a user has written the reference, for a claim that is still to come.
    pub(super) uid: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PhaseView<'a> {
    pub(super) phase: &'a str,
}

impl<'a> View<'a> for VolumeView<'a> {
    const RESOURCE: StaticResource = resources::PERSISTENT_VOLUME;
}

impl ClaimReference<'_> {
    /// Whether the reference is to this claim, or to one of its name that is still to come.
    pub(super) fn is_for(&self, claim: &Object) -> bool {
        let is_name = self.namespace == claim.namespace() && self.name == claim.name();
        is_name && (self.uid.is_empty() || self.uid == claim.uid())
    }
}

/// The next step for a volume.
#[derive(Debug, Clone, PartialEq)]
pub enum VolumeStep {
    /// Nothing is to be done.
    None,
    /// Delete it: its claim is gone, and its policy says so.
    Delete,
    /// Write the status.
    Status(Value),
}

/// The claim that a volume names.
pub fn claim_of(volume: &Object) -> Option<ObjectKey> {
    let view = VolumeView::read(volume).unwrap_or_default();
    view.spec.claim_ref.map(|claim| ObjectKey::namespaced(claim.namespace, claim.name))
}

/// Decides the next step. `claim` is the one that the volume names, if there is one; `provisioner` is the name under which
/// this cluster makes and deletes volumes.
pub fn plan(volume: &Object, claim: Option<&Object>, provisioner: &str) -> VolumeStep {
    if volume.is_deleting() {
        return VolumeStep::None;
    }
    let view = VolumeView::read(volume).unwrap_or_default();
    let phase = match (&view.spec.claim_ref, claim) {
        (None, _) => "Available",
        (Some(reference), None) if reference.uid.is_empty() => "Available",
        (Some(reference), Some(claim)) if reference.is_for(claim) => {
            let is_bound = claim.str_at(&["spec", "volumeName"]) == volume.name();
            // Bound once both sides say so.
            if is_bound && !reference.uid.is_empty() { "Bound" } else { "Available" }
        }
        (Some(_), _) => "Released",
    };
    let is_ours = volume.annotation(PROVISIONED_BY) == Some(provisioner);
    if phase == "Released" && is_ours && view.spec.persistent_volume_reclaim_policy == "Delete" {
        return VolumeStep::Delete;
    }
    if view.status.phase == phase { VolumeStep::None } else { VolumeStep::Status(json!({ "phase": phase })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(claim_uid: Option<&str>, policy: &str, phase: &str) -> Object {
        let mut volume = Object(json!({ "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": { "name": "pv", "annotations": { PROVISIONED_BY: "local" } },
            "spec": { "persistentVolumeReclaimPolicy": policy }, "status": { "phase": phase } }));
        if let Some(uid) = claim_uid {
            volume.0["spec"]["claimRef"] = json!({ "namespace": "shop", "name": "data", "uid": uid });
        }
        volume
    }

    #[test]
    fn plans() {
        let claim = Object(json!({ "metadata": { "name": "data", "namespace": "shop", "uid": "1" },
            "spec": { "volumeName": "pv" } }));
        let status = |phase: &str| VolumeStep::Status(json!({ "phase": phase }));
        let cases = [
            ("free", volume(None, "Retain", "Pending"), None, status("Available")),
            ("kept for a claim to come", volume(Some(""), "Retain", "Pending"), None, status("Available")),
            ("bound", volume(Some("1"), "Delete", "Pending"), Some(&claim), status("Bound")),
            ("settled", volume(Some("1"), "Delete", "Bound"), Some(&claim), VolumeStep::None),
            ("its claim is gone", volume(Some("1"), "Delete", "Bound"), None, VolumeStep::Delete),
            ("another has its name", volume(Some("0"), "Delete", "Bound"), Some(&claim), VolumeStep::Delete),
            ("kept by its policy", volume(Some("1"), "Retain", "Bound"), None, status("Released")),
        ];
        for (name, volume, claim, want) in cases {
            assert_eq!(plan(&volume, claim, "local"), want, "{name}");
        }
        let foreign = volume(Some("1"), "Delete", "Bound");
        assert_eq!(plan(&foreign, None, "another"), status("Released"), "made by another provisioner");
    }
}
