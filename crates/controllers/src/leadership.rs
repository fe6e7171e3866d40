//! One leader among the replicas of a control plane, by a Lease in its API server. `portolan_plan::leadership` decides.
//!
//! The leader runs the controllers. It stops when it could not renew the Lease for [`Terms::renewal`], which is before
//! another replica takes it; the process ends then, as those of Kubernetes do, so that nothing of it goes on writing.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::{names, resources};
use portolan_net::Clock;
use portolan_object::time::format_micro_time;
use portolan_object::{Object, ObjectKey};
use portolan_plan::leadership::{Step, held, holder, plan, released};
use portolan_runtime::{Api, Client, ClientError};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

pub use portolan_plan::leadership::{Terms, TermsError};

use crate::missing::ignore_missing;

/// Name of the Lease.
pub const LEASE: &str = "portolan-server";
/// Time after which a failure that goes on is logged again.
const REMINDER: Duration = Duration::from_secs(60);

/// How far a candidate has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// The Lease was not read yet.
    #[default]
    Asking,
    /// Another replica leads, the named one.
    Follows(String),
    /// The Lease cannot be read or written, and why.
    Barred(String),
    /// This replica leads, or led.
    Leads,
}

/// The standing of a candidate, for others to read. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Candidacy(Arc<Mutex<Standing>>);

impl Candidacy {
    /// The standing now.
    pub fn standing(&self) -> Standing {
        self.0.lock().clone()
    }

    fn set(&self, standing: Standing) {
        *self.0.lock() = standing;
    }
}

/// A candidate for the leadership.
#[derive(Debug)]
pub struct Election {
    client: Client,
    key: ObjectKey,
    identity: String,
    terms: Terms,
    clock: Clock,
    observed: Option<Observed>,
    /// The failure that was reported last, and when.
    reported: Option<(String, Instant)>,
    candidacy: Candidacy,
}

/// The Lease of another replica, and since when this one sees it as it is.
#[derive(Debug)]
struct Observed {
    version: String,
    holder: String,
    since: Instant,
}

/// The leadership of this replica. The Lease is renewed while [`Leadership::lost`] is polled, which may be dropped and
/// called again.
#[derive(Debug)]
pub struct Leadership {
    election: Election,
    lease: Object,
    renewed: Instant,
}

/// Why this replica leads no longer.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another replica took the Lease.
    #[error("{holder} leads now: the Lease {key} is no longer of this replica")]
    Taken {
        /// The Lease.
        key: ObjectKey,
        /// The other replica.
        holder: String,
    },
    /// The API server did not take a renewal in time.
    #[error(
        "the Lease {key} could not be renewed for {silence:?}, so that another replica may lead: {cause}"
    )]
    NotRenewed {
        /// The Lease.
        key: ObjectKey,
        /// Time since the last renewal.
        silence: Duration,
        /// Failure of the last attempt.
        cause: String,
    },
}

impl Election {
    /// A candidate with a name that no other process has; `host` makes it readable.
    pub fn new(client: &Client, host: &str, terms: Terms, clock: &Clock) -> Self {
        Self {
            // Time for a second attempt when an answer does not come.
            client: client.clone().with_timeout(terms.renewal / 2),
            key: ObjectKey::namespaced(names::SYSTEM_NAMESPACE, LEASE),
            identity: format!("{host}_{}", Uuid::new_v4()),
            terms,
            clock: clock.clone(),
            observed: None,
            reported: None,
            candidacy: Candidacy::default(),
        }
    }

    /// The standing of this candidate, also while it waits.
    pub fn candidacy(&self) -> Candidacy {
        self.candidacy.clone()
    }

    /// Waits until this replica leads. An API server that does not answer is asked again.
    pub async fn win(mut self) -> Leadership {
        loop {
            let started = Instant::now();
            match self.attempt().await {
                Ok(Some(lease)) => {
                    tracing::info!(lease = %self.key, identity = self.identity, "this replica leads");
                    self.candidacy.set(Standing::Leads);
                    return Leadership { election: self, lease, renewed: started };
                }
                Ok(None) => {
                    self.reported = None;
                    let leader = self.observed.as_ref().map(|seen| seen.holder.clone());
                    self.candidacy.set(Standing::Follows(leader.unwrap_or_default()));
                }
                // The next attempt sees what the other one wrote.
                Err(error) if error.is_race() => {}
                Err(error) => self.report(&error),
            }
            tokio::time::sleep_until(started + self.terms.retry).await;
        }
    }

    /// The Lease, if this replica has it now.
    async fn attempt(&mut self) -> Result<Option<Object>, ClientError> {
        let present = ignore_missing(self.api().get(&self.key).await)?;
        let unchanged = present.as_ref().map_or(Duration::ZERO, |lease| self.unchanged(lease));
        match plan(present.as_ref(), &self.identity, unchanged) {
            Step::Follow => Ok(None),
            Step::Write => self.api().replace(&self.lease(present.as_ref())).await.map(Some),
            Step::Create => match self.api().create(&self.lease(None)).await {
                Err(ClientError::NotFound(_)) => {
                    self.create_namespace().await?;
                    self.api().create(&self.lease(None)).await.map(Some)
                }
                created => created.map(Some),
            },
        }
    }

