//! `node.k8s.io`: runtime classes.

mod runtime_class;

use super::Group;

const GROUP: &str = "node.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16300, kinds: &[&runtime_class::KIND] };
