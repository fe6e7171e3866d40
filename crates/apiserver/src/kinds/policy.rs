//! `policy`: disruption budgets.

mod pod_disruption_budget;

use super::Group;

const GROUP: &str = "policy";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17100, kinds: &[&pod_disruption_budget::KIND] };
