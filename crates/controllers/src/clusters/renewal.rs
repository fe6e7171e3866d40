//! Renews the tokens of a member before they end: member API servers may grant a shorter life than `join` asks for.
//!
//! One task per member. The member's own account asks for the successor (TokenRequest), with the life of the present token.
//! A Secret that changes ends the task, because the member then has a new client.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use portolan_api::cluster::{Cluster, LocalSecretReference};
use portolan_api::resources;
use portolan_object::time::format_time;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::token::TokenLife;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Member, Resource};
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Longest time between two looks at the tokens.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Time after which a failed renewal is repeated.
const RETRY: Duration = Duration::from_secs(60);
/// Shortest time between two looks.
const MIN_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Renewal {
    pub(super) hub: Hub,
    pub(super) member: Arc<Member>,
}

impl Renewal {
    pub(super) async fn run(self) {
        loop {
            let pause = self.pass().await;
            tokio::time::sleep(pause.clamp(MIN_PAUSE, INTERVAL)).await;
        }
    }

    /// Renews what is due; returns the time until the next look.
    async fn pass(&self) -> Duration {
        let Some(cluster) = self.hub.cluster(self.member.name()) else { return INTERVAL };
        let spec = &cluster.spec;
        let mut pause = INTERVAL;
        // The credential of the controllers last: its change ends this task.
        for reference in [&spec.impersonator_secret_ref, &spec.secret_ref].into_iter().flatten() {
            match self.renew_if_due(reference).await {
                Ok(next) => pause = pause.min(next),
                Err(error) => {
                    pause = pause.min(RETRY);
                    self.report(&cluster, reference, &error);
                }
            }
        }
        pause
    }

    async fn renew_if_due(&self, reference: &LocalSecretReference) -> Result<Duration, BoxError> {
        let secrets = self.hub.client.resource::<Object>(&resources::SECRET.into());
        let key = ObjectKey::namespaced(&*reference.namespace, &*reference.name);
        // `join` creates the Secrets after the Cluster. One that stays away is told where it is used.
        let Some(secret) = ignore_missing(secrets.get(&key).await)? else { return Ok(RETRY) };
        let token = STANDARD.decode(secret.str_at(&["data", "token"])).unwrap_or_default();
        let Some(life) = TokenLife::of(&String::from_utf8_lossy(&token)) else { return Ok(INTERVAL) };
        let left = self.hub.clock.now().duration_until(life.renewal());
        if left > SignedDuration::ZERO {
            return Ok(Duration::try_from(left)?);
        }
        let successor = self.request(&life).await?;
        let expires = TokenLife::of(&successor).map(|life| format_time(life.expires));
        let patch = json!({ "metadata": { "resourceVersion": secret.resource_version() },
            "data": { "token": STANDARD.encode(&successor) } });
        secrets.patch(&key, &Patch::Merge(patch)).await?;
        tracing::info!(cluster = %self.member.name(), secret = %key, ?expires, "token renewed");
        Ok(MIN_PAUSE)
    }

    /// A new token of the same account with the same life.
    async fn request(&self, life: &TokenLife) -> Result<String, BoxError> {
        let path = Resource::from(resources::SERVICE_ACCOUNT).object_path(&life.account, "token");
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": life.duration().as_secs() } });
        let answer: Value = self.member.client().post(&path, &request).await?;
        let token = answer["status"]["token"].as_str().filter(|token| !token.is_empty());
        Ok(token.ok_or("the cluster answered without a token")?.to_owned())
    }

    fn report(&self, cluster: &Cluster, reference: &LocalSecretReference, error: &BoxError) {
        let (name, secret) = (self.member.name(), &reference.name);
        let message = format!(
            "the token in secret {secret} is not renewed, trying again: {error}. When it ends, the cluster is not ready; \
             `portolan join {name}` makes a new one"
        );
        tracing::warn!(cluster = %name, message);
        self.hub.events.record(Regarding::kind(cluster), Severity::Warning, "CredentialNotRenewed", message);
    }
}
