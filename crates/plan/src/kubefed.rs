//! Decisions about KubeFed's federated objects, one file each.
//!
//! ```text
//! federated object ─► placement ─► clusters of its binding
//!                  ─► template, changes ─► manifest of one cluster (`propagation::work`)
//! federated.status ◄─ status ◄─ work.status
//!
//! ReplicaSchedulingPreference ─► replicas ─► preferences ─► placement and overrides of the federated object
//! ```

pub mod binding;
pub mod changes;
pub mod cluster;
pub mod config;
pub mod dns_records;
pub mod federate;
pub mod migrate;
mod patch;
pub mod placement;
pub mod preferences;
pub mod replicas;
pub mod service_status;
pub mod status;
pub mod take_over;
pub mod template;
pub mod type_config;

pub use patch::PatchFault;

use portolan_api::kubefed::MANAGED;
use portolan_api::labels;
use portolan_object::Object;

/// Whether an object in a member is not to be touched by the federated object that `manifest` was made from.
pub fn is_left_alone(manifest: &Object, observed: &Object) -> bool {
    manifest.label(MANAGED) == Some(labels::TRUE) && observed.label(MANAGED) == Some("false")
}
