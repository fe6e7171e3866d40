//! Rows of volumes, claims and storage classes.

use serde_json::{Value, json};

use super::cells::{Source, joined};
use super::{AGE, Column, NAME, Table};
use crate::tree;

pub(crate) static VOLUME: Table = Table {
    columns: &[
        NAME,
        Column::text("Capacity", "Size of the volume."),
        Column::text("Access Modes", "Ways in which the volume can be mounted."),
        Column::text("Reclaim Policy", "What happens to the volume after its claim."),
        Column::text("Status", "Whether the volume is free, bound or released."),
        Column::text("Claim", "Claim that holds the volume."),
        Column::text("StorageClass", "Class of the volume."),
        Column::text("VolumeAttributesClass", "Class of the changeable attributes."),
        Column::text("Reason", "Why the volume is in its state."),
        AGE,
        Column::text("VolumeMode", "File system or raw block device.").wide(),
    ],
    cells: volume,
};

pub(crate) static CLAIM: Table = Table {
    columns: &[
        NAME,
        Column::text("Status", "Whether the claim has a volume."),
        Column::text("Volume", "Volume that the claim holds."),
        Column::text("Capacity", "Size of the volume."),
        Column::text("Access Modes", "Ways in which the volume can be mounted."),
        Column::text("StorageClass", "Class of the claim."),
        Column::text("VolumeAttributesClass", "Class of the changeable attributes."),
        AGE,
        Column::text("VolumeMode", "File system or raw block device.").wide(),
    ],
    cells: claim,
};

pub(crate) static STORAGE_CLASS: Table = Table {
    columns: &[
        NAME,
        Column::text("Provisioner", "Driver that makes volumes."),
        Column::text("ReclaimPolicy", "What happens to a volume after its claim."),
        Column::text("VolumeBindingMode", "When volumes are made and bound."),
        Column::text("AllowVolumeExpansion", "Whether volumes can grow."),
        AGE,
    ],
    cells: storage_class,
};

pub(crate) static ATTRIBUTES_CLASS: Table = Table {
    columns: &[NAME, Column::text("DriverName", "Driver that knows the attributes."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/driverName")), source.age()],
};

pub(crate) static ATTACHMENT: Table = Table {
    columns: &[
        NAME,
        Column::text("Attacher", "Driver that attaches the volume.").identifying(),
        Column::text("PV", "Volume that is attached."),
        Column::text("Node", "Node that it is attached to."),
        Column::boolean("Attached", "Whether it is attached."),
        AGE,
    ],
    cells: attachment,
};

pub(crate) static CSI_NODE: Table = Table {
    columns: &[NAME, Column::integer("Drivers", "Drivers on the node."), AGE],
    cells: |source| vec![source.name(), json!(source.list("/spec/drivers").len()), source.age()],
};

pub(crate) static CSI_DRIVER: Table = Table {
    columns: &[
        NAME,
        Column::boolean("AttachRequired", "Whether volumes are attached before they are mounted."),
        Column::boolean("PodInfoOnMount", "Whether the driver is told about the pod."),
        Column::boolean("StorageCapacity", "Whether the driver publishes free capacity."),
        Column::text("TokenRequests", "Audiences of the tokens that the driver gets."),
        Column::boolean("RequiresRepublish", "Whether volumes are published again and again."),
        Column::text("Modes", "Life cycles of the driver's volumes."),
        AGE,
    ],
    cells: csi_driver,
};

/// The abbreviations of access modes, in a fixed order.
fn access_modes(source: Source<'_>, pointer: &str) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let modes: Vec<&str> = tree::texts(source.object, pointer).collect();
    joined(SHORT.iter().filter(|(mode, _)| modes.contains(mode)).map(|(_, short)| *short))
}

/// The class of a volume or claim; the old annotation wins.
fn class(source: Source<'_>) -> &str {
    match source.object.pointer("/metadata/annotations/volume.beta.kubernetes.io~1storage-class") {
        Some(class) => class.as_str().unwrap_or_default(),
        None => source.text("/spec/storageClassName"),
    }
}

fn phase(source: Source<'_>) -> &str {
    if source.is_deleting() { "Terminating" } else { source.text("/status/phase") }
}

fn volume(source: Source<'_>) -> Vec<Value> {
    let claim = tree::present(source.object, "/spec/claimRef")
        .map(|claim| format!("{}/{}", tree::text(claim, "/namespace"), tree::text(claim, "/name")));
    vec![
        source.name(),
        json!(source.text_or("/spec/capacity/storage", "0")),
        json!(access_modes(source, "/spec/accessModes")),
        json!(source.text("/spec/persistentVolumeReclaimPolicy")),
        json!(phase(source)),
        json!(claim.unwrap_or_default()),
        json!(class(source)),
        json!(source.text_or("/spec/volumeAttributesClassName", "<unset>")),
        json!(source.text("/status/reason")),
        source.age(),
        json!(source.text_or("/spec/volumeMode", "<unset>")),
    ]
}

fn claim(source: Source<'_>) -> Vec<Value> {
    let volume = source.text("/spec/volumeName");
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (
            source.text_or("/status/capacity/storage", "0").to_owned(),
            access_modes(source, "/status/accessModes"),
        ),
    };
    vec![
        source.name(),
        json!(phase(source)),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(class(source)),
        json!(source.text_or("/spec/volumeAttributesClassName", "<unset>")),
        source.age(),
        json!(source.text_or("/spec/volumeMode", "<unset>")),
    ]
}

fn storage_class(source: Source<'_>) -> Vec<Value> {
    let marks =
        ["storageclass.kubernetes.io~1is-default-class", "storageclass.beta.kubernetes.io~1is-default-class"];
    let is_default = marks.iter().any(|mark| source.text(&format!("/metadata/annotations/{mark}")) == "true");
    let name = source.text("/metadata/name");
    vec![
        if is_default { json!(format!("{name} (default)")) } else { json!(name) },
        json!(source.text("/provisioner")),
        json!(source.text_or("/reclaimPolicy", "Delete")),
        json!(source.text_or("/volumeBindingMode", "Immediate")),
        json!(tree::is_true(source.object, "/allowVolumeExpansion")),
        source.age(),
    ]
}

fn attachment(source: Source<'_>) -> Vec<Value> {
    vec![
        source.name(),
        json!(source.text("/spec/attacher")),
        json!(source.text("/spec/source/persistentVolumeName")),
        json!(source.text("/spec/nodeName")),
        json!(tree::is_true(source.object, "/status/attached")),
        source.age(),
    ]
}

fn csi_driver(source: Source<'_>) -> Vec<Value> {
    let attach = tree::present(source.object, "/spec/attachRequired").and_then(Value::as_bool);
    let tokens = match tree::present(source.object, "/spec/tokenRequests") {
        Some(_) => {
            joined(source.list("/spec/tokenRequests").iter().map(|entry| tree::text(entry, "/audience")))
        }
        None => "<unset>".to_owned(),
    };
    let modes = joined(tree::texts(source.object, "/spec/volumeLifecycleModes"));
    vec![
        source.name(),
        json!(attach.unwrap_or(true)),
        json!(tree::is_true(source.object, "/spec/podInfoOnMount")),
        json!(tree::is_true(source.object, "/spec/storageCapacity")),
        json!(tokens),
        json!(tree::is_true(source.object, "/spec/requiresRepublish")),
        json!(super::cells::or_word(modes, "<none>")),
        source.age(),
    ]
}
