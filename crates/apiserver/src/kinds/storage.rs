//! `storage.k8s.io`: drivers, classes and attachments of volumes.

mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod storage_class;
mod volume_attachment;
mod volume_attributes_class;

use super::Group;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const GROUP: &str = "storage.k8s.io";

/// Length of the name of a CSI driver.
const MAX_DRIVER_NAME: usize = 63;

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

/// Checks the name of a CSI driver.
fn check_driver_name(path: &Path<'_>, name: &str, errors: &mut FieldErrors) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    if name.len() > MAX_DRIVER_NAME {
        errors.too_long(&path.to_string(), MAX_DRIVER_NAME as u64);
    }
    errors.texts(path, name, names::subdomain(&name.to_lowercase()));
}

/// Checks the name of a provisioner, which errors print in lower case.
fn check_provisioner(path: &Path<'_>, name: &str, errors: &mut FieldErrors) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    let name = name.to_lowercase();
    errors.texts(path, &name, names::label_key_errors(&name));
}
