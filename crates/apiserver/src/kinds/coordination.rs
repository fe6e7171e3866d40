//! `coordination.k8s.io`: leases.

mod lease;

use super::Group;

const GROUP: &str = "coordination.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16500, kinds: &[&lease::KIND] };
