//! `events.k8s.io`: events under newer field names.

mod event;

use super::Group;

const GROUP: &str = "events.k8s.io";

/// The group.
pub(super) static KINDS: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17750, kinds: &[&event::KIND] };
