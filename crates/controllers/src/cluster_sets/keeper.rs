//! Keeper of one member: installs the CustomResourceDefinitions that the member needs, and writes its ClusterProperties.
//!
//! The ClusterProperties are the member's proof of membership (KEP-2149). They are written last when it joins and
//! deleted last when it leaves, while the admission policy protects them. The definitions stay, because deleting them
//! would delete the ServiceExports of users.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::about::ClusterProperty;
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::multicluster::ServiceImport;
use portolan_api::{Kind, crd, labels};
use portolan_object::{Object, ObjectKey};
use portolan_plan::cluster_sets::definitions::{self, DefinitionStep};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::cluster_sets::properties::{self, PropertyStep};
use portolan_plan::clusters::ownership::{is_own, stamp};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::members::HoldState;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Member, Outcome, Queue, Reconciler};

use super::apply::apply;
use super::protection::{Protection, Readiness};
use crate::definitions::definition_cache;
use crate::hub::{ClusterSets, Hub, JoinProgress};
use crate::missing::ignore_missing;

/// Requeue delay while a cache is being filled, or while discovery deletes the objects of the set.
const LEAVING_RECHECK: Duration = Duration::from_millis(100);
/// Requeue delay while a foreign object blocks the membership; its watch normally requeues earlier.
const RECHECK: Duration = Duration::from_secs(30);
/// Requeue delay while it is not known who holds the member; an answer requeues earlier.
const HOLD_RECHECK: Duration = Duration::from_secs(1);
/// Kinds of the objects that a set creates in a member, apart from ClusterProperties.
const KINDS_OF_SETS: &[(&str, &str)] =
    &[(ServiceImport::GROUP, ServiceImport::KIND), ("discovery.k8s.io", "EndpointSlice"), ("", "Service")];

struct Keeper {
    sets: ClusterSets,
    member: Arc<Member>,
    definitions: Cache<Object>,
    properties: Mutex<Option<Cache<Object>>>,
    protection: Protection,
    queue: Queue<String>,
}

/// Starts the keeper of a member.
pub(super) fn start(hub: &Hub, member: &Arc<Member>) {
    let sets = &hub.cluster_sets;
    let queue: Queue<String> = member.client().metrics().queue("cluster-set-members", Some(member.name()));
    let keeper = Arc::new(Keeper {
        sets: sets.clone(),
        member: member.clone(),
        definitions: definition_cache(member),
        properties: Mutex::default(),
        protection: Protection::new(member, {
            let queue = queue.clone();
            move || queue.add(ONLY.to_owned())
        }),
        queue: queue.clone(),
    });
    let changed = queue.clone();
    keeper.definitions.observe(move |_| changed.add(ONLY.to_owned()));
    portolan_runtime::driver::run(keeper, &queue, 1, member.scope());
    let (mut memberships, mut discovered) = (sets.watch(), member.watch_discovery());
    let mut held = member.hold().watch();
    let clusters = hub.clusters.clone();
    spawn_until_stop(member.scope(), async move {
        clusters.synced().await;
        loop {
            queue.add(ONLY.to_owned());
            tokio::select! {
                changed = memberships.changed() => if changed.is_err() { return },
                changed = discovered.changed() => if changed.is_err() { return },
                changed = held.changed() => if changed.is_err() { return },
            }
        }
    });
}

/// The only key in the queue of a keeper.
const ONLY: &str = "membership";

impl Reconciler for Keeper {
    type Key = String;

    async fn reconcile(&self, _: &String) -> Outcome {
        if !self.sets.is_known() || !self.definitions.is_synced() {
            return Outcome::RequeueAfter(LEAVING_RECHECK);
        }
        let own = match self.member.hold().state() {
            HoldState::Held(own) => own,
            HoldState::Unknown => {
                if let Some(cause) = self.member.hold().failure() {
                    self.set_pending(format!("the cluster cannot be reached: {cause}"));
                }
                return Outcome::RequeueAfter(HOLD_RECHECK);
            }
            // A change of the hold queues the key again.
            HoldState::Refused(refusal) => {
                self.set_pending(refusal.message.clone());
                return Outcome::Done;
            }
            HoldState::Released => return Outcome::Done,
        };
        let outcome = match self.sets.membership(self.member.name()) {
            Some(membership) => self.join(&membership, &own).await,
            None => self.leave(&own).await,
        };
        match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if error.is_unreachable() {
                    self.set_pending(format!("the cluster cannot be reached: {error}"));
                }
                Outcome::retry(error)
            }
        }
    }
}

impl Keeper {
    fn set_progress(&self, progress: JoinProgress) {
        self.sets.set_progress(self.member.name(), progress);
    }

    /// Records why a member of a set waits, unless it has joined.
    fn set_pending(&self, message: String) {
        let is_listed = self.sets.membership(self.member.name()).is_some();
        if is_listed && !self.sets.has_joined(self.member.name()) {
            self.set_progress(JoinProgress::Pending(message));
        }
    }

