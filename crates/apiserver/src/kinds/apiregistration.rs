//! `apiregistration.k8s.io`: API servers behind this one. They are stored for the clusters that they are propagated to,
//! and not asked here; a warning says so.

mod api_service;

use super::Group;

const GROUP: &str = "apiregistration.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 18000, kinds: &[&api_service::KIND] };
