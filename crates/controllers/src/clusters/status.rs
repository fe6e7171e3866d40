//! Asks one member how it is and what it has, and writes that into the status of its Cluster object.
//!
//! One task per member, so a member that hangs delays nobody. Besides the clock, a change of the member's
//! CustomResourceDefinitions or nodes wakes it: what a CRD adds can be used at once.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::{Cluster, ClusterStatus};
use portolan_api::meta::set_condition;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::probe::{Doubt, Probe};
use portolan_plan::clusters::status::{api_enablements, completeness, node_summary};
use portolan_runtime::client::{Discovery, Patch, Selection};
use portolan_runtime::members::Health;
use portolan_runtime::{Cache, ClientError, Member, Resource};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clusters::Probing;
use crate::definitions::{definition_cache, established_kind};
use crate::hub::Hub;

const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// An API server serves a new type a moment after it says that it is established.
const SETTLING: Duration = Duration::from_millis(25);
const SETTLING_LOOKS: u32 = 40;
/// Time that caches of an answering member may be without contact before the cluster is not ready.
const TROUBLE_TOLERANCE: Duration = Duration::from_secs(5);
const TROUBLE_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// After a failed write; the next probe would come too late.
const WRITE_RETRY: Duration = Duration::from_millis(200);

pub(super) struct Collector {
    hub: Hub,
    member: Arc<Member>,
    probing: Probing,
    doubt: Doubt,
    definitions: Cache<Object>,
    nodes: Cache<Object>,
    changed: Arc<Notify>,
    /// Since when the member answers although caches of it have no contact.
    unwatchable_since: Option<Instant>,
    /// Whether a cache had no contact at the last probe.
    was_in_trouble: bool,
}

/// What an answering member told.
struct Told {
    version: String,
    discovery: Discovery,
}

