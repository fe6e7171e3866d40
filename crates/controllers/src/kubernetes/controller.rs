//! The owner that controls an object.

use portolan_api::kubernetes::controller;
use portolan_object::{Object, ObjectKey};

/// The key of the controlling owner, if it is of this kind.
pub(super) fn controller_of_kind(object: &Object, kind: &str) -> Option<ObjectKey> {
    let controller = controller(object).filter(|owner| owner.kind == kind)?;
    Some(ObjectKey::namespaced(object.namespace(), controller.name))
}
