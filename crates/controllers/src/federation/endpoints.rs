//! Whether the shards of federated Services have ready endpoints, from the caches of the members.

use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::dns::observed::has_ready_endpoints;
use portolan_plan::import_marks::service_of_slice;
use portolan_runtime::client::Selection;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::{Cache, ClusterName, Member, Members};

/// Index of EndpointSlices by their Service; values are `namespace/name`.
const BY_SERVICE: &str = "federated-service";

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
            slices(member).observe(move |change| {
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
        let slices = slices(&member);
        if !slices.is_synced() {
            return true;
        }
        let slices = slices.by_index(BY_SERVICE, &service.to_string());
        has_ready_endpoints(slices.iter().map(AsRef::as_ref))
    }
}

/// The cache of a member, which service discovery reads too.
fn slices(member: &Member) -> Cache<Object> {
    let cache = member.cache(&resources::ENDPOINT_SLICE.into(), Selection::all(), |builder| builder, |_| {});
    cache.add_index(BY_SERVICE, |_, slice| {
        service_of_slice(slice).map(|key| key.to_string()).into_iter().collect()
    });
    cache
}
