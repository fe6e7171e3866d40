//! `discovery.k8s.io`: endpoint slices.

mod endpoint_slice;

use super::Group;

const GROUP: &str = "discovery.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16200, kinds: &[&endpoint_slice::KIND] };
