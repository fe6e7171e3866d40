//! `apps`: controllers that keep pods running.

mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
mod stateful_set;

use super::Group;

const GROUP: &str = "apps";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 17800,
    kinds: &[
        &controller_revision::KIND,
        &daemon_set::KIND,
        &deployment::KIND,
        &replica_set::KIND,
        &stateful_set::KIND,
    ],
};
