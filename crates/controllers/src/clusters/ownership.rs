//! Keeps the Lease of this control plane in each member, and reports who holds the member.
//!
//! `portolan_plan::clusters::ownership` decides; `portolan_runtime::members::Hold` stops the writes of all controllers
//! when the Lease is another control plane's. One task per member, with one request per renewal.

pub(super) mod take;

use std::sync::Arc;
use std::time::Duration;

use portolan_api::conditions::cluster::{ANOTHER_CLUSTER, HELD_BY_ANOTHER, LEASE_REFUSED};
use portolan_api::{labels, names, resources};
use portolan_net::Clock;
use portolan_object::time::format_micro_time;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::ownership::{
    ControlPlane, Holder, LeaseStep, another_cluster, held_by_another, held_lease, lease_key, plan,
};
use portolan_runtime::client::{Api, Delete};
use portolan_runtime::driver::is_terminating;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::members::{HoldState, MembershipChange, Refusal};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Client, ClientError, Member};
use tokio::time::Instant;

use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Minimum time between two requests for a Lease.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// Timeout of each request for a Lease.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts to write a Lease into a namespace that is being deleted.
const DELETED_NAMESPACE_PAUSE: Duration = Duration::from_secs(1);
/// Attempts to delete a Lease that is renewed at the same time.
const DELETE_ATTEMPTS: usize = 5;

/// How this control plane holds its members.
#[derive(Debug, Clone)]
pub struct Leasing {
    /// Name of the control plane for people, such as its URL; written into the Leases.
    pub name: String,
    /// Time between two renewals of a Lease. A control plane that lost a member stops to write within this time.
    pub renewal: Duration,
    /// Time without renewal after which the control plane counts as gone.
    pub duration: Duration,
}

impl Default for Leasing {
    fn default() -> Self {
        Self { name: String::new(), renewal: Duration::from_secs(10), duration: Duration::from_secs(40) }
    }
}

/// Starts the keeper of each present and future member.
pub(super) fn start(hub: &Hub, leasing: Leasing) {
    let shared = hub.clone();
    hub.members.observe(move |change| {
        let MembershipChange::Joined(member) = change else { return };
        let keeper = Keeper {
            hub: shared.clone(),
            member: member.clone(),
            leasing: leasing.clone(),
            written: None,
            sighting: None,
        };
        spawn_until_stop(member.scope(), keeper.run());
    });
}

/// The renewal of another control plane that was seen last.
struct Sighting {
    renewed: String,
    since: Instant,
    is_renewed: bool,
}

struct Keeper {
    hub: Hub,
    member: Arc<Member>,
    leasing: Leasing,
    /// The Lease as this control plane wrote it last.
    written: Option<Object>,
    sighting: Option<Sighting>,
}

