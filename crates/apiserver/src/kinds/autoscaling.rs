//! `autoscaling`: autoscalers in two versions.

mod horizontal_pod_autoscaler;
mod horizontal_pod_autoscaler_v1;
pub(crate) mod scale;

use super::Group;

const GROUP: &str = "autoscaling";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v2", "v1"],
    priority: 17500,
    kinds: &[&horizontal_pod_autoscaler::KIND, &horizontal_pod_autoscaler_v1::KIND],
};
