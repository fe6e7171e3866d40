//! Playground: a control plane and member clusters in one process.
//!
//! `portolan playground`, `portolan quickstart` and tests start one. The control plane and each member may also be an
//! existing API server; then only the missing parts are added: the federation's kinds, controllers and nodes.
//!
//! | file | purpose |
//! | --- | --- |
//! | `member` | one member: API server, controllers, nodes, DNS; joining |
//! | `members` | all members; stops, starts, pauses and resumes them |
//! | `commands` | executes the commands for a running playground |
//! | `nodes`, `api_relay`, `certificates` | nodes of a member, and the connections between pods, API server and kubelets |
//! | `dns` | DNS server of a member |
//! | `not_played` | warnings about parts of pods that are not played |
//! | `site` | addresses of a member's machines |
//! | `pull` | registering a member in pull mode, and its agent |
//! | `cluster_set` | a cluster set of all members |
//! | `error` | errors, with the cluster that they happened in |
//!
//! This room uses all rooms of the crate, and the crates `controlplane` and `controllers`; no other room uses it. To add
//! a setting, add it to [`Config`] and use it here.

mod api_relay;
mod certificates;
mod cluster_set;
mod commands;
mod dns;
mod error;
mod load_balancer;
mod member;
mod members;
mod nodes;
mod not_played;
mod pod_metrics;
mod probes;
mod pull;
mod site;
mod storage;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::meta::condition;
use portolan_controllers::Controllers;
use portolan_controlplane::kubeconfig::KubeconfigFile;
use portolan_controlplane::{ControlPlane, ControlPlaneSettings, ControllerOptions, StateDirectory};
use portolan_net::telemetry::{Build, Metrics};
use portolan_net::{Clock, Shutdown};
use portolan_object::ObjectKey;
use portolan_runtime::{Client, ClientError};

pub use self::certificates::CertificateError;
pub use self::dns::DnsError;
pub use self::error::{InCluster, MemberError, StartError};
pub use self::nodes::NodeError;

use self::member::MemberSettings;
use self::members::Members;
use crate::config::{Config, NetworkMode};
use crate::control;
use crate::network::Network;
use crate::network::namespaces;
use crate::rights;
use crate::sandbox::Host;
use crate::state;

/// Time for all members to become ready; usually a second or two.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Settings that are not part of the configuration file.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the control plane on 127.0.0.1; see
    /// [`Settings::address`](portolan_controlplane::embedded::Settings::address).
    pub port: Option<u16>,
    /// Path of the `portolan` binary, which is started again inside pods with namespaces.
    pub program: PathBuf,
    /// Settings of the control plane's controllers; their clock is replaced by `clock`.
    pub controllers: ControllerOptions,
    /// The clock.
    pub clock: Clock,
}

impl Options {
    /// Options with the running binary.
    pub fn new(clock: Clock) -> Self {
        // This path stays valid when the file is replaced by a newer one.
        let program = PathBuf::from("/proc/self/exe");
        Self { port: None, program, controllers: ControllerOptions::default(), clock }
    }
}

/// Why a playground is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Some clusters are not ready.
    #[error("these clusters are not ready after {READY_TIMEOUT:?}: {0}")]
    Clusters(String),
    /// The control plane does not answer.
    #[error("the control plane does not answer: {0}")]
    ControlPlane(#[from] ClientError),
    /// Unknown member.
    #[error("there is no cluster {0}")]
    NoMember(String),
    /// A member that was stopped.
    #[error("cluster {0} is stopped")]
    Stopped(String),
}

/// A running playground.
pub struct Playground {
    /// Administrator client of the control plane.
    pub hub: Client,
    control_plane: ControlPlane,
    members: Arc<Members>,
    network: Network,
    cluster_set: Option<String>,
    _controllers: Controllers,
}

