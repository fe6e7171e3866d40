//! `coordination.k8s.io`: leases.

mod lease;

use super::Group;

const GROUP: &str = "coordination.k8s.io";

/// The group.
pub(super) static KINDS: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16500, kinds: &[&lease::KIND] };
