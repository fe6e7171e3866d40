//! `storage.k8s.io`: drivers, classes and attachments of volumes.

mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod storage_class;
mod volume_attachment;
mod volume_attributes_class;

use super::Group;

const GROUP: &str = "storage.k8s.io";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 16800,
    kinds: &[
        &csi_driver::KIND,
        &csi_node::KIND,
        &csi_storage_capacity::KIND,
        &storage_class::KIND,
        &volume_attachment::KIND,
        &volume_attributes_class::KIND,
    ],
};