impl Playground {
    /// Starts everything; it ends with `scope`.
    ///
    /// # Errors
    /// [`StartError`] naming the cause; nothing stored is lost.
    pub async fn start(
        config: &Config,
        state: &StateDirectory,
        options: &Options,
        scope: &Shutdown,
    ) -> Result<Self, StartError> {
        let clock = &options.clock;
        let (network, host) = create_network(config, state, options).await?;
        let metrics = metrics("playground");
        let control_plane = match &config.control_plane {
            Some(existing) => {
                let present =
                    ControlPlane::existing(&existing.kubeconfig, existing.context.as_deref()).await?;
                present.install().await?;
                present
            }
            None => {
                let settings = ControlPlaneSettings {
                    address: options.port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
                    metrics: Some(metrics.clone()),
                    clock: clock.clone(),
                    ..ControlPlaneSettings::default()
                };
                ControlPlane::embedded(state, &settings, scope).await?
            }
        };
        control_plane.keep_kubeconfig(&state.hub_kubeconfig(), scope)?;
        metrics.register(|registry| control_plane.register_metrics(registry));
        let settings = ControllerOptions { clock: clock.clone(), ..options.controllers.clone() };
        let controllers = control_plane.start_controllers_with(settings, scope);
        let hub = control_plane.client().clone();
        let settings =
            MemberSettings { state: state.clone(), network: network.clone(), host, clock: clock.clone() };
        let mut contexts = Vec::new();
        let mut members = Members::new(settings, hub.clone(), scope);
        for (cluster, index) in config.clusters.iter().zip(0..=u8::MAX) {
            contexts.push(members.add(cluster, index).await?);
        }
        let members = Arc::new(members);
        KubeconfigFile::new(&state::members_kubeconfig(state), contexts).keep_written(scope)?;
        if let Some(set) = &config.cluster_set {
            let created = cluster_set::create(&hub, set, &config.clusters).await;
            created.map_err(|source| StartError::ClusterSet { name: set.clone(), source })?;
        }
        let execute = commands::execute(&network, &members, scope);
        control::listen(state.root(), execute, scope).map_err(StartError::Control)?;
        let cluster_set = config.cluster_set.clone();
        Ok(Self { hub, control_plane, members, network, cluster_set, _controllers: controllers })
    }

    /// Administrator client of a member.
    ///
    /// # Errors
    /// [`NotReady::NoMember`], [`NotReady::Stopped`].
    pub async fn member(&self, name: &str) -> Result<Client, NotReady> {
        self.members.client(name).await
    }

    /// The network of the pods.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Waits until the control plane reports every member as ready.
    ///
    /// # Errors
    /// [`NotReady`] naming the members that are not ready, and why.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let mut waiting = String::new();
        let waited = tokio::time::timeout(READY_TIMEOUT, self.wait_until_ready(&mut waiting)).await;
        match waited {
            Ok(result) => Ok(result?),
            Err(_) => Err(NotReady::Clusters(waiting)),
        }
    }

    /// Writes into `waiting` what it waits for.
    async fn wait_until_ready(&self, waiting: &mut String) -> Result<(), ClientError> {
        for name in self.members.names() {
            // One that was stopped or paused meanwhile is not waited for.
            while self.members.nodes_are_ready(name).await {
                let key = ObjectKey::cluster(name);
                let status = self.hub.kind::<ClusterObject>().get(&key).await?.status;
                let ready = condition(&status.conditions, "Ready");
                if ready.is_some_and(|ready| ready.is_true()) && !status.api_enablements.is_empty() {
                    break;
                }
                let reason = ready.map_or("not checked yet", |ready| ready.message.as_str());
                *waiting = format!("{name} ({reason})");
                tokio::time::sleep(READY_POLL_INTERVAL).await;
            }
        }
        if let Some(set) = &self.cluster_set {
            while !cluster_set::is_formed(&self.hub, set).await? {
                *waiting = format!("members of cluster set {set}");
                tokio::time::sleep(READY_POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Ends everything of `scope` and closes the stores.
    pub async fn stop(self, scope: &Shutdown, drain_timeout: Duration) {
        self.members.drain().await;
        self.control_plane.drain();
        if let Err(error) = scope.drain(drain_timeout).await {
            tracing::debug!(%error, "ended");
        }
        self.members.close().await;
        self.control_plane.close().await;
    }
}

/// The figures of an API server, at its path `/metrics`.
fn metrics(role: &'static str) -> Metrics {
    Metrics::new(Build { version: env!("CARGO_PKG_VERSION"), role })
}

/// The network, and in namespaces mode the host of its pods.
async fn create_network(
    config: &Config,
    state: &StateDirectory,
    options: &Options,
) -> Result<(Network, Option<Host>), StartError> {
    match config.network {
        NetworkMode::Loopback => match config.clusters.iter().find(|cluster| cluster.is_dual()) {
            Some(cluster) => Err(StartError::Ipv6OnLoopback { cluster: cluster.name.clone() }),
            None => Ok((Network::new(), None)),
        },
        NetworkMode::Namespaces => {
            namespaces::check().await?;
            namespaces::raise_file_limit();
            let host = Host {
                program: options.program.clone(),
                mount_point: state::mount_point(state)?,
                volumes: state::volumes(state)?,
                has_one_user: rights::has_one_user(),
            };
            Ok((Network::of_namespaces(), Some(host)))
        }
    }
}
