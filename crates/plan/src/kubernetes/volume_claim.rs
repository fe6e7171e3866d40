//! PersistentVolumeClaims: the volume of one, found or made (kubernetes pkg/controller/volume/persistentvolume, syncClaim).
//!
//! ```text
//! claim ─► class (the default one) ─► volume: named, of this claim already, the smallest that fits, or a new one
//!       ─► claimRef of the volume ─► volumeName of the claim ─► status
//! ```
//!
//! Every step is a write; the event of a write leads to the next pass.

use std::cmp::Reverse;

use portolan_api::kubernetes::View;
use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use portolan_object::quantity::Quantity;
use portolan_object::selector::LabelSelector;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::persistent_volume::{PROVISIONED_BY, PhaseView, Storage, VolumeView};

/// Marks the class of claims that name none.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";

/// One write, or one message.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimStep {
    /// Merge this into the claim.
    Claim(Value),
    /// Write the status of the claim.
    Status(Value),
    /// Merge this into the volume of this name.
    Volume(String, Value),
    /// Make a volume.
    Provision(Object),
    /// Say why the claim waits.
    Wait(Waiting),
}

/// Why a claim has no volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// No volume fits, and no class makes one.
    NoVolume,
    /// Its class makes volumes for pods.
    Consumer,
    /// Another program makes volumes of its class.
    Provisioner,
    /// The class that it names does not exist.
    Class,
}

/// The rest of the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Storages<'a> {
    /// All volumes.
    pub volumes: &'a [&'a Object],
    /// All classes.
    pub classes: &'a [&'a Object],
    /// Name under which this cluster makes volumes.
    pub provisioner: &'a str,
    /// Directory of the volumes that it makes.
    pub directory: &'a str,
    /// Whether a pod with a node uses the claim.
    pub has_consumer: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClaimView<'a> {
    #[serde(borrow)]
    spec: ClaimSpec<'a>,
    #[serde(borrow)]
    status: PhaseView<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClaimSpec<'a> {
    storage_class_name: Option<&'a str>,
    volume_name: &'a str,
    volume_mode: &'a str,
    access_modes: Vec<&'a str>,
    selector: Option<Value>,
    #[serde(borrow)]
    resources: Requests<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requests<'a> {
    #[serde(borrow)]
    requests: Storage<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClassView<'a> {
    provisioner: &'a str,
    reclaim_policy: &'a str,
    volume_binding_mode: &'a str,
}

impl<'a> View<'a> for ClaimView<'a> {
    const RESOURCE: StaticResource = resources::PERSISTENT_VOLUME_CLAIM;
}

impl<'a> View<'a> for ClassView<'a> {
    const RESOURCE: StaticResource = resources::STORAGE_CLASS;
}

/// The writes that bring a claim closer to its volume.
pub fn plan(claim: &Object, storages: &Storages<'_>) -> Vec<ClaimStep> {
    if claim.is_deleting() {
        return Vec::new();
    }
    let view = ClaimView::read(claim).unwrap_or_default();
    if !view.spec.volume_name.is_empty() {
        let named = storages.volumes.iter().find(|volume| volume.name() == view.spec.volume_name);
        return match named {
            Some(volume) if can_have(volume, claim) => bind(claim, &view, volume),
            // A volume that was lost does not come back with its data.
            None if view.status.phase == "Bound" => vec![ClaimStep::Status(json!({ "phase": "Lost" }))],
            _ => Vec::new(),
        };
    }
    if let Some(volume) =
        own(claim, storages.volumes).or_else(|| smallest(&view.spec, claim, storages.volumes))
    {
        return bind(claim, &view, volume);
    }
    let Some(class) = view.spec.storage_class_name else {
        let default = default_class(storages.classes);
        return vec![default.map_or(ClaimStep::Wait(Waiting::NoVolume), |class| {
            ClaimStep::Claim(json!({ "spec": { "storageClassName": class.name() } }))
        })];
    };
    if class.is_empty() {
        return vec![ClaimStep::Wait(Waiting::NoVolume)];
    }
    vec![match storages.classes.iter().find(|known| known.name() == class) {
        None => ClaimStep::Wait(Waiting::Class),
        Some(class) => provision(claim, &view.spec, class, storages),
    }]
}