impl Collector {
    pub(super) fn new(hub: &Hub, member: Arc<Member>, probing: Probing) -> Self {
        let changed = Arc::new(Notify::new());
        let wake = |cache: &Cache<Object>| {
            let changed = changed.clone();
            cache.observe(move |change| {
                // What is kept of both kinds is little; most changes do not touch it.
                if change.old != change.new {
                    changed.notify_one();
                }
            });
        };
        let definitions = definition_cache(&member);
        wake(&definitions);
        let nodes = member.cache(&nodes(), Selection::all(), |builder| builder.trim(readiness), wake);
        Self {
            hub: hub.clone(),
            member,
            probing,
            doubt: Doubt::default(),
            definitions,
            nodes,
            changed,
            unwatchable_since: None,
            was_in_trouble: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let started = Instant::now();
            let pause = match self.look().await {
                Ok(()) => self.probing.interval,
                Err(error) => {
                    tracing::debug!(cluster = %self.member.name(), %error, "status not written, trying again");
                    WRITE_RETRY
                }
            };
            let pause = if self.unwatchable_since.is_some() { pause.min(TROUBLE_TOLERANCE) } else { pause };
            let next = started + pause;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.changed.notified() => {}
                () = self.trouble_changed() => {}
            }
        }
    }

    /// Waits until caches of the member lose contact, or have it again.
    async fn trouble_changed(&self) {
        loop {
            tokio::time::sleep(TROUBLE_POLL_INTERVAL).await;
            if self.member.trouble().is_some() != self.was_in_trouble {
                return;
            }
        }
    }

    /// The state of a member that answers: healthy, unless caches have had no contact for a while.
    fn watched(&mut self) -> Probe {
        let Some((resource, trouble)) = self.member.trouble() else {
            self.unwatchable_since = None;
            return Probe::Healthy;
        };
        // A cache may still wait although the API server is back.
        self.member.retry_caches();
        let since = *self.unwatchable_since.get_or_insert_with(Instant::now);
        if since.elapsed() < TROUBLE_TOLERANCE {
            return Probe::Healthy;
        }
        Probe::Unwatchable(format!("{resource}: {trouble}"))
    }

    /// One probe and what follows from it.
    async fn look(&mut self) -> Result<(), ClientError> {
        let probe = self.probe().await;
        self.was_in_trouble = self.member.trouble().is_some();
        if !probe.is_answered() {
            self.unwatchable_since = None;
        }
        let Some(cluster) = self.hub.cluster(self.member.name()) else { return Ok(()) };
        let elapsed = self.hub.clock.elapsed();
        let counts = self.doubt.judge(&cluster.status.conditions, &probe, elapsed, self.probing.thresholds);
        // Work goes on at the first good answer, and stops only when the failure counts.
        if probe.is_answered() {
            self.set_health(Health::Ready, &probe);
        } else if counts {
            self.set_health(Health::NotReady, &probe);
        }
        let told = if probe.is_answered() { self.ask().await } else { None };
        let mut status = cluster.status.clone();
        if counts {
            set_condition(&mut status.conditions, probe.condition(&self.hub.now()));
        }
        if let Some(told) = told {
            self.report(&mut status, told);
        }
        if status == cluster.status {
            return Ok(());
        }
        self.write(&cluster, &status).await
    }

    fn set_health(&self, health: Health, probe: &Probe) {
        if !self.member.set_health(health) {
            return;
        }
        let (cluster, cause) = (self.member.name(), probe.condition("").message);
        match health {
            Health::NotReady => {
                tracing::warn!(%cluster, cause, "cluster is not ready, its objects stay as they are")
            }
            Health::Ready | Health::Unknown => tracing::info!(%cluster, "cluster is ready"),
        }
    }

    async fn probe(&mut self) -> Probe {
        let client = self.member.client().clone().with_timeout(PROBE_TIMEOUT);
        let mut answer = client.text("/readyz").await;
        if matches!(answer, Err(ClientError::NotFound(_))) {
            answer = client.text("/healthz").await;
        }
        match answer {
            Ok(_) => self.watched(),
            Err(error @ ClientError::Unreachable { .. }) => Probe::Unreachable(error.to_string()),
            Err(error) => Probe::Unhealthy(error.to_string()),
        }
    }

    /// Version and resources; `None` when the member stops answering in between.
    async fn ask(&self) -> Option<Told> {
        let version = self.member.client().json::<Value>("/version").await.ok()?;
        let version = version["gitVersion"].as_str().unwrap_or_default().to_owned();
        let mut discovery = self.member.client().discover().await.ok()?;
        for _ in 0..SETTLING_LOOKS {
            if self.serves_definitions(&discovery) {
                break;
            }
            tokio::time::sleep(SETTLING).await;
            discovery = self.member.client().discover().await.ok()?;
        }
        Some(Told { version, discovery })
    }

    /// Whether every established definition is in the list.
    fn serves_definitions(&self, discovery: &Discovery) -> bool {
        let definitions = self.definitions.list();
        let mut kinds = definitions.iter().filter_map(|definition| established_kind(definition));
        kinds.all(|kind| discovery.find(&kind.group, &kind.kind).is_some())
    }

    fn report(&self, status: &mut ClusterStatus, told: Told) {
        let resources = &told.discovery.resources;
        let listed = resources.iter().map(|found| (&found.resource.gvk, found.resource.plural.as_str()));
        status.api_enablements = api_enablements(listed);
        status.kubernetes_version = told.version;
        let failed: Vec<String> = told.discovery.failed.iter().map(ToString::to_string).collect();
        set_condition(
            &mut status.conditions,
            completeness(&status.api_enablements, &failed, &self.hub.now()),
        );
        if self.nodes.is_synced() {
            let nodes = self.nodes.list();
            status.node_summary = Some(node_summary(nodes.iter().map(AsRef::as_ref)));
        }
        self.member.set_discovery(told.discovery);
    }

    async fn write(&self, cluster: &Cluster, status: &ClusterStatus) -> Result<(), ClientError> {
        let mut patch =
            json!({ "metadata": { "resourceVersion": cluster.metadata.resource_version }, "status": {} });
        let (old, new) = (json!(cluster.status), json!(status));
        for (field, value) in new.as_object().into_iter().flatten() {
            if old.get(field) != Some(value) {
                patch["status"][field] = value.clone();
            }
        }
        let key = ObjectKey::cluster(self.member.name().as_str());
        self.hub.client.kind::<Cluster>().patch_status(&key, &Patch::Merge(patch)).await?;
        Ok(())
    }
}

fn nodes() -> Resource {
    resources::NODE.into()
}

/// Keeps of a Node whether it is ready, so that heartbeats are no changes.
fn readiness(node: &mut Object) {
    let conditions = node.at(&["status", "conditions"]).and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let status = ready.map(|ready| ready["status"].clone()).unwrap_or_default();
    let mut kept = Object::new(&node.group_version_kind(), &node.key());
    kept.0["status"] = json!({ "conditions": [{ "type": "Ready", "status": status }] });
    *node = kept;
}
