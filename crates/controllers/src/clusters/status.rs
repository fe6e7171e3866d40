//! Probes one member and writes its health, version, APIs and capacity into the status of its Cluster object.
//!
//! One task per member, so that a member that hangs delays no other. A change of the member's CustomResourceDefinitions
//! wakes it before the interval ends, so that the kinds of a new CRD can be used without delay. Changes of its nodes and
//! pods are written without a probe, every few seconds at most.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::{Cluster, ClusterStatus};
use portolan_api::conditions::cluster::{
    CREDENTIAL_SUSPENDED, MEMORY_BUDGET_EXCEEDED, READY, RESOURCE_VERSIONS_WENT_BACK,
};
use portolan_api::meta::{condition, set_condition};
use portolan_object::patch::difference;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::clock::clock_condition;
use portolan_plan::clusters::permissions::{GroupResource, rights_condition};
use portolan_plan::clusters::probe::{Doubt, Probe, Verdict};
use portolan_plan::clusters::status::{api_enablements, completeness};
use portolan_runtime::client::Patch;
use portolan_runtime::members::Health;
use portolan_runtime::{Cache, ClientError, Member, Resource};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clusters::Probing;
use crate::clusters::answers::Answers;
use crate::clusters::capacity::PacedCapacity;
use crate::clusters::prober::{Prober, TROUBLE_TOLERANCE, record};
use crate::definitions::definition_cache;
use crate::hub::Hub;

const TROUBLE_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Delay after a failed write, which is shorter than the probe interval.
const WRITE_RETRY: Duration = Duration::from_millis(200);
/// Time before a suspended credential is reported: `join` writes the Secret and the Cluster one after the other.
const SUSPENSION_DELAY: Duration = Duration::from_secs(1);

pub(super) struct Collector {
    hub: Hub,
    member: Arc<Member>,
    prober: Prober,
    probing: Probing,
    doubt: Doubt,
    definitions: Cache<Object>,
    capacity: PacedCapacity,
    changed: Arc<Notify>,
    /// Whether a cache had no contact at the last probe, and what might not be read.
    was_in_trouble: (bool, BTreeSet<Resource>),
    /// Caches that were listed again because the versions of the member went back, at the last probe.
    rewinds: u64,
}