/// A volume of the class, or the reason why the class has no free volume.
fn provision(claim: &Object, spec: &ClaimSpec<'_>, class: &Object, storages: &Storages<'_>) -> ClaimStep {
    let view = ClassView::read(class).unwrap_or_default();
    if view.volume_binding_mode == "WaitForFirstConsumer" && !storages.has_consumer {
        return ClaimStep::Wait(Waiting::Consumer);
    }
    if view.provisioner != storages.provisioner {
        let is_external = view.provisioner != "kubernetes.io/no-provisioner";
        return ClaimStep::Wait(if is_external { Waiting::Provisioner } else { Waiting::NoVolume });
    }
    if spec.selector.is_some() || spec.volume_mode == "Block" {
        return ClaimStep::Wait(Waiting::NoVolume);
    }
    let name = format!("pvc-{}", claim.uid());
    let path = format!("{}/{name}", storages.directory.trim_end_matches('/'));
    ClaimStep::Provision(Object(json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": { "name": name, "annotations": { PROVISIONED_BY: storages.provisioner } },
        "spec": {
            "capacity": { "storage": spec.resources.requests.storage },
            "accessModes": spec.access_modes,
            "persistentVolumeReclaimPolicy": view.reclaim_policy,
            "storageClassName": class.name(),
            "volumeMode": spec.volume_mode,
            "claimRef": reference(claim),
            "hostPath": { "path": path, "type": "DirectoryOrCreate" },
        },
    })))
}

/// Makes claim and volume name each other, and then the status.
fn bind(claim: &Object, view: &ClaimView<'_>, volume: &Object) -> Vec<ClaimStep> {
    let found = VolumeView::read(volume).unwrap_or_default().spec;
    if found.claim_ref.is_none_or(|reference| reference.uid != claim.uid()) {
        let mut change = json!({ "spec": { "claimRef": reference(claim) } });
        if found.claim_ref.is_none() {
            change["metadata"]["annotations"][BOUND_BY_CONTROLLER] = json!("yes");
        }
        return vec![ClaimStep::Volume(volume.name().to_owned(), change)];
    }
    if view.spec.volume_name != volume.name() || claim.annotation(BIND_COMPLETED) != Some("yes") {
        let mut annotations = Map::from_iter([(BIND_COMPLETED.to_owned(), json!("yes"))]);
        if view.spec.volume_name.is_empty() {
            annotations.insert(BOUND_BY_CONTROLLER.to_owned(), json!("yes"));
        }
        if let Some(provisioner) = volume.annotation(PROVISIONED_BY) {
            annotations.insert(STORAGE_PROVISIONER.to_owned(), json!(provisioner));
        }
        let change =
            json!({ "metadata": { "annotations": annotations }, "spec": { "volumeName": volume.name() } });
        return vec![ClaimStep::Claim(change)];
    }
    let capacity = volume.at(&["spec", "capacity"]).cloned().unwrap_or_default();
    let status = json!({ "phase": "Bound", "accessModes": found.access_modes, "capacity": capacity });
    let is_current = ["phase", "accessModes", "capacity"]
        .iter()
        .all(|field| claim.at(&["status", field]) == status.get(*field));
    if is_current { Vec::new() } else { vec![ClaimStep::Status(status)] }
}

fn reference(claim: &Object) -> Value {
    json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(), "name": claim.name(),
        "uid": claim.uid() })
}

/// Whether no other claim has the volume.
fn can_have(volume: &Object, claim: &Object) -> bool {
    let claim_ref = VolumeView::read(volume).unwrap_or_default().spec.claim_ref;
    !volume.is_deleting() && claim_ref.is_none_or(|reference| reference.is_for(claim))
}

/// The volume that names this claim.
fn own<'a>(claim: &Object, volumes: &[&'a Object]) -> Option<&'a Object> {
    let names = |volume: &&&Object| {
        let reference = VolumeView::read(volume).unwrap_or_default().spec.claim_ref;
        reference.is_some_and(|reference| reference.is_for(claim))
    };
    volumes.iter().filter(|volume| !volume.is_deleting()).find(names).copied()
}

