//! `autoscaling`: autoscalers in two versions.

mod horizontal_pod_autoscaler;
mod horizontal_pod_autoscaler_v1;

use super::Group;

const GROUP: &str = "autoscaling";

/// The group.
pub(super) static KINDS: Group = Group {
    name: GROUP,
    versions: &["v2", "v1"],
    priority: 17500,
    kinds: &[&horizontal_pod_autoscaler::KIND, &horizontal_pod_autoscaler_v1::KIND],
};
