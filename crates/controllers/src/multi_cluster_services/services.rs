//! The MultiClusterServices of the control plane, shared with discovery.

use portolan_api::networking::MultiClusterService;
use portolan_object::ObjectKey;
use portolan_runtime::{Cache, Queue};

use super::dispatches::Dispatches;
use crate::hub::Hub;

/// MultiClusterServices, and what discovery reports of them. Clones share state.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) cache: Cache<MultiClusterService>,
    pub(crate) dispatches: Dispatches,
    /// Services to reconcile.
    pub(super) queue: Queue<ObjectKey>,
}

impl Services {
    /// Starts the cache.
    pub(crate) fn new(hub: &Hub) -> Self {
        let cache = Cache::<MultiClusterService>::of_kind(&hub.client)
            .trim(|service| service.metadata.managed_fields.clear())
            .start(&hub.scope);
        let queue: Queue<ObjectKey> = hub.client.metrics().queue("multi-cluster-services", None);
        Self { cache, dispatches: Dispatches::new(queue.clone()), queue }
    }
}