    /// The time for which this replica has seen the Lease as it is.
    fn unchanged(&mut self, lease: &Object) -> Duration {
        let version = lease.resource_version();
        if let Some(seen) = self.observed.as_ref().filter(|seen| seen.version == version) {
            return seen.since.elapsed();
        }
        let holder = holder(lease).unwrap_or_default().to_owned();
        let is_new = self.observed.as_ref().is_none_or(|seen| seen.holder != holder);
        if is_new && !holder.is_empty() {
            tracing::info!(lease = %self.key, holder, "another replica leads; this one waits");
        }
        self.observed = Some(Observed { version: version.to_owned(), holder, since: Instant::now() });
        Duration::ZERO
    }

    async fn create_namespace(&self) -> Result<(), ClientError> {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": self.key.namespace } });
        let namespaces = self.client.resource::<Object>(&resources::NAMESPACE.into());
        match namespaces.create(&Object(namespace)).await {
            Err(ClientError::AlreadyExists(_)) => Ok(()),
            result => result.map(drop),
        }
    }

    fn api(&self) -> Api<Object> {
        self.client.resource(&resources::LEASE.into())
    }

    fn lease(&self, present: Option<&Object>) -> Object {
        held(&self.key, &self.identity, present, self.terms, &format_micro_time(self.clock.now()))
    }

    fn report(&mut self, error: &ClientError) {
        let cure = match error {
            ClientError::Forbidden(status) if status.code == 401 => {
                "; correct the credentials in the kubeconfig"
            }
            ClientError::Forbidden(_) => "; give the user of the kubeconfig all rights there (cluster-admin)",
            _ => "",
        };
        let error = format!("{error}{cure}");
        self.candidacy.set(Standing::Barred(format!("the Lease {} cannot be taken: {error}", self.key)));
        let is_known =
            self.reported.as_ref().is_some_and(|(known, at)| *known == error && at.elapsed() < REMINDER);
        if !is_known {
            tracing::warn!(lease = %self.key, error, "the Lease cannot be taken, trying again");
            self.reported = Some((error, Instant::now()));
        }
    }
}

impl Leadership {
    /// The name of this replica.
    pub fn identity(&self) -> &str {
        &self.election.identity
    }

    /// Renews the Lease until it is lost.
    pub async fn lost(&mut self) -> Lost {
        let terms = self.election.terms;
        let mut cause = "no answer".to_owned();
        loop {
            let deadline = self.renewed + terms.renewal;
            let started = Instant::now();
            match tokio::time::timeout_at(deadline, self.renew()).await {
                Ok(Ok(())) => self.renewed = started,
                Ok(Err(Renewal::Lost(lost))) => return lost,
                Ok(Err(Renewal::Failed(error))) => cause = error.to_string(),
                Err(_) => {}
            }
            if Instant::now() >= self.renewed + terms.renewal {
                let (key, silence) = (self.election.key.clone(), self.renewed.elapsed());
                return Lost::NotRenewed { key, silence, cause };
            }
            let next = (started + terms.retry).min(self.renewed + terms.renewal);
            tokio::time::sleep_until(next).await;
        }
    }

    async fn renew(&mut self) -> Result<(), Renewal> {
        let api = self.election.api();
        self.lease = match api.replace(&self.election.lease(Some(&self.lease))).await {
            Ok(lease) => lease,
            // Changed or deleted by another client, which need not be a replica.
            Err(error) if error.is_race() || error.is_not_found() => {
                let present = ignore_missing(api.get(&self.election.key).await)?;
                let other = present.as_ref().and_then(holder).filter(|other| *other != self.identity());
                if let Some(other) = other {
                    let (key, holder) = (self.election.key.clone(), other.to_owned());
                    return Err(Renewal::Lost(Lost::Taken { key, holder }));
                }
                let wanted = self.election.lease(present.as_ref());
                match present {
                    Some(_) => api.replace(&wanted).await?,
                    None => api.create(&wanted).await?,
                }
            }
            Err(error) => return Err(error.into()),
        };
        Ok(())
    }

    /// Gives the Lease back, so that another replica leads at once. To be called when nothing of this process writes.
    pub async fn release(self) {
        if let Err(error) = self.give_back().await {
            tracing::debug!(lease = %self.election.key, %error, "the Lease was not given back");
        }
    }

    async fn give_back(&self) -> Result<(), ClientError> {
        let (api, now) = (self.election.api(), format_micro_time(self.election.clock.now()));
        match api.replace(&released(&self.lease, &now)).await {
            // A renewal that was interrupted has arrived, or another replica leads.
            Err(error) if error.is_race() => {
                let present = api.get(&self.election.key).await?;
                if holder(&present) == Some(self.identity()) {
                    api.replace(&released(&present, &now)).await?;
                }
                Ok(())
            }
            given => given.map(drop),
        }
    }
}

/// Why a renewal did not succeed.
enum Renewal {
    Lost(Lost),
    Failed(ClientError),
}

impl From<ClientError> for Renewal {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}