/// The smallest free volume that fits.
fn smallest<'a>(spec: &ClaimSpec<'_>, claim: &Object, volumes: &[&'a Object]) -> Option<&'a Object> {
    let selector = spec.selector.as_ref().map(LabelSelector::from_value);
    let asked = Quantity::parse(spec.resources.requests.storage).ok()?;
    let fits = |volume: &Object| {
        let found = VolumeView::read(volume).unwrap_or_default().spec;
        let size = Quantity::parse(found.capacity.storage).ok()?;
        let is_selected = match &selector {
            None => true,
            Some(Ok(selector)) => selector.matches_object(volume),
            Some(Err(_)) => false,
        };
        let does_fit = found.claim_ref.is_none()
            && can_have(volume, claim)
            && found.storage_class_name == spec.storage_class_name.unwrap_or_default()
            && mode(found.volume_mode) == mode(spec.volume_mode)
            && spec.access_modes.iter().all(|mode| found.access_modes.contains(mode))
            && size.minus(asked).milli() >= 0
            && is_selected;
        does_fit.then_some(size.milli())
    };
    let fitting = volumes.iter().filter_map(|volume| Some((fits(volume)?, *volume)));
    fitting.min_by_key(|(size, volume)| (*size, volume.name())).map(|(_, volume)| volume)
}

fn mode(mode: &str) -> &str {
    if mode.is_empty() { "Filesystem" } else { mode }
}

/// The newest class that is marked as the default one.
fn default_class<'a>(classes: &[&'a Object]) -> Option<&'a Object> {
    let defaults = classes.iter().filter(|class| class.annotation(DEFAULT_CLASS) == Some("true"));
    defaults.min_by_key(|class| (Reverse(class.creation_timestamp()), class.name())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(spec: Value) -> Object {
        let mut claim = Object(json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": { "name": "data", "namespace": "shop", "uid": "1" },
            "spec": { "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
                "resources": { "requests": { "storage": "1Gi" } } } }));
        for (name, value) in spec.as_object().into_iter().flatten() {
            claim.0["spec"][name] = value.clone();
        }
        claim
    }

    fn volume(name: &str, size: &str, class: &str) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name },
            "spec": { "capacity": { "storage": size }, "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
                "storageClassName": class } }))
    }

    fn class(name: &str, provisioner: &str, mode: &str) -> Object {
        Object(json!({ "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": provisioner,
            "reclaimPolicy": "Delete", "volumeBindingMode": mode,
            "metadata": { "name": name, "annotations": { DEFAULT_CLASS: (name == "standard").to_string() } } }))
    }

    fn planned(claim: &Object, volumes: &[&Object]) -> Vec<ClaimStep> {
        let classes = [
            class("standard", "local", "Immediate"),
            class("late", "local", "WaitForFirstConsumer"),
            class("cloud", "example.com/disk", "Immediate"),
        ];
        let classes: Vec<&Object> = classes.iter().collect();
        let storages = Storages {
            volumes,
            classes: &classes,
            provisioner: "local",
            directory: "/d",
            has_consumer: false,
        };
        plan(claim, &storages)
    }

    #[test]
    fn a_claim_is_taken_to_its_volume_step_by_step() {
        let mut claim = claim(json!({}));
        assert_eq!(
            planned(&claim, &[]),
            [ClaimStep::Claim(json!({ "spec": { "storageClassName": "standard" } }))]
        );
        claim.0["spec"]["storageClassName"] = json!("standard");
        let steps = planned(&claim, &[]);
        let [ClaimStep::Provision(volume)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(volume.name(), "pvc-1");
        assert_eq!(volume.0["spec"]["hostPath"]["path"], "/d/pvc-1");
        let steps = planned(&claim, &[volume]);
        let [ClaimStep::Claim(change)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(change["spec"]["volumeName"], "pvc-1");
        claim.0["spec"]["volumeName"] = json!("pvc-1");
        claim.set_annotation(BIND_COMPLETED, "yes");
        let want =
            json!({ "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" } });
        assert_eq!(planned(&claim, &[volume]), [ClaimStep::Status(want.clone())]);
        claim.0["status"] = want;
        assert_eq!(planned(&claim, &[volume]), []);
        assert_eq!(planned(&claim, &[]), [ClaimStep::Status(json!({ "phase": "Lost" }))]);
    }

    #[test]
    fn the_smallest_volume_that_fits_is_bound() {
        let (big, fitting, small) =
            (volume("big", "9Gi", ""), volume("fitting", "2Gi", ""), volume("small", "1Mi", ""));
        let other = volume("other", "1Gi", "standard");
        let steps = planned(&claim(json!({ "storageClassName": "" })), &[&big, &fitting, &small, &other]);
        let [ClaimStep::Volume(name, change)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!((name.as_str(), &change["spec"]["claimRef"]["uid"]), ("fitting", &json!("1")));
        let mut taken = fitting.clone();
        taken.0["spec"]["claimRef"] = json!({ "namespace": "shop", "name": "another", "uid": "2" });
        let steps = planned(&claim(json!({ "storageClassName": "" })), &[&taken]);
        assert_eq!(steps, [ClaimStep::Wait(Waiting::NoVolume)]);
    }

    #[test]
    fn a_claim_waits_for_a_reason() {
        let cases = [
            (json!({ "storageClassName": "" }), Waiting::NoVolume),
            (json!({ "storageClassName": "late" }), Waiting::Consumer),
            (json!({ "storageClassName": "cloud" }), Waiting::Provisioner),
            (json!({ "storageClassName": "none" }), Waiting::Class),
            (json!({ "storageClassName": "standard", "volumeMode": "Block" }), Waiting::NoVolume),
        ];
        for (spec, want) in cases {
            assert_eq!(planned(&claim(spec.clone()), &[]), [ClaimStep::Wait(want)], "{spec}");
        }
    }
}
