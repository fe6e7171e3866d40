//! `apiextensions.k8s.io`: definitions of custom resources.

mod custom_resource_definition;

use super::Group;

const GROUP: &str = "apiextensions.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 16700, kinds: &[&custom_resource_definition::KIND] };