impl Keeper {
    async fn run(mut self) {
        let Some(id) = self.hub.control_plane_id().await else { return };
        let own = ControlPlane { id: id.to_string(), name: self.leasing.name.clone() };
        let hold = self.member.hold().clone();
        let mut health = self.member.watch_health();
        loop {
            let started = Instant::now();
            let turn = hold.turn().await;
            if hold.state() == HoldState::Released {
                return;
            }
            let pause = match self.pass(&own, &id).await {
                Ok(()) => self.leasing.renewal,
                Err(error) if error.is_race() => MIN_PAUSE,
                Err(error) => self.failed(error),
            };
            drop(turn);
            tokio::select! {
                () = tokio::time::sleep_until(started + pause) => {}
                () = hold.wanted() => {}
                changed = health.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep_until(started + MIN_PAUSE).await;
        }
    }

    fn api(&self) -> Api<Object> {
        leases(&self.member.lease_client().clone().with_timeout(LEASE_TIMEOUT))
    }

    /// Renews the Lease, or reads it and decides.
    async fn pass(&mut self, own: &ControlPlane, id: &Arc<str>) -> Result<(), ClientError> {
        if self.member.has_agent() {
            return self.look(own, id).await;
        }
        let now = now(&self.hub.clock);
        let cluster = self.member.name().to_string();
        let wanted =
            |present: Option<&Object>| held_lease(own, &cluster, present, self.leasing.duration, &now);
        let api = self.api();
        if let Some(written) = self.written.clone() {
            match api.replace(&wanted(Some(&written))).await {
                Ok(written) => {
                    self.held(id, written);
                    return Ok(());
                }
                // Another client wrote or deleted it: read it.
                Err(error) if error.is_race() || error.is_not_found() => self.written = None,
                Err(error) => return Err(error),
            }
        }
        if let Some(message) = self.another_cluster().await? {
            self.refuse(Refusal { reason: ANOTHER_CLUSTER, message });
            return Ok(());
        }
        let present = ignore_missing(api.get(&lease_key()).await)?;
        let written = match plan(present.as_ref(), &own.id) {
            LeaseStep::Refuse(holder) => {
                self.refused(&holder);
                return Ok(());
            }
            LeaseStep::Write => api.replace(&wanted(present.as_ref())).await?,
            LeaseStep::Create => {
                create_namespace(self.member.lease_client(), &own.id).await?;
                api.create(&wanted(None)).await?
            }
        };
        self.held(id, written);
        Ok(())
    }

    /// Why the answering cluster is not the one that has joined; `None` if it is, or if that is not known. Asked whenever the
    /// Lease is not as it was written: another cluster at the same address has another one, or none.
    async fn another_cluster(&self) -> Result<Option<String>, ClientError> {
        let Some(cluster) = self.hub.cluster(self.member.name()) else { return Ok(None) };
        let client = self.member.lease_client().clone().with_timeout(LEASE_TIMEOUT);
        let namespaces = client.resource::<Object>(&resources::NAMESPACE.into());
        match namespaces.get(&ObjectKey::cluster("kube-system")).await {
            Ok(system) => Ok(another_cluster(&cluster, system.uid())),
            // A credential with few rights cannot tell.
            Err(ClientError::Forbidden(_) | ClientError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the Lease, which the agent of the member keeps for this control plane.
    async fn look(&mut self, own: &ControlPlane, id: &Arc<str>) -> Result<(), ClientError> {
        let present = ignore_missing(self.api().get(&lease_key()).await)?;
        match present.as_ref().and_then(Holder::of) {
            Some(holder) if holder.control_plane.id != own.id => self.refused(&holder),
            Some(_) => self.confirm(id),
            None => {
                self.member.hold().fail("the agent of the cluster has not taken its lease yet".to_owned())
            }
        }
        Ok(())
    }

    fn held(&mut self, id: &Arc<str>, written: Object) {
        self.written = Some(written);
        self.confirm(id);
    }

    fn confirm(&mut self, id: &Arc<str>) {
        self.sighting = None;
        // A renewal that is late is confirmed before the next write.
        let validity = self.leasing.renewal + self.leasing.renewal / 2;
        if self.member.hold().confirm(id, validity) {
            let cluster = self.member.name();
            tracing::info!(%cluster, control_plane = %id, "this control plane holds the cluster");
            self.member.client().metrics().set_held(cluster, true);
        }
    }

    fn refused(&mut self, holder: &Holder) {
        let is_renewed = match &mut self.sighting {
            Some(seen) if seen.renewed == holder.renewed => {
                seen.is_renewed &= seen.since.elapsed() < holder.duration;
                seen.is_renewed
            }
            seen => {
                *seen = Some(Sighting {
                    renewed: holder.renewed.clone(),
                    since: Instant::now(),
                    is_renewed: true,
                });
                true
            }
        };
        let message = held_by_another(holder, self.member.name().as_str(), is_renewed);
        self.refuse(Refusal { reason: HELD_BY_ANOTHER, message });
    }

    /// Handles a failed request; returns the pause. Without an answer the present confirmation stays valid for its time.
    fn failed(&mut self, error: ClientError) -> Duration {
        let cluster = self.member.name();
        if error.status().is_some_and(is_terminating) {
            // It is made again when it is gone.
            self.member.hold().fail(error.to_string());
            return DELETED_NAMESPACE_PAUSE.min(self.leasing.renewal);
        }
        if let ClientError::Forbidden(_) | ClientError::Invalid(_) | ClientError::NotFound(_) = error {
            let message = format!(
                "the lease {} in the cluster cannot be kept, so nothing is written there: {error}; check whether the \
                 credential in the cluster's secret may get, create and update leases.coordination.k8s.io, and whether \
                 another control plane has taken the cluster over: `portolan join {cluster}` tells",
                lease_key()
            );
            self.refuse(Refusal { reason: LEASE_REFUSED, message });
            return self.leasing.renewal;
        }
        tracing::debug!(%cluster, %error, "the lease is not renewed, trying again");
        self.member.hold().fail(error.to_string());
        self.leasing.renewal
    }

    fn refuse(&self, refusal: Refusal) {
        let (hold, cluster) = (self.member.hold(), self.member.name());
        let Refusal { reason, message } = refusal.clone();
        if !hold.refuse(refusal) {
            return;
        }
        tracing::warn!(%cluster, reason, message, "nothing is written to the cluster");
        self.member.client().metrics().set_held(cluster, false);
        if let Some(object) = self.hub.cluster(cluster) {
            self.hub.events.record(Regarding::kind(&*object), Severity::Warning, reason, message);
        }
    }
}

/// Gives a member up: deletes the Lease if this control plane holds it. No controller writes there afterwards.
pub(super) async fn release(member: &Member) -> Result<(), ClientError> {
    let _turn = member.hold().turn().await;
    let Some(own) = member.hold().holder() else { return Ok(()) };
    member.hold().release();
    // A member that does not answer keeps the Lease; its removal must not wait long.
    let client = member.lease_client().clone().with_timeout(LEASE_TIMEOUT);
    delete_lease(&client, &own).await
}

/// Deletes the Lease of a member if control plane `own` holds it.
pub(super) async fn delete_lease(member: &Client, own: &str) -> Result<(), ClientError> {
    let api = leases(member);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let Some(lease) = ignore_missing(api.get(&lease_key()).await)? else { return Ok(()) };
        if Holder::of(&lease).is_some_and(|holder| holder.control_plane.id != own) {
            return Ok(());
        }
        let resource_version = Some(lease.resource_version().to_owned());
        let options = Delete { resource_version, ..Delete::default().uid(lease.uid()) };
        match ignore_missing(api.delete(&lease_key(), &options).await) {
            Err(error) if error.is_race() && attempts < DELETE_ATTEMPTS => {}
            result => return result.map(drop),
        }
    }
}

/// Creates the namespace of the Lease unless it exists.
async fn create_namespace(member: &Client, own: &str) -> Result<(), ClientError> {
    let key = ObjectKey::cluster(names::CLUSTER_NAMESPACE);
    let mut namespace = Object::new(&resources::NAMESPACE.gvk(), &key);
    namespace.set_label(labels::SYSTEM, labels::TRUE);
    namespace.set_label(labels::CONTROL_PLANE, own);
    match member.resource::<Object>(&resources::NAMESPACE.into()).create(&namespace).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn leases(client: &Client) -> Api<Object> {
    client.resource(&resources::LEASE.into())
}

/// The current time in the format of `metav1.MicroTime`.
pub(super) fn now(clock: &Clock) -> String {
    format_micro_time(clock.now())
}
