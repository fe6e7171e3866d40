//! A whole federation in one process: the control plane, the members, and everything between them.
//!
//! `portolan playground`, `portolan quickstart` and tests start one of these. The control plane and each member may
//! also be an API server that runs already; then only what it lacks is added: the federation's kinds, controllers and
//! nodes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv4Net;
use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::meta::condition;
use portolan_controllers::clusters::join::{JoinError, JoinRequest, join};
use portolan_controllers::{Controllers, kubernetes};
use portolan_controlplane::embedded::{EmbeddedServer, EmbeddedServerError, Settings};
use portolan_controlplane::kubeconfig::{ContextEntry, ContextUser, KubeconfigFile};
use portolan_controlplane::{
    CertificatePolicy, ControlPlane, ControlPlaneSettings, ServiceCidr, StateDirectory, StateError,
};
use portolan_net::files::FileError;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::{KubeconfigContext, KubeconfigError, KubeconfigFiles, Patch};
use portolan_runtime::{Client, ClientError};
use serde_json::json;

use crate::config::{Cluster, Config, NetworkMode};
use crate::control;
use crate::network::Network;
use crate::network::namespaces::{self, Unavailable};
use crate::rights;
use crate::sandbox::Host;
use crate::state;

mod cluster_set;
mod dns;
mod gate;
mod nodes;

use nodes::{MemberNodes, NodeError};

/// The Service range of a member whose configuration names none.
const SERVICE_CIDR: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16);
/// Time for everything to answer after the start; it takes far less.
const READY_PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What does not depend on the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the control plane on 127.0.0.1; see [`Settings::address`].
    pub port: Option<u16>,
    /// The `portolan` binary, which plays the inner side of pods with namespaces.
    pub program: PathBuf,
    /// The clock.
    pub clock: Clock,
}

impl Options {
    /// Those of the binary that is running.
    pub fn new(clock: Clock) -> Self {
        // What this path means stays the same when the file is replaced by a newer one.
        Self { port: None, program: PathBuf::from("/proc/self/exe"), clock }
    }
}

