//! `batch`: controllers of pods that end.

pub(crate) mod cron_job;
pub(super) mod job;

use super::Group;

const GROUP: &str = "batch";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17400, kinds: &[&cron_job::KIND, &job::KIND] };
