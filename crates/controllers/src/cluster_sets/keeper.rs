//! Keeps one member in step with its set: the definitions that it needs, and the properties that tell it who it is.
//!
//! Its own properties are the member's proof of membership, so they are written last when it joins and removed last
//! when it leaves, inside of their protection. Definitions stay: the exports that users made are objects of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::about::ClusterProperty;
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::multicluster::ServiceImport;
use portolan_api::{Kind, crd, labels};
use portolan_object::{Object, ObjectKey};
use portolan_plan::cluster_sets::definitions::{self, Step as DefinitionStep};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::cluster_sets::properties::{self, Step};
use portolan_runtime::client::{Apply, Delete, Selection};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Member, Outcome, Queue, Reconciler};

use super::protection::{Protection, Readiness};
use super::{ClusterSets, Progress};
use crate::MANAGER;
use crate::clusters::definition_cache;
use crate::hub::Hub;

/// While discovery takes back what the set brought.
const LEAVING_RECHECK: Duration = Duration::from_millis(100);
/// A property of somebody else is watched, and so is everything else; this is for what no watch tells.
const RECHECK: Duration = Duration::from_secs(30);
/// What a set brings into a member, apart from its properties.
const BROUGHT: &[(&str, &str)] =
    &[(ServiceImport::GROUP, ServiceImport::KIND), ("discovery.k8s.io", "EndpointSlice"), ("", "Service")];

struct Keeper {
    sets: ClusterSets,
    member: Arc<Member>,
    definitions: Cache<Object>,
    properties: Mutex<Option<Cache<Object>>>,
    protection: Protection,
    queue: Queue<String>,
}

/// Starts to keep a member.
pub(super) fn start(hub: &Hub, sets: &ClusterSets, member: &Arc<Member>) {
    let queue: Queue<String> = Queue::new(format!("cluster set of {}", member.name()));
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
    let (mut decisions, mut discovered) = (sets.watch(), member.watch_discovery());
    let clusters = hub.clusters.clone();
    spawn_until_stop(member.scope(), async move {
        clusters.synced().await;
        loop {
            queue.add(ONLY.to_owned());
            tokio::select! {
                changed = decisions.changed() => if changed.is_err() { return },
                changed = discovered.changed() => if changed.is_err() { return },
            }
        }
    });
}

/// There is one thing to keep.
const ONLY: &str = "membership";

impl Reconciler for Keeper {
    type Key = String;

    async fn reconcile(&self, _: &String) -> Outcome {
        if !self.sets.is_known() || !self.definitions.is_synced() {
            return Outcome::RequeueAfter(LEAVING_RECHECK);
        }
        let membership = self.sets.inner.decided.read().of(self.member.name().as_str()).cloned();
        let outcome = match membership {
            Some(membership) => self.keep(&membership).await,
            None => self.release().await,
        };
        match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if error.is_unreachable() && !self.sets.has_joined(&self.member) {
                    self.proceed(Progress::Pending(format!("the cluster cannot be reached: {error}")));
                }
                Outcome::retry(error)
            }
        }
    }
}

impl Keeper {
    fn proceed(&self, progress: Progress) {
        self.sets.proceed(self.member.name(), progress);
    }

    async fn keep(&self, membership: &Membership) -> Result<Outcome, ClientError> {
        self.install_definitions().await?;
        let Some(properties) = self.properties() else {
            let message = "waiting until the cluster serves ClusterProperty";
            self.proceed(Progress::Pending(message.to_owned()));
            return Ok(Outcome::RequeueAfter(RECHECK));
        };
        if !properties.is_synced() {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        match self.plan(&properties, Some(membership)) {
            Err(contradiction) => {
                // Whoever made the property has to be able to remove it.
                self.protection.release().await?;
                self.proceed(Progress::Contradicted(contradiction.to_string()));
                Ok(Outcome::RequeueAfter(RECHECK))
            }
            Ok(steps) => {
                if self.protection.keep(membership).await? == Readiness::Reading {
                    return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
                }
                self.take(&properties, steps).await?;
                self.proceed(Progress::Joined(membership.clone()));
                Ok(Outcome::Done)
            }
        }
    }

    /// A cluster that is in no set, and may have been.
    async fn release(&self) -> Result<Outcome, ClientError> {
        if let Some(properties) = self.properties() {
            if !properties.is_synced() {
                return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
            }
            // Without a membership there is nothing to contradict.
            let steps = self.plan(&properties, None).unwrap_or_default();
            if !steps.is_empty() {
                self.proceed(Progress::Leaving);
                if self.has_brought().await? {
                    return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
                }
                self.take(&properties, steps).await?;
            }
        } else if self.member.discovery().resources.is_empty() {
            return Ok(Outcome::Done);
        }
        self.protection.release().await?;
        self.proceed(Progress::Alone);
        Ok(Outcome::Done)
    }

    fn plan(
        &self,
        properties: &Cache<Object>,
        membership: Option<&Membership>,
    ) -> Result<Vec<Step>, properties::Contradiction> {
        let property = |name: &str| properties.get(&ObjectKey::cluster(name));
        let (id, set) = (property(ID_PROPERTY), property(SET_PROPERTY));
        properties::plan(membership, id.as_deref(), set.as_deref(), &properties.resource().gvk.api_version())
    }

    async fn take(&self, properties: &Cache<Object>, steps: Vec<Step>) -> Result<(), ClientError> {
        let api = self.member.client().resource::<Object>(properties.resource());
        for step in steps {
            match step {
                Step::Put(object) => {
                    let written = api.apply(&object, &apply()).await?;
                    let version = written.resource_version().to_owned();
                    properties.written(written.key(), &version, written);
                }
                Step::Delete(name) => match api.delete(&ObjectKey::cluster(name), &Delete::default()).await {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                },
            }
        }
        Ok(())
    }

    /// The cache of properties, from the moment that the member serves them.
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

    async fn install_definitions(&self) -> Result<(), ClientError> {
        let api = self.member.client().resource::<Object>(self.definitions.resource());
        for definition in crd::members().into_iter().map(Object) {
            let present = self.definitions.get(&definition.key());
            let step = definitions::plan(present.as_deref(), &definition);
            if step == DefinitionStep::Keep {
                continue;
            }
            tracing::info!(cluster = %self.member.name(), definition = definition.name(), ?step, "installing");
            api.apply(&definition, &apply()).await?;
        }
        Ok(())
    }

    /// Whether anything that the set brought is still there; asked of the server, because it happens once.
    async fn has_brought(&self) -> Result<bool, ClientError> {
        let discovery = self.member.discovery();
        for (group, kind) in BROUGHT {
            let Some(found) = discovery.find(group, kind) else { continue };
            let api = self.member.client().resource::<Object>(&found.resource);
            let listed = api.list(&Selection::labels(labels::cluster_set::NAME)).await?;
            if !listed.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl ClusterSets {
    fn has_joined(&self, member: &Member) -> bool {
        matches!(self.inner.progress.lock().get(member.name()), Some(Progress::Joined(_)))
    }
}

pub(super) fn apply() -> Apply {
    Apply { manager: MANAGER.to_owned(), force: true }
}
