//! Writes the Lease of an agent: its heartbeat, with what it sees as an annotation.

use std::time::Duration;

use portolan_api::{annotations, labels, resources};
use portolan_net::Clock;
use portolan_object::time::format_micro_time;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::{Api, Client, ClientError};
use serde_json::json;

use super::Probes;
use crate::missing::ignore_missing;

/// Time between two renewals. A changed sight is written at once.
const RENEWAL: Duration = Duration::from_secs(5);
/// Shortest time between two writes.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// Timeout of each request.
const TIMEOUT: Duration = Duration::from_secs(3);
/// `leaseDurationSeconds`: three renewals.
const DURATION_SECS: u64 = 15;

/// Namespace and name of the Lease of an agent.
#[derive(Debug, Clone)]
pub struct LeaseName {
    /// One of [`portolan_api::names::AGENT_NAMESPACES`].
    pub namespace: String,
    /// Name of the agent among those of its cluster, such as the name of its pod.
    pub agent: String,
}

impl LeaseName {
    fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(self.namespace.as_str(), format!("portolan-agent-{}", self.agent))
    }
}

pub(super) struct LeaseWriter {
    api: Api<Object>,
    name: LeaseName,
    probes: Probes,
    clock: Clock,
}

impl LeaseWriter {
    pub(super) fn new(client: &Client, name: LeaseName, probes: Probes, clock: &Clock) -> Self {
        let api = client.clone().with_timeout(TIMEOUT).resource(&resources::LEASE.into());
        Self { api, name, probes, clock: clock.clone() }
    }

    pub(super) async fn run(self) {
        let mut written = None;
        let mut was_written = true;
        loop {
            match self.renew(written.take()).await {
                Ok(lease) => {
                    written = Some(lease);
                    was_written = true;
                }
                Err(error) => {
                    // Told once, not at each attempt.
                    if std::mem::replace(&mut was_written, false) {
                        tracing::warn!(
                            lease = %self.name.key(), %error,
                            "the agent cannot tell what it sees: its account needs get, create and update of leases there"
                        );
                    }
                }
            }
            let pause = if was_written { RENEWAL } else { RENEWAL / 5 };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.probes.changed.notified() => tokio::time::sleep(MIN_PAUSE).await,
            }
        }
    }

    /// Renews the Lease, as it was written last or as it is found, or creates it.
    async fn renew(&self, written: Option<Object>) -> Result<Object, ClientError> {
        if let Some(written) = written {
            match self.api.replace(&self.lease(Some(&written))).await {
                Err(error) if error.is_race() || error.is_not_found() => {}
                renewed => return renewed,
            }
        }
        match ignore_missing(self.api.get(&self.name.key()).await)? {
            Some(present) => self.api.replace(&self.lease(Some(&present))).await,
            None => self.api.create(&self.lease(None)).await,
        }
    }

    fn lease(&self, present: Option<&Object>) -> Object {
        let mut lease = Object::new(&resources::LEASE.gvk(), &self.name.key());
        if let Some(present) = present {
            lease.0["metadata"] = present.0["metadata"].clone();
            lease.metadata_mut().remove("managedFields");
        }
        lease.set_label(labels::agent::LEASE, labels::TRUE);
        lease.set_annotation(annotations::agent::PROBES, json!(self.probes.report()).to_string());
        lease.0["spec"] = json!({
            "holderIdentity": self.name.agent,
            "leaseDurationSeconds": DURATION_SECS,
            "renewTime": format_micro_time(self.clock.now()),
        });
        lease
    }
}
