//! Controllers of cluster sets: membership of clusters, their ClusterProperties, and the status of ClusterSets.
//!
//! The state that they share with other controllers is [`crate::hub::ClusterSets`]. The decisions are in
//! `portolan_plan::cluster_sets`.
//!
//! ```text
//! ClusterSet, Cluster ─► memberships ─► keeper of each member ─► CRDs, policy, ClusterProperties
//!                                               └─► progress ──► status of the ClusterSet
//! ```

mod apply;
mod keeper;
mod protection;
mod status;

use portolan_runtime::ClusterName;
use portolan_runtime::members::MembershipChange;

use crate::hub::Hub;

/// Starts the controllers.
pub(crate) fn start(hub: &Hub) {
    let sets = hub.cluster_sets.clone();
    hub.cluster_sets.sets().observe(move |change| {
        let is_same_spec = matches!((&change.old, &change.new), (Some(old), Some(new))
            if old.spec == new.spec && old.metadata.is_deleting() == new.metadata.is_deleting());
        if !is_same_spec {
            sets.update_memberships();
        }
        sets.status_queue().add(change.key.name.clone());
    });
    let sets = hub.cluster_sets.clone();
    hub.cluster_sets.clusters().observe(move |change| {
        // Ignore status updates, such as heartbeats.
        let is_same_cluster = matches!((&change.old, &change.new), (Some(old), Some(new))
            if old.spec.id == new.spec.id && old.metadata.is_deleting() == new.metadata.is_deleting());
        if !is_same_cluster {
            sets.update_memberships();
        }
        if change.new.is_none() {
            sets.remove_progress(&ClusterName::new(change.key.name.as_str()));
        }
    });
    status::start(hub);
    let shared = hub.clone();
    hub.members.observe(move |change| {
        if let MembershipChange::Joined(member) = change {
            keeper::start(&shared, member);
        }
    });
}