/// Why a federation does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The control plane.
    #[error(transparent)]
    ControlPlane(#[from] portolan_controlplane::StartError),
    /// Pods cannot have namespaces here.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A cluster is to have two address families, and loopback sockets have one.
    #[error(
        "cluster {cluster} has ranges of IPv6, which the loopback network does not carry: use --network namespaces, or name only the IPv4 range in podCIDR and serviceCIDR"
    )]
    Families {
        /// Which cluster.
        cluster: String,
    },
    /// An embedded cluster.
    #[error(transparent)]
    Embedded(#[from] EmbeddedServerError),
    /// The kubeconfig of a cluster that runs already cannot be used.
    #[error("the kubeconfig of {cluster}: {source}")]
    Client {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: KubeconfigError,
    },
    /// A kubeconfig cannot be written.
    #[error(transparent)]
    Kubeconfig(#[from] FileError),
    /// The nodes of a member.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A cluster set cannot be formed.
    #[error("cannot form cluster set {name}: {source}")]
    ClusterSet {
        /// Its name.
        name: String,
        /// Why.
        source: ClientError,
    },
    /// The names of a member.
    #[error(transparent)]
    Dns(#[from] dns::DnsError),
    /// The socket for commands.
    #[error("cannot open the socket for commands in the playground's folder: {0}")]
    Control(#[source] io::Error),
    /// A member cannot join.
    #[error("cluster {cluster} cannot join: {source}")]
    Join {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: Box<JoinError>,
    },
    /// A Cluster object cannot be written.
    #[error("cannot set the taints of cluster {cluster}: {source}")]
    Taints {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: ClientError,
    },
}

/// A federation that started and does not get ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Some clusters are not ready.
    #[error("these clusters are not ready after {READY_PATIENCE:?}: {0}")]
    Clusters(String),
    /// The control plane does not answer.
    #[error("the control plane does not answer: {0}")]
    ControlPlane(#[from] ClientError),
    /// No such member.
    #[error("there is no cluster {0}")]
    NoMember(String),
}

/// A running federation.
pub struct Playground {
    /// The control plane, as an administrator.
    pub hub: Client,
    control_plane: ControlPlane,
    members: Vec<Member>,
    network: Network,
    cluster_set: Option<String>,
    _controllers: Controllers,
}

/// A member of it.
struct Member {
    name: String,
    client: Client,
    embedded: Option<EmbeddedServer>,
    nodes: MemberNodes,
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
        let (network, host) = match config.network {
            NetworkMode::Loopback => {
                let dual = config.clusters.iter().find(|cluster| cluster.is_dual());
                if let Some(cluster) = dual {
                    return Err(StartError::Families { cluster: cluster.name.clone() });
                }
                (Network::new(), None)
            }
            NetworkMode::Namespaces => {
                namespaces::check().await?;
                namespaces::raise_file_limit();
                let host = Host {
                    program: options.program.clone(),
                    mount_point: state::mount_point(state)?,
                    has_one_user: rights::has_one_user(),
                };
                (Network::of_namespaces(), Some(host))
            }
        };
        let control_plane = match &config.control_plane {
            Some(existing) => {
                ControlPlane::existing(&existing.kubeconfig, existing.context.as_deref()).await?
            }
            None => {
                let settings = ControlPlaneSettings {
                    address: options.port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
                    clock: clock.clone(),
                    ..ControlPlaneSettings::default()
                };
                ControlPlane::embedded(state, &settings, scope).await?
            }
        };
        control_plane.keep_kubeconfig(&state.hub_kubeconfig(), scope)?;
        let controllers = control_plane.start_controllers(clock, scope);
        let shared = Shared { network: &network, host: host.as_ref(), clock };
        let mut contexts = Vec::new();
        let mut members = Vec::new();
        for (cluster, index) in config.clusters.iter().zip(0..=u8::MAX) {
            let started = start_member(cluster, index, state, &shared, scope).await?;
            let (member, address, context) = started.into_parts(cluster).await?;
            contexts.push(context);
            join_member(control_plane.client(), &member.client, cluster, address).await?;
            members.push(member);
        }
        KubeconfigFile::new(&state::members_kubeconfig(state), contexts).keep_written(scope)?;
        if let Some(set) = &config.cluster_set {
            cluster_set::form(control_plane.client(), set, &config.clusters).await?;
        }
        control::listen(state.root(), &network, scope).map_err(StartError::Control)?;
        let hub = control_plane.client().clone();
        let cluster_set = config.cluster_set.clone();
        Ok(Self { hub, control_plane, members, network, cluster_set, _controllers: controllers })
    }

    /// A member, as an administrator.
    ///
    /// # Errors
    /// [`NotReady::NoMember`].
    pub fn member(&self, name: &str) -> Result<&Client, NotReady> {
        let found = self.members.iter().find(|member| member.name == name);
        found.map(|member| &member.client).ok_or_else(|| NotReady::NoMember(name.to_owned()))
    }

    /// The network that carries the pods' traffic.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Waits until the control plane says that every member is ready.
    ///
    /// # Errors
    /// [`NotReady`] naming the members that are not, and why.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let mut waiting = String::new();
        let wait = async {
            for member in &self.members {
                member.nodes.ready().await;
                loop {
                    let cluster =
                        self.hub.kind::<ClusterObject>().get(&ObjectKey::cluster(&*member.name)).await?;
                    let ready = condition(&cluster.status.conditions, "Ready");
                    if ready.is_some_and(|ready| ready.is_true())
                        && !cluster.status.api_enablements.is_empty()
                    {
                        break;
                    }
                    let reason = ready.map_or("not looked at yet", |ready| ready.message.as_str());
                    waiting = format!("{} ({reason})", member.name);
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            if let Some(set) = &self.cluster_set {
                while !cluster_set::is_formed(&self.hub, set).await? {
                    waiting = format!("members of cluster set {set}");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            Ok::<_, ClientError>(())
        };
        let waited = tokio::time::timeout(READY_PATIENCE, wait).await;
        match waited {
            Ok(result) => Ok(result?),
            Err(_) => Err(NotReady::Clusters(waiting)),
        }
    }

    /// Ends everything of `scope` and closes the stores.
    pub async fn stop(self, scope: &Shutdown, patience: Duration) {
        self.members.iter().filter_map(|member| member.embedded.as_ref()).for_each(EmbeddedServer::drain);
        self.control_plane.drain();
        if let Err(error) = scope.drain(patience).await {
            tracing::debug!(%error, "ended");
        }
        for member in self.members {
            if let Some(embedded) = member.embedded {
                embedded.close().await;
            }
        }
        self.control_plane.close().await;
    }
}

/// A member that runs and has not joined yet.
struct Started {
    client: Client,
    embedded: Option<EmbeddedServer>,
    nodes: MemberNodes,
}

impl Started {
    /// The member, the address of its API server, and its context in the kubeconfig of the members.
    async fn into_parts(
        self,
        cluster: &Cluster,
    ) -> Result<(Member, ApiServerAddress, ContextEntry), StartError> {
        let Self { client, embedded, nodes } = self;
        let (address, context) = match (&embedded, &cluster.kubeconfig) {
            (Some(embedded), _) => {
                let (url, ca_pem) = (embedded.url.clone(), embedded.ca_pem.clone());
                let address = ApiServerAddress { url, ca_pem, insecure_skip_verify: false };
                (address, embedded.administrator(&cluster.name))
            }
            (None, Some(path)) => {
                let failed = |source| StartError::Client { cluster: cluster.name.clone(), source };
                let files = KubeconfigFiles::Named(path.clone());
                let context = KubeconfigContext::load(&files, cluster.context.as_deref());
                let context = context.await.map_err(failed)?;
                let address = ApiServerAddress {
                    url: context.server().to_owned(),
                    ca_pem: context.ca_pem().unwrap_or_default(),
                    insecure_skip_verify: context.skips_tls_verification(),
                };
                let (entry, user) = context.entry().map_err(failed)?;
                let user = ContextUser::Fixed(user);
                (address, ContextEntry { name: cluster.name.clone(), cluster: entry, user })
            }
            (None, None) => unreachable!("a member is embedded unless it has a kubeconfig"),
        };
        Ok((Member { name: cluster.name.clone(), client, embedded, nodes }, address, context))
    }
}

/// Address of a member's API server, and how the control plane verifies its certificate.
struct ApiServerAddress {
    url: String,
    ca_pem: String,
    insecure_skip_verify: bool,
}

/// What all members share.
struct Shared<'a> {
    network: &'a Network,
    /// What pods with namespaces need of this machine.
    host: Option<&'a Host>,
    clock: &'a Clock,
}

async fn start_member(
    cluster: &Cluster,
    index: u8,
    state: &StateDirectory,
    shared: &Shared<'_>,
    scope: &Shutdown,
) -> Result<Started, StartError> {
    let clock = shared.clock;
    let directory = state.subdirectory(&cluster.name)?;
    let kubelet = nodes::certificates(&directory, cluster, clock)?;
    let (client, embedded) = match &cluster.kubeconfig {
        Some(path) => {
            let client = Client::from_kubeconfig(path, cluster.context.as_deref());
            let client = client
                .await
                .map_err(|source| StartError::Client { cluster: cluster.name.clone(), source })?;
            (client, None)
        }
        None => {
            let services = cluster.service_cidr.unwrap_or(SERVICE_CIDR.into());
            let settings = Settings {
                name: &cluster.name,
                directory: &directory,
                service_cidr: ServiceCidr {
                    primary: services.v4.into(),
                    secondary: services.v6.map(Into::into),
                },
                address: None,
                advertise_address: None,
                tls_sans: &[],
                endpoint: Some(nodes::api_server_address(index)),
                admission: Vec::new(),
                kubelets: Some(nodes::kubelets(cluster, &kubelet, scope)?),
                certificates: CertificatePolicy::default(),
                metrics: None,
                clock,
            };
            let embedded = EmbeddedServer::start(settings, scope).await?;
            (embedded.client.clone(), Some(embedded))
        }
    };
    let caches = Caches::new(&client, scope);
    if embedded.is_some() {
        kubernetes::workloads(&caches, clock, scope);
    }
    let place =
        nodes::Place { cluster, index, api_server: embedded.as_ref().map(|embedded| embedded.address) };
    let nodes = nodes::start(&place, &caches, shared, &kubelet, scope).await?;
    dns::start(&place, &caches, shared, scope).await?;
    Ok(Started { client, embedded, nodes })
}

async fn join_member(
    hub: &Client,
    member: &Client,
    cluster: &Cluster,
    address: ApiServerAddress,
) -> Result<(), StartError> {
    let request = JoinRequest {
        name: cluster.name.clone(),
        url: address.url,
        ca_pem: address.ca_pem.into_bytes(),
        insecure_skip_verify: address.insecure_skip_verify,
        provider: cluster.provider.clone(),
        region: cluster.region.clone(),
        zones: [&cluster.zone].into_iter().filter(|zone| !zone.is_empty()).cloned().collect(),
        labels: cluster.labels.clone().into_iter().collect(),
    };
    join(hub, member, &request)
        .await
        .map_err(|source| StartError::Join { cluster: cluster.name.clone(), source: Box::new(source) })?;
    if cluster.taints.is_empty() {
        return Ok(());
    }
    let patch = Patch::Merge(json!({ "spec": { "taints": cluster.taints } }));
    let key = ObjectKey::cluster(&*cluster.name);
    let resource = portolan_runtime::Resource::of::<ClusterObject>();
    let patched = hub.resource::<Object>(&resource).patch(&key, &patch).await;
    patched.map(drop).map_err(|source| StartError::Taints { cluster: cluster.name.clone(), source })
}
