//! Estimates for a binding, from all clusters.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use portolan_api::cluster::Cluster;
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};
use portolan_object::ObjectKey;
use portolan_plan::capacity::Snapshot;
use portolan_plan::propagation::estimate::{self, Assumed, PodSet, Room};
use tokio::time::Instant;

use super::in_flight::InFlight;
use super::member::{Capacities, MemberCapacity};

/// Most results that are kept for one state of a cluster.
const MAX_RESULTS: usize = 1024;

/// Estimates for how many replicas clusters have room; clones share state.
#[derive(Clone)]
pub(crate) struct Estimator {
    capacities: Capacities,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    in_flight: InFlight,
    rooms: HashMap<String, ClusterRoom>,
}

/// The room of a cluster in one state, and the estimates that were made from it.
struct ClusterRoom {
    snapshot: Arc<Snapshot>,
    revision: u64,
    room: Room,
    results: HashMap<PodSet, i64>,
}

impl Estimator {
    pub(crate) fn new(capacities: &Capacities) -> Self {
        Self { capacities: capacities.clone(), state: Arc::default() }
    }

    /// Takes note of a binding, as it is now.
    pub(crate) fn note(&self, key: &ObjectKey, spec: &ResourceBindingSpec, status: &ResourceBindingStatus) {
        self.state.lock().in_flight.update(key, spec, status, Instant::now());
    }

    /// Forgets a binding.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.state.lock().in_flight.remove(key);
    }

    /// What is in flight to each of these clusters.
    pub(crate) fn assumed<'a>(
        &self,
        clusters: impl IntoIterator<Item = &'a Cluster>,
    ) -> Vec<(String, Vec<Assumed>)> {
        let state = self.state.lock();
        let names = clusters.into_iter().map(|cluster| cluster.metadata.name.clone());
        names.map(|name| (name.clone(), state.in_flight.assumed(&name, None))).collect()
    }

    /// Starts a decision. No other one is made until the result is dropped, so that room is given away once.
    pub(crate) fn decide(&self) -> Decision<'_> {
        Decision { capacities: &self.capacities, state: self.state.lock() }
    }
}

/// A decision in progress.
pub(crate) struct Decision<'a> {
    capacities: &'a Capacities,
    state: MutexGuard<'a, State>,
}

impl Decision<'_> {
    /// For how many replicas of a binding, or sets of its components, each cluster has room.
    pub(crate) fn estimate<'a>(
        &mut self,
        key: &ObjectKey,
        spec: &ResourceBindingSpec,
        clusters: impl IntoIterator<Item = &'a Cluster>,
    ) -> Vec<(String, i64)> {
        let pods = PodSet::of_binding(spec);
        // A set that the binding has in a cluster must not count against itself. Replicas do: the estimate is for further
        // ones.
        let except = (!spec.components.is_empty()).then_some(key);
        let now = Instant::now();
        let estimate = |cluster: &Cluster| {
            let name = &cluster.metadata.name;
            let member = self.capacities.of(name);
            let known = member.as_ref().and_then(|member| Some((member, member.snapshot()?)));
            let places = match known {
                Some((member, snapshot)) => {
                    let known = KnownCluster { name, member, snapshot: &snapshot };
                    self.state.by_nodes(known, &pods, except, now)
                }
                None => estimate::general(&pods, cluster, &self.state.in_flight.assumed(name, except)),
            };
            (name.clone(), places.clamp(0, i64::from(i32::MAX)))
        };
        clusters.into_iter().map(estimate).collect()
    }

    /// Enters the assignment that was decided, before it is written. When it cannot be written, [`Estimator::note`] the
    /// binding as it is.
    pub(crate) fn assign(
        mut self,
        key: &ObjectKey,
        spec: &ResourceBindingSpec,
        status: &ResourceBindingStatus,
    ) {
        self.state.in_flight.update(key, spec, status, Instant::now());
    }
}

/// A cluster with known nodes and pods.
#[derive(Clone, Copy)]
struct KnownCluster<'a> {
    name: &'a str,
    member: &'a MemberCapacity,
    snapshot: &'a Arc<Snapshot>,
}

impl State {
    /// The estimate from the nodes, pods and quotas of a member.
    fn by_nodes(
        &mut self,
        cluster: KnownCluster<'_>,
        pods: &PodSet,
        except: Option<&ObjectKey>,
        now: Instant,
    ) -> i64 {
        let KnownCluster { name, member, snapshot } = cluster;
        let revision = self.in_flight.revision(name, now);
        let quotas = member.quotas(&pods.namespace);
        let by_quotas =
            |assumed: &[Assumed]| estimate::by_quotas(pods, quotas.iter().map(AsRef::as_ref), assumed);
        if except.is_some() {
            let assumed = self.in_flight.assumed(name, except);
            let places = Room::new(snapshot, &assumed).holds(pods);
            return by_quotas(&assumed).map_or(places, |allowed| places.min(allowed));
        }
        let is_current =
            |known: &&mut ClusterRoom| Arc::ptr_eq(&known.snapshot, snapshot) && known.revision == revision;
        let assumed = |in_flight: &InFlight| in_flight.assumed(name, None);
        if self.rooms.get_mut(name).filter(is_current).is_none() {
            let room = Room::new(snapshot, &assumed(&self.in_flight));
            let known = ClusterRoom { snapshot: snapshot.clone(), revision, room, results: HashMap::new() };
            self.rooms.insert(name.to_owned(), known);
        }
        let Some(known) = self.rooms.get_mut(name) else { return 0 };
        let places = match known.results.get(pods) {
            Some(places) => *places,
            None => {
                let places = known.room.holds(pods);
                if known.results.len() < MAX_RESULTS {
                    known.results.insert(pods.clone(), places);
                }
                places
            }
        };
        if quotas.is_empty() {
            return places;
        }
        by_quotas(&assumed(&self.in_flight)).map_or(places, |allowed| places.min(allowed))
    }
}
