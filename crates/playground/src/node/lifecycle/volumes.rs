//! Volumes of a pod, in namespaces mode: written before its first container starts, and again when a ConfigMap, a Secret or
//! the pod changes and before a token ends. `node::volumes` decides what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::persistent_volume::PROVISIONED_BY;
use portolan_runtime::events::Severity;
use portolan_runtime::{Api, ClientError, Resource};
use serde_json::{Value, json};

use crate::node::PROVISIONER;
use crate::node::binding::regarding;
use crate::node::environment::{Contents, Sources};
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::running_pod::RunningPod;
use crate::node::pod_spec::TokenSource;
use crate::node::volumes::{self, Data, VolumeError, VolumeSources};
use crate::sandbox::VolumesError;

/// Interval of attempts while something is missing.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Life of a token without `expirationSeconds`, in seconds.
const TOKEN_LIFE: u64 = 3600;

/// Why the volumes of a pod are not complete.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Write(#[from] VolumesError),
    #[error("claim {claim:?} has no volume yet: see its events")]
    Unbound { claim: String },
    #[error(
        "volume {volume:?} of claim {claim:?} was not made by this cluster: only volumes of the provisioner {PROVISIONER} \
         can be mounted"
    )]
    Foreign { claim: String, volume: String },
}

impl Lifecycle {
    /// Writes the volumes if what they are made of has changed. The pod waits for the first write: then `Err` has the time
    /// until the next attempt. Later, `Ok` has the time until a token is renewed.
    pub(super) async fn ensure_volumes(
        &self,
        pod: &Object,
        running: &mut RunningPod,
    ) -> Result<Option<Duration>, Duration> {
        let Some(used) = &self.used else { return Ok(None) };
        if running.spec.volumes.is_empty() || running.pod.sandbox.lock().is_none() {
            return Ok(None);
        }
        let now = self.context.clock.now();
        let inputs = used.inputs(pod, &running.spec);
        let renewal = running.volumes.renewal();
        if running.volumes.written.as_ref() == Some(&inputs) && renewal.is_none_or(|renewal| renewal > now) {
            return Ok(time_until(renewal, now));
        }
        match self.fill(pod, running, now).await {
            Ok(()) => {
                running.volumes.written = Some(inputs);
                Ok(time_until(running.volumes.renewal(), now))
            }
            Err(error) => {
                self.events.record(regarding(pod), Severity::Warning, "FailedMount", error.to_string());
                // What was written stays.
                if running.volumes.written.is_some() { Ok(Some(RETRY_INTERVAL)) } else { Err(RETRY_INTERVAL) }
            }
        }
    }

    async fn fill(&self, pod: &Object, running: &mut RunningPod, now: Timestamp) -> Result<(), FillError> {
        let needs = volumes::needs(&running.spec);
        for token in needs.tokens {
            let is_fresh = running.volumes.tokens.get(&token).is_some_and(|(_, renewal)| *renewal > now);
            if !is_fresh {
                let found = self.token(pod, &running.spec.service_account_name, &token, now).await?;
                running.volumes.tokens.insert(token, found);
            }
        }
        let config_maps = data(&self.config_maps, pod.namespace(), &needs.config_maps).await?;
        let claims = self.claims(pod, &needs.claims).await?;
        let secrets = data(&self.secrets, pod.namespace(), &needs.secrets).await?;
        let tokens =
            running.volumes.tokens.iter().map(|(source, (token, _))| (source.clone(), token.clone()));
        let (tokens, nothing) = (tokens.collect(), Contents::new());
        let pod_sources = Sources {
            pod,
            spec: &running.spec,
            pod_addresses: &running.pod.network.addresses(),
            host_address: running.host_address,
            config_maps: &nothing,
            secrets: &nothing,
            services: &[],
        };
        let sources = VolumeSources {
            pod: &pod_sources,
            config_maps: &config_maps,
            secrets: &secrets,
            tokens: &tokens,
            claims: &claims,
        };
        let Some(sandbox) = running.pod.sandbox.lock().clone() else { return Ok(()) };
        for volume in &running.spec.volumes {
            sandbox.write_volume(&volume.name, &volumes::content(volume, &sources)?)?;
        }
        Ok(())
    }

    /// The directories of claims. Those that do not exist are left out.
    async fn claims(
        &self,
        pod: &Object,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, PathBuf>, FillError> {
        let client = &self.context.client;
        let mut directories = BTreeMap::new();
        for name in names {
            let claims: Api<Object> = client.resource(&resources::PERSISTENT_VOLUME_CLAIM.into());
            let claim = match claims.get(&ObjectKey::namespaced(pod.namespace(), name)).await {
                Err(ClientError::NotFound(_)) => continue,
                claim => claim?,
            };
            let (claim_name, volume) = (name.clone(), claim.str_at(&["spec", "volumeName"]).to_owned());
            if claim.str_at(&["status", "phase"]) != "Bound" {
                return Err(FillError::Unbound { claim: claim_name });
            }
            let volumes: Api<Object> = client.resource(&resources::PERSISTENT_VOLUME.into());
            let found = volumes.get(&ObjectKey::cluster(&volume)).await?;
            // Its name is one part of a path. What its source says may lead anywhere on this machine.
            if found.annotation(PROVISIONED_BY) != Some(PROVISIONER) {
                return Err(FillError::Foreign { claim: claim_name, volume });
            }
            directories.insert(claim_name, self.context.storage.join(found.name()));
        }
        Ok(directories)
    }

    /// A token of the pod's ServiceAccount, and the time from which it is renewed.
    async fn token(
        &self,
        pod: &Object,
        account: &str,
        source: &TokenSource,
        now: Timestamp,
    ) -> Result<(String, Timestamp), ClientError> {
        let account = if account.is_empty() { "default" } else { account };
        let key = ObjectKey::namespaced(pod.namespace(), account);
        let path = Resource::from(resources::SERVICE_ACCOUNT).object_path(&key, "token");
        let seconds = source.expiration_seconds.unwrap_or(TOKEN_LIFE);
        let mut spec = json!({ "expirationSeconds": seconds, "boundObjectRef": {
            "apiVersion": "v1", "kind": "Pod", "name": pod.name(), "uid": pod.uid() } });
        if !source.audience.is_empty() {
            spec["audiences"] = json!([source.audience]);
        }
        let request =
            json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
        let answer: Value = self.context.client.post(&path, &request).await?;
        let token = answer["status"]["token"].as_str().unwrap_or_default().to_owned();
        // A server may grant less than was asked for.
        let seconds = answer["spec"]["expirationSeconds"].as_u64().unwrap_or(seconds);
        let half = SignedDuration::from_secs(i64::try_from(seconds / 2).unwrap_or(i64::MAX));
        Ok((token, now.checked_add(half).unwrap_or(now)))
    }
}

fn time_until(renewal: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    renewal.map(|renewal| Duration::try_from(renewal.duration_since(now)).unwrap_or_default())
}

/// The data of ConfigMaps or Secrets; missing ones are left out.
async fn data(api: &Api<Object>, namespace: &str, names: &BTreeSet<String>) -> Result<Data, ClientError> {
    let mut found = Data::new();
    for name in names {
        match api.get(&ObjectKey::namespaced(namespace, name)).await {
            Ok(mut object) => {
                // Lists and caches leave the kind out.
                object.0["kind"] = json!(api.resource().gvk.kind);
                let decode = |text: &str| BASE64_STANDARD.decode(text).ok();
                found.insert(name.clone(), volumes::data(&object, decode));
            }
            Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