    /// Writes the ClusterProperties of a membership.
    async fn join(&self, membership: &Membership, own: &str) -> Result<Outcome, ClientError> {
        self.install_definitions(own).await?;
        let Some(properties) = self.properties() else {
            let message = "waiting until the cluster serves ClusterProperty";
            self.set_progress(JoinProgress::Pending(message.to_owned()));
            return Ok(Outcome::RequeueAfter(RECHECK));
        };
        if !properties.is_synced() {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        match self.plan(&properties, Some(membership), own) {
            Err(contradiction) => {
                // The owner of the contradicting property must be able to delete it.
                self.protection.remove(own).await?;
                self.set_progress(JoinProgress::Contradicted(contradiction.to_string()));
                Ok(Outcome::RequeueAfter(RECHECK))
            }
            Ok(steps) => {
                if self.protection.ensure(membership, own).await? == Readiness::Syncing {
                    return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
                }
                self.apply_steps(&properties, steps).await?;
                self.set_progress(JoinProgress::Joined(membership.clone()));
                Ok(Outcome::Done)
            }
        }
    }

    /// Deletes the ClusterProperties of a cluster that no set lists (any more).
    async fn leave(&self, own: &str) -> Result<Outcome, ClientError> {
        if let Some(properties) = self.properties() {
            if !properties.is_synced() {
                return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
            }
            // `plan` returns no contradiction without a membership.
            let steps = self.plan(&properties, None, own).unwrap_or_default();
            if !steps.is_empty() {
                self.set_progress(JoinProgress::Leaving);
                if self.has_objects_of_set(own).await? {
                    return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
                }
                self.apply_steps(&properties, steps).await?;
            }
        } else if self.member.discovery().resources.is_empty() {
            return Ok(Outcome::Done);
        }
        self.protection.remove(own).await?;
        self.set_progress(JoinProgress::Left);
        Ok(Outcome::Done)
    }

    fn plan(
        &self,
        properties: &Cache<Object>,
        membership: Option<&Membership>,
        own: &str,
    ) -> Result<Vec<PropertyStep>, properties::Contradiction> {
        let property = |name: &str| properties.get(&ObjectKey::cluster(name));
        let (id, set) = (property(ID_PROPERTY), property(SET_PROPERTY));
        let version = properties.resource().gvk.api_version();
        properties::plan(membership, id.as_deref(), set.as_deref(), &version, own)
    }

    async fn apply_steps(
        &self,
        properties: &Cache<Object>,
        steps: Vec<PropertyStep>,
    ) -> Result<(), ClientError> {
        let api = self.member.client().resource::<Object>(properties.resource());
        for step in steps {
            match step {
                PropertyStep::Put(object) => {
                    let written = api.apply(&object, &apply()).await?;
                    let version = written.resource_version().to_owned();
                    properties.written(written.key(), &version, written);
                }
                PropertyStep::Delete(name) => {
                    ignore_missing(api.delete(&ObjectKey::cluster(name), &Delete::default()).await)?;
                }
            }
        }
        Ok(())
    }

    /// The cache of ClusterProperties; `None` until the member serves them.
    fn properties(&self) -> Option<Cache<Object>> {
        let mut known = self.properties.lock();
        if known.is_none() {
            let served = self.member.discovery();
            let resource = served.find(ClusterProperty::GROUP, ClusterProperty::KIND)?.resource.clone();
            let cache = self.member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            let changed = self.queue.clone();
            cache.observe(move |_| changed.add(ONLY.to_owned()));
            *known = Some(cache);
        }
        known.clone()
    }

    async fn install_definitions(&self, own: &str) -> Result<(), ClientError> {
        let api = self.member.client().resource::<Object>(self.definitions.resource());
        for mut definition in crd::members().into_iter().map(Object) {
            let present = self.definitions.get(&definition.key());
            let step = definitions::plan(present.as_deref(), &definition);
            if step == DefinitionStep::Keep {
                continue;
            }
            let cluster = self.member.name();
            tracing::info!(%cluster, definition = definition.name(), %step, "installing a CustomResourceDefinition");
            stamp(&mut definition, own);
            api.apply(&definition, &apply()).await?;
        }
        Ok(())
    }

    /// Whether the member has objects of a set that control plane `own` deletes. Lists them from the server instead of a cache, because this runs only
    /// when a cluster leaves.
    async fn has_objects_of_set(&self, own: &str) -> Result<bool, ClientError> {
        let discovery = self.member.discovery();
        for (group, kind) in KINDS_OF_SETS {
            let Some(found) = discovery.find(group, kind) else { continue };
            let api = self.member.client().resource::<Object>(&found.resource);
            let listed = api.list(&Selection::labels(labels::cluster_set::NAME)).await?;
            if listed.items.iter().any(|seen| is_own(&seen.object, own)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