impl Collector {
    pub(super) fn new(hub: &Hub, member: Arc<Member>, probing: Probing) -> Self {
        let changed = Arc::new(Notify::new());
        let definitions = definition_cache(&member);
        let wake = changed.clone();
        definitions.observe(move |change| {
            // The cache keeps few fields; most changes do not concern them.
            if change.old != change.new {
                wake.notify_one();
            }
        });
        Self {
            hub: hub.clone(),
            prober: Prober::new(hub, member.clone()),
            capacity: PacedCapacity::new(hub.capacities.of(member.name().as_str())),
            member,
            probing,
            doubt: Doubt::default(),
            definitions,
            changed,
            was_in_trouble: Default::default(),
            rewinds: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut held = self.member.hold().watch();
        if let Some(over_budget) = self.member.over_budget() {
            record(&self.hub, &self.member, MEMORY_BUDGET_EXCEEDED, over_budget.to_string());
        }
        if let Some(reason) = self.member.suspension() {
            tokio::time::sleep(SUSPENSION_DELAY).await;
            record(&self.hub, &self.member, CREDENTIAL_SUSPENDED, reason.to_owned());
        }
        loop {
            held.borrow_and_update();
            let started = Instant::now();
            let pause = match self.poll().await {
                Ok(()) => self.doubt.pause(self.probing.interval),
                Err(error) => {
                    tracing::debug!(cluster = %self.member.name(), %error, "status not written, trying again");
                    WRITE_RETRY
                }
            };
            let pause = if self.prober.is_in_trouble() { pause.min(TROUBLE_TOLERANCE) } else { pause };
            let next = started + pause;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    () = self.changed.notified() => break,
                    () = self.trouble_changed() => break,
                    // An error ends with the member.
                    _ = held.changed() => break,
                    () = self.capacity.is_due() => {}
                }
                self.write_capacity().await;
            }
        }
    }

    /// Writes the capacity into the status, if it changed. After a failure the next probe writes it.
    async fn write_capacity(&mut self) {
        self.capacity.restart();
        if self.member.health() != Health::Ready || self.member.has_agent() {
            return;
        }
        let Some(cluster) = self.hub.cluster(self.member.name()) else { return };
        let mut status = cluster.status.clone();
        self.capacity.fill(&cluster, &mut status);
        if status != cluster.status
            && let Err(error) = self.write(&cluster, &status).await
        {
            tracing::debug!(cluster = %self.member.name(), %error, "capacity not written, the next probe tries again");
        }
    }

    /// Tells when caches were listed again because the versions of the member went back.
    fn report_rewinds(&mut self) {
        let rewinds = self.member.client().rewinds();
        if rewinds > std::mem::replace(&mut self.rewinds, rewinds) {
            let message = "resource versions are lower than before: the etcd of the cluster was restored from a backup; \
                           its objects are read again";
            record(&self.hub, &self.member, RESOURCE_VERSIONS_WENT_BACK, message.to_owned());
        }
    }

    /// Waits until caches of the member lose contact or rights, or have them again.
    async fn trouble_changed(&self) {
        loop {
            tokio::time::sleep(TROUBLE_POLL_INTERVAL).await;
            if self.trouble() != self.was_in_trouble {
                return;
            }
        }
    }

    fn trouble(&self) -> (bool, BTreeSet<Resource>) {
        (self.member.trouble().is_some(), self.member.forbidden())
    }

    /// Probes the member once and writes the status if it changed.
    async fn poll(&mut self) -> Result<(), ClientError> {
        let asked = self.hub.clock.elapsed();
        let probe = self.prober.probe().await;
        self.report_rewinds();
        self.was_in_trouble = self.trouble();
        let Some(cluster) = self.hub.cluster(self.member.name()) else { return Ok(()) };
        let now = self.hub.clock.elapsed();
        let (conditions, thresholds) = (&cluster.status.conditions, self.probing.thresholds);
        let verdict = self.doubt.verdict(conditions, &probe, asked, now, thresholds);
        // The member is used again after the first success, and not used only after the failure threshold.
        if probe.is_answered() {
            self.set_health(Health::Ready, &probe);
        } else if verdict == Verdict::Publish && !self.waits_for_agent(&cluster) {
            self.set_health(Health::NotReady, &probe);
        }
        let answers =
            if probe.is_answered() { Answers::of(&self.member, &self.definitions).await } else { None };
        let mut status = cluster.status.clone();
        let (name, skew) = (self.member.name().as_str(), self.prober.skew());
        if let Some(clock) = clock_condition(&status.conditions, name, skew, &self.hub.now()) {
            set_condition(&mut status.conditions, clock);
        }
        if self.member.has_agent() {
            // The agent reports the rest.
            if let Some(answers) = answers {
                self.member.set_discovery(answers.discovery);
            }
            return self.write_changed(&cluster, &status).await;
        }
        let ready = match verdict {
            Verdict::Publish => Some(probe.condition(&self.hub.now())),
            Verdict::NotSeen => Some(probe.not_seen(&self.hub.now())),
            Verdict::Keep => None,
        };
        if let Some(ready) = ready {
            set_condition(&mut status.conditions, ready);
        }
        if let Some(held) = probe.hold_condition(&status.conditions, &self.hub.now()) {
            set_condition(&mut status.conditions, held);
        }
        if let Some(answers) = answers {
            self.fill(&mut status, answers);
            self.fill_rights(&mut status);
            self.capacity.fill(&cluster, &mut status);
        }
        self.write_changed(&cluster, &status).await
    }

    fn fill_rights(&self, status: &mut ClusterStatus) {
        let (_, forbidden) = &self.was_in_trouble;
        let missing: BTreeSet<GroupResource> =
            forbidden.iter().map(|one| GroupResource::new(&one.gvk.group, &one.plural)).collect();
        let (name, now) = (self.member.name().as_str(), self.hub.now());
        if let Some(rights) = rights_condition(&status.conditions, name, &missing, &now) {
            set_condition(&mut status.conditions, rights);
        }
    }

    async fn write_changed(&self, cluster: &Cluster, status: &ClusterStatus) -> Result<(), ClientError> {
        if *status == cluster.status {
            return Ok(());
        }
        self.write(cluster, status).await
    }

    /// Whether the agent of a cluster in pull mode has not reported yet, nor opened its tunnel: that it is not reached says
    /// nothing.
    fn waits_for_agent(&self, cluster: &Cluster) -> bool {
        self.member.has_agent() && condition(&cluster.status.conditions, READY).is_none()
    }

    fn set_health(&self, health: Health, probe: &Probe) {
        if !self.member.set_health(health) {
            return;
        }
        let (cluster, cause) = (self.member.name(), probe.condition("").message);
        match health {
            Health::NotReady => {
                tracing::warn!(%cluster, cause, "cluster is not ready, its objects stay as they are");
                record(
                    &self.hub,
                    &self.member,
                    &probe.condition("").reason,
                    format!("cluster {cluster} is not ready: {cause}"),
                );
            }
            Health::Ready | Health::Unknown => tracing::info!(%cluster, "cluster is ready"),
        }
    }

    fn fill(&self, status: &mut ClusterStatus, answers: Answers) {
        let resources = &answers.discovery.resources;
        let listed = resources.iter().map(|found| (&found.resource.gvk, found.resource.plural.as_str()));
        status.api_enablements = api_enablements(listed);
        status.kubernetes_version = answers.version;
        let failed: Vec<String> = answers.discovery.failed.iter().map(ToString::to_string).collect();
        set_condition(
            &mut status.conditions,
            completeness(&status.api_enablements, &failed, &self.hub.now()),
        );
        self.member.set_discovery(answers.discovery);
    }

    async fn write(&self, cluster: &Cluster, status: &ClusterStatus) -> Result<(), ClientError> {
        let patch = json!({
            "metadata": { "resourceVersion": cluster.metadata.resource_version },
            "status": difference(&json!(cluster.status), &json!(status)),
        });
        let key = ObjectKey::cluster(self.member.name().as_str());
        self.hub.client.kind::<Cluster>().patch_status(&key, &Patch::Merge(patch)).await?;
        Ok(())
    }
}
