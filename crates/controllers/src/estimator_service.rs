//! Estimates by Karmada's `karmada-scheduler-estimator`: one process for each cluster, asked over gRPC (karmada
//! pkg/estimator/client/accurate.go).
//!
//! An estimator that does not answer limits nothing, so that scheduling goes on without it.

mod channel;
mod conversion;
mod messages;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use portolan_api::kubernetes::{IntOrString, Service, View as _};
use portolan_api::names;
use portolan_api::resources;
use portolan_api::work::ResourceBindingSpec;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::estimate::Assumed;
use portolan_runtime::client::{ConnectError, http_2_config};
use portolan_runtime::{Client, ClientError, Endpoint};

use channel::{CallError, Channel};
use messages::{
    MaxAvailableComponentSetsRequest, MaxAvailableComponentSetsResponse, MaxAvailableReplicasRequest,
    MaxAvailableReplicasResponse,
};

/// How estimators are found and asked.
#[derive(Debug, Clone)]
pub struct EstimatorSettings {
    /// Time for the answers about one binding.
    pub timeout: Duration,
    /// Namespace of the Services of the estimators.
    pub namespace: String,
    /// Prefix of the names of the Services; the name of the cluster follows.
    pub prefix: String,
    /// Port of the Services.
    pub port: u16,
    /// Trust and credential; plain TCP if absent.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl EstimatorSettings {
    /// Connects with TLS, with the trust and the credential of `endpoint`. Its URL is not used.
    ///
    /// # Errors
    /// When these cannot be read.
    pub fn with_tls(self, endpoint: &Endpoint) -> Result<Self, ConnectError> {
        Ok(Self { tls: Some(Arc::new(http_2_config(endpoint)?)), ..self })
    }
}

impl Default for EstimatorSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            namespace: "karmada-system".to_owned(),
            prefix: "karmada-scheduler-estimator".to_owned(),
            port: 10352,
            tls: None,
        }
    }
}

/// Why an estimator is not asked.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    /// The Service cannot be read.
    #[error("Service {service} cannot be read: {source}")]
    Read {
        /// The Service.
        service: ObjectKey,
        /// The cause.
        source: ClientError,
    },
    /// The Service in the control plane has no name outside of it.
    #[error("Service {service} must have type ExternalName and the port {port} with a number as targetPort")]
    Type {
        /// The Service.
        service: ObjectKey,
        /// The port of the settings.
        port: u16,
    },
}

/// The estimators of all clusters; clones share connections.
#[derive(Clone)]
pub(crate) struct EstimatorService {
    client: Client,
    settings: Arc<EstimatorSettings>,
    channels: Arc<Mutex<HashMap<String, Arc<Channel>>>>,
    /// Clusters with an estimator that did not answer, for one warning each time that it stops answering.
    silent: Arc<Mutex<HashSet<String>>>,
}

impl EstimatorService {
    pub(crate) fn new(hub: &Client, settings: EstimatorSettings) -> Self {
        let settings = Arc::new(settings);
        Self { client: hub.clone(), settings, channels: Arc::default(), silent: Arc::default() }
    }

    /// Asks for the number of further replicas of a binding, or sets of its components, in each cluster. Clusters without
    /// an answer are left out.
    pub(crate) async fn ask(
        &self,
        spec: &ResourceBindingSpec,
        clusters: Vec<(String, Vec<Assumed>)>,
    ) -> Vec<(String, i64)> {
        let questions = clusters.into_iter().map(|(cluster, assumed)| async move {
            let answer = self.ask_one(spec, &cluster, &assumed).await;
            self.note(&cluster, answer.as_ref().err());
            // −1 is the estimator's way to say that it does not know.
            let places = answer.ok().filter(|places| *places >= 0)?;
            Some((cluster, i64::from(places)))
        });
        join_all(questions).await.into_iter().flatten().collect()
    }

    async fn ask_one(
        &self,
        spec: &ResourceBindingSpec,
        cluster: &str,
        assumed: &[Assumed],
    ) -> Result<i32, String> {
        let channel = self.channel(cluster).await.map_err(|error| error.to_string())?;
        let assumed_workloads = assumed.iter().map(conversion::assumed).collect();
        let timeout = self.settings.timeout;
        let answer = if spec.components.is_empty() {
            let request = MaxAvailableReplicasRequest {
                cluster: cluster.to_owned(),
                replica_requirements: spec.replica_requirements.as_ref().map(conversion::requirements),
                assumed_workloads,
            };
            let call =
                channel.call::<MaxAvailableReplicasResponse>("MaxAvailableReplicas", &request, timeout);
            call.await.map(|answer| answer.max_replicas)
        } else {
            let request = MaxAvailableComponentSetsRequest {
                cluster: cluster.to_owned(),
                components: spec.components.iter().map(conversion::component).collect(),
                namespace: spec.resource.namespace.clone(),
                assumed_workloads,
            };
            let method = "MaxAvailableComponentSets";
            let call = channel.call::<MaxAvailableComponentSetsResponse>(method, &request, timeout);
            call.await.map(|answer| answer.max_sets)
        };
        if matches!(answer, Err(CallError::Unreachable { .. })) {
            // Its address may have changed.
            self.channels.lock().remove(cluster);
        }
        answer.map_err(|error| error.to_string())
    }

    async fn channel(&self, cluster: &str) -> Result<Arc<Channel>, ResolveError> {
        if let Some(channel) = self.channels.lock().get(cluster) {
            return Ok(channel.clone());
        }
        let targets = self.resolve(cluster).await?;
        let channel = Arc::new(Channel::new(targets, self.settings.tls.clone()));
        Ok(self.channels.lock().entry(cluster.to_owned()).or_insert(channel).clone())
    }

    /// Where the estimator of a cluster is: what its Service in the control plane names, or else the names that a Service
    /// of the cluster with the control plane has.
    async fn resolve(&self, cluster: &str) -> Result<Vec<(String, u16)>, ResolveError> {
        let EstimatorSettings { namespace, prefix, port, .. } = &*self.settings;
        let key = ObjectKey::namespaced(&**namespace, names::estimator_service(prefix, cluster));
        let api = self.client.resource::<Object>(&resources::SERVICE.into());
        match api.get(&key).await {
            Ok(service) => external(&service, *port)
                .map(|target| vec![target])
                .ok_or(ResolveError::Type { service: key, port: *port }),
            Err(ClientError::NotFound(_)) => {
                let host = format!("{}.{}.svc", key.name, key.namespace);
                Ok(vec![(format!("{host}.cluster.local"), *port), (host, *port)])
            }
            Err(source) => Err(ResolveError::Read { service: key, source }),
        }
    }

    /// Logs when an estimator stops answering and when it answers again.
    fn note(&self, cluster: &str, error: Option<&String>) {
        let mut silent = self.silent.lock();
        match error {
            Some(error) if silent.insert(cluster.to_owned()) => {
                tracing::warn!(cluster, error, "the estimator does not answer, it limits nothing");
            }
            None if silent.remove(cluster) => tracing::info!(cluster, "the estimator answers again"),
            _ => {}
        }
    }
}

/// Host and port behind a Service of type ExternalName.
fn external(service: &Object, port: u16) -> Option<(String, u16)> {
    let view = Service::read(service).ok()?;
    let host = view.spec.external_name;
    let wanted = view.spec.ports.iter().find(|one| one.port == i64::from(port))?;
    let Some(IntOrString::Int(target)) = wanted.target_port else { return None };
    let target = u16::try_from(target).ok()?;
    (view.spec.kind == "ExternalName" && !host.is_empty()).then(|| (host.to_owned(), target))
}
