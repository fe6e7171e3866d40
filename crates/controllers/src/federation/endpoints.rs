//! Whether the shards of federated Services have ready endpoints, from the caches of the members.

use portolan_object::ObjectKey;
use portolan_plan::federation::dns::observed::has_ready_endpoints;
use portolan_plan::import_marks::service_of_slice;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::{ClusterName, Members};

use crate::discovery::member_slices::{member_slices, of_service};

/// The EndpointSlices of all members.
#[derive(Clone)]
pub(super) struct Endpoints(Members);

impl Endpoints {
    /// Calls `changed` with each Service with changed endpoints in any member.
    pub(super) fn follow(
        members: &Members,
        changed: impl Fn(ObjectKey) + Send + Sync + Clone + 'static,
    ) -> Self {
        members.observe(move |change| {
            let MembershipChange::Joined(member) = change else { return };
            let changed = changed.clone();
            member_slices(member).observe(move |change| {
                let slices = change.old.iter().chain(&change.new);
                slices.filter_map(|slice| service_of_slice(slice)).for_each(&changed);
            });
        });
        Self(members.clone())
    }

    /// Whether a Service has a ready endpoint in a cluster, as last seen there. A cluster of which nothing was seen yet
    /// counts as ready: a shard is never dropped for lack of knowledge.
    pub(super) fn are_ready(&self, cluster: &str, service: &ObjectKey) -> bool {
        let Some(member) = self.0.get(&ClusterName::new(cluster)) else { return true };
        let slices = member_slices(&member);
        if !slices.is_synced() {
            return true;
        }
        let slices = of_service(&slices, service);
        has_ready_endpoints(slices.iter().map(AsRef::as_ref))
    }
}
