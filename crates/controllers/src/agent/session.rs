//! The life of an agent: it runs with the credential in its Secret, and again with the next one.
//!
//! A client has one credential, so that all of the agent starts again when the certificate is renewed or replaced. Nothing in
//! the cluster changes by that.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use portolan_api::{names, resources};
use portolan_net::{Clock, Shutdown, pki};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::agents::renewal::{Validity, renewal};
use portolan_runtime::client::{BoxError, Credential, Endpoint, Patch, Selection};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Client};
use serde_json::json;
use tokio::sync::Notify;

use super::{AgentOptions, start, tunnel};
use crate::agents::{agent_kubeconfig, obtain_certificate, read_agent_kubeconfig};

/// Time for the control plane to sign.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time after which a failed renewal, or a missing Secret, is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// Longest time between two looks at the certificate; clocks jump.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Time for the tasks of a session to end.
const DRAIN: Duration = Duration::from_secs(5);

/// What one session runs with.
struct Session {
    cluster: String,
    endpoint: Endpoint,
}

/// The Secret with the credential, in the cluster.
struct Stored {
    member: Client,
    key: ObjectKey,
    secrets: Cache<Object>,
    changed: Arc<Notify>,
}

/// Runs the agent of the cluster behind `member`, with the credential in Secret `karmada-kubeconfig` of `namespace`, until
/// `scope` is stopped. `options` makes the settings for a name of the cluster.
pub async fn run(member: &Client, namespace: &str, options: impl Fn(&str) -> AgentOptions, scope: &Shutdown) {
    let stored = Stored::follow(member, namespace, scope);
    tokio::select! {
        _ = stored.secrets.synced() => {}
        () = scope.requested() => {}
    }
    while !scope.is_requested() {
        let session = match stored.session() {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(secret = %stored.key, %error, "the agent cannot reach the control plane yet");
                stored.changed_within(RETRY, scope).await;
                continue;
            }
        };
        let hub = match Client::connect(session.endpoint.clone()) {
            Ok(hub) => hub,
            Err(error) => {
                tracing::error!(%error, "the credential of the agent cannot be used: `portolan register` makes a new one");
                stored.changed_within(LONGEST_PAUSE, scope).await;
                continue;
            }
        };
        let (own, options) = (scope.child(), options(&session.cluster));
        let clock = options.clock.clone();
        tracing::info!(cluster = session.cluster, control_plane = session.endpoint.url, "agent runs");
        start(&hub, member, options, &own);
        let tunnel = tunnel::keep(session.endpoint.clone(), member.clone(), session.cluster.clone());
        spawn_until_stop(&own, tunnel);
        stored.keep(&hub, &session, &clock, scope).await;
        own.request();
        if let Err(error) = own.drain(DRAIN).await {
            tracing::debug!(%error, "a session of the agent ended");
        }
    }
}

impl Stored {
    fn follow(member: &Client, namespace: &str, scope: &Shutdown) -> Self {
        let key = ObjectKey::namespaced(namespace, names::AGENT_KUBECONFIG);
        let selection =
            Selection { fields: format!("metadata.name={}", key.name), ..Selection::namespace(namespace) };
        let secrets = Cache::of_objects(member, resources::SECRET.into()).select(selection).start(scope);
        let changed = Arc::new(Notify::new());
        let waker = changed.clone();
        secrets.observe(move |_| waker.notify_one());
        Self { member: member.clone(), key, secrets, changed }
    }

    /// Waits until the Secret changes, for at most `limit`.
    async fn changed_within(&self, limit: Duration, scope: &Shutdown) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = tokio::time::sleep(limit) => {}
            () = scope.requested() => {}
        }
    }

    /// The session that the Secret is for.
    fn session(&self) -> Result<Session, BoxError> {
        let secret =
            self.secrets.get(&self.key).ok_or("there is no such secret: `portolan register` makes it")?;
        let encoded = secret.str_at(&["data", names::AGENT_KUBECONFIG]);
        let text = String::from_utf8(STANDARD.decode(encoded)?)?;
        let (cluster, endpoint) = read_agent_kubeconfig(&text)?;
        Ok(Session { cluster, endpoint })
    }

    /// Renews the certificate when it is due; returns when the Secret has another credential, or `scope` stops.
    async fn keep(&self, hub: &Client, session: &Session, clock: &Clock, scope: &Shutdown) {
        while !scope.is_requested() {
            if self.session().is_ok_and(|found| found.endpoint != session.endpoint) {
                return;
            }
            let pause = match due(session, clock.now()) {
                Some(pause) => pause.min(LONGEST_PAUSE),
                None => {
                    if let Err(error) = self.renew(hub, session).await {
                        tracing::warn!(
                            cluster = session.cluster, %error,
                            "the certificate of the agent is not renewed, trying again; when it ends, register the cluster again"
                        );
                    }
                    RETRY
                }
            };
            self.changed_within(pause, scope).await;
        }
    }

    /// Asks for a successor with the same life, and writes it into the Secret.
    async fn renew(&self, hub: &Client, session: &Session) -> Result<(), BoxError> {
        let lifetime = validity(&session.endpoint).map(Validity::lifetime).unwrap_or_default();
        let credential = obtain_certificate(hub, &session.cluster, lifetime, PATIENCE).await?;
        let endpoint = Endpoint { credential, ..session.endpoint.clone() };
        let text = STANDARD.encode(agent_kubeconfig(&session.cluster, &endpoint));
        let patch = Patch::Merge(json!({ "data": { names::AGENT_KUBECONFIG: text } }));
        self.member.resource::<Object>(&resources::SECRET.into()).patch(&self.key, &patch).await?;
        tracing::info!(cluster = session.cluster, "certificate of the agent renewed");
        Ok(())
    }
}

/// Time until the certificate is renewed; `None` when it is due.
fn due(session: &Session, now: Timestamp) -> Option<Duration> {
    let validity = validity(&session.endpoint)?;
    let left = now.duration_until(renewal(validity));
    (left > SignedDuration::ZERO).then(|| left.unsigned_abs())
}

fn validity(endpoint: &Endpoint) -> Option<Validity> {
    let Credential::Certificate { chain_pem, .. } = &endpoint.credential else { return None };
    let (not_before, expires) = pki::validity(chain_pem)?;
    Some(Validity { not_before, expires })
}
