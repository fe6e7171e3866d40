//! `scheduling.k8s.io`: priority classes.

mod priority_class;

use super::Group;

const GROUP: &str = "scheduling.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16600, kinds: &[&priority_class::KIND] };
