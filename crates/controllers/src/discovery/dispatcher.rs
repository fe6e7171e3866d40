//! EndpointSlices of MultiClusterServices in one member: one pass per service.
//!
//! `portolan_plan::multi_cluster_service` decides. The result of each pass is told to the controller in
//! `crate::multi_cluster_services`, which writes the conditions.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::networking::MultiClusterService;
use portolan_object::{Object, ObjectKey};
use portolan_plan::multi_cluster_service::{
    Dispatch, DispatchAction, Provider, allotments, consumers, plan, providers,
};
use portolan_runtime::{ClientError, Outcome, Reconciler};

use super::Discovery;
use super::member_writer::MemberWriter;
use super::moving_traffic::MovingTraffic;
use super::problems;
use super::site::Site;
use super::traffic::Labels;

/// Writes the EndpointSlices of MultiClusterServices in one member.
pub(super) struct Dispatcher {
    discovery: Arc<Discovery>,
    site: Arc<Site>,
    moving: MovingTraffic,
}

/// A provider with its objects.
struct ProviderObjects {
    cluster: String,
    service: Option<Arc<Object>>,
    slices: Vec<Arc<Object>>,
}

impl Reconciler for Dispatcher {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.site.is_synced()
            || !self.discovery.services.is_synced()
            || !self.discovery.policies.is_synced()
            || !self.discovery.profiles.is_synced()
            || !self.discovery.clusters.is_synced()
        {
            // The key is queued again after the caches have synced.
            return Outcome::Done;
        }
        let Some(own) = self.site.member().hold().holder() else { return Outcome::Done };
        let result = self.dispatch(key, &own).await;
        let problem =
            result.as_ref().err().and_then(|error| problems::of_error(error).map(|_| error.to_string()));
        self.discovery.dispatches.set(key, self.site.member().name(), problem);
        match result {
            Ok(()) => self.moving.outcome(key, self.discovery.clock.elapsed()),
            Err(error) => Outcome::retry(error),
        }
    }
}

impl Dispatcher {
    pub(super) fn new(discovery: &Arc<Discovery>, site: &Arc<Site>) -> Self {
        Self { discovery: discovery.clone(), site: site.clone(), moving: MovingTraffic::default() }
    }

    async fn dispatch(&self, key: &ObjectKey, own: &str) -> Result<(), ClientError> {
        let present = self.site.slices(key);
        let service = self.discovery.services.get(key).filter(|service| service.is_cross_cluster());
        let (providers, unread) = match service.as_deref().filter(|service| self.is_consumer(service)) {
            Some(service) => self.providers(service, key),
            None => (Vec::new(), BTreeSet::new()),
        };
        let providers = providers.iter().map(|provider| Provider {
            cluster: &provider.cluster,
            service: provider.service.as_deref(),
            slices: provider.slices.iter().map(AsRef::as_ref).collect(),
        });
        let mut dispatch = Dispatch {
            control_plane: own,
            service: key,
            ports: service.as_deref().map_or(&[][..], |service| &service.spec.ports),
            providers: providers.collect(),
            unread,
            present: present.iter().map(AsRef::as_ref).collect(),
            cluster: self.site.member().name().as_str(),
            routing: self.discovery.routing(&self.site, key, Labels::Names),
        };
        match service {
            Some(_) => {
                let (time, now) = (dispatch.routing.transition, self.discovery.clock.elapsed());
                dispatch.routing.moving = self.moving.step(key, time, now, || allotments(&dispatch));
            }
            None => self.moving.forget(key),
        }
        let actions = plan(&dispatch);
        let slices = MemberWriter { member: self.site.member(), cache: self.site.slice_cache() };
        for action in actions {
            match action {
                DispatchAction::Put(slice) => slices.put(slice).await?,
                DispatchAction::Delete(key) => slices.delete(&key).await?,
            }
        }
        Ok(())
    }

    /// Whether the member has clients of the service, and the namespace.
    fn is_consumer(&self, service: &MultiClusterService) -> bool {
        let name = self.site.member().name().as_str();
        consumers(&service.spec, &self.discovery.cluster_names()).contains(name)
            && self.site.has_namespace(&service.metadata.namespace)
    }

    /// Other clusters with endpoints: those that can be read, and the names of those that cannot.
    fn providers(
        &self,
        service: &MultiClusterService,
        key: &ObjectKey,
    ) -> (Vec<ProviderObjects>, BTreeSet<String>) {
        let all = self.discovery.cluster_names();
        let named = providers(&service.spec, &all);
        let others = named.into_iter().filter(|name| name != self.site.member().name().as_str());
        let (mut known, mut unread) = (Vec::new(), BTreeSet::new());
        for cluster in others.filter(|name| all.contains(name)) {
            let site = self.discovery.site(&portolan_runtime::ClusterName::new(cluster.as_str()));
            match site.filter(|site| site.is_synced()) {
                Some(site) => {
                    let (service, slices) = (site.service(key), site.slices(key));
                    known.push(ProviderObjects { cluster, service, slices });
                }
                None => drop(unread.insert(cluster)),
            }
        }
        (known, unread)
    }
}

impl Discovery {
    /// Names of the clusters of the federation.
    pub(super) fn cluster_names(&self) -> Vec<String> {
        self.clusters.keys().into_iter().map(|cluster| cluster.name).collect()
    }

    /// Queues a MultiClusterService in every member.
    pub(super) fn queue_dispatch(&self, service: &ObjectKey) {
        self.sites.read().values().for_each(|site| site.dispatch_queue().add(service.clone()));
    }

    /// Queues every MultiClusterService in every member.
    pub(super) fn queue_dispatches(&self) {
        self.services.keys().iter().for_each(|key| self.queue_dispatch(key));
    }

    /// Queues what a changed EndpointSlice or Service of a member concerns.
    pub(super) fn dispatch_source_changed(&self, service: &ObjectKey) {
        if self.services.contains(service) {
            self.queue_dispatch(service);
        }
    }
}
