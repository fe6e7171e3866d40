//! `events.k8s.io`: events under newer field names.

mod event;

use super::Group;

const GROUP: &str = "events.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17750, kinds: &[&event::KIND] };
