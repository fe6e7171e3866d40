//! `batch`: controllers of pods that end.

mod cron_job;
mod job;

use super::Group;

const GROUP: &str = "batch";

/// The group.
pub(super) static KINDS: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17400, kinds: &[&cron_job::KIND, &job::KIND] };
