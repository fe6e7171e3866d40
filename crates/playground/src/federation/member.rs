//! One member of the playground: its API server, controllers, nodes and DNS server, and its way into the federation.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;
use portolan_api::cluster::{Cluster as ClusterObject, SyncMode};
use portolan_controllers::clusters::join::{JoinRequest, Notices, join};
use portolan_controllers::kubernetes;
use portolan_controlplane::embedded::{EmbeddedServer, Settings};
use portolan_controlplane::kubeconfig::{ContextEntry, ContextUser};
use portolan_controlplane::{CertificatePolicy, ServiceCidr, StateDirectory};
use portolan_net::shutdown::Gate;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::{KubeconfigContext, KubeconfigFiles, Patch};
use portolan_runtime::{Client, Resource};
use serde_json::json;

use crate::config::Cluster;
use crate::federation::certificates::{self, KubeletCertificates};
use crate::federation::dns;
use crate::federation::error::{InClusterExt, MemberError, StartError};
use crate::federation::load_balancer;
use crate::federation::metrics;
use crate::federation::nodes::{self, MemberNodes, NodeError};
use crate::federation::not_played::NotPlayed;
use crate::federation::pod_metrics;
use crate::federation::probes;
use crate::federation::pull;
use crate::federation::site::{ApiServerAddress, MachineAddresses, MemberSite};
use crate::federation::storage;
use crate::network::Network;
use crate::sandbox::Host;
use crate::state;

/// Service range of a member if its configuration has none.
const DEFAULT_SERVICE_CIDR: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16);

/// A running member.
pub(super) struct Member {
    pub(super) client: Client,
    /// `None` if the API server existed before.
    pub(super) embedded: Option<EmbeddedServer>,
    pub(super) nodes: MemberNodes,
    /// Everything that runs for it.
    pub(super) scope: Shutdown,
    /// In front of all of it.
    pub(super) gate: Gate,
}

/// Shared by all members.
#[derive(Clone)]
pub(super) struct MemberSettings {
    pub(super) state: StateDirectory,
    pub(super) network: Network,
    /// The host of pods in namespaces mode.
    pub(super) host: Option<Host>,
    pub(super) clock: Clock,
}

/// Whether this process has started a member before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// No: it is added to the network. Its API server listens on the port of the last playground, or on a free one.
    First,
    /// Yes: its API server listens where it did.
    Again(SocketAddr),
}

/// Starts a member. `index` is its position in the configuration.
pub(super) async fn start(
    cluster: &Cluster,
    index: u8,
    start: Start,
    settings: &MemberSettings,
    scope: &Shutdown,
) -> Result<Member, StartError> {
    let gate = Gate::default();
    let scope = scope.child_behind(&gate);
    let started = start_in(cluster, index, start, settings, &scope).await;
    if started.is_err() {
        // What has started already; tasks that had to be dropped are no news.
        let _ = scope.drain(Duration::ZERO).await;
    }
    let (client, embedded, nodes) = started?;
    Ok(Member { client, embedded, nodes, scope, gate })
}

async fn start_in(
    cluster: &Cluster,
    index: u8,
    start: Start,
    settings: &MemberSettings,
    scope: &Shutdown,
) -> Result<(Client, Option<EmbeddedServer>, MemberNodes), StartError> {
    let name = &cluster.name;
    let machines = MachineAddresses { member_index: index };
    let directory = settings.state.subdirectory(name)?;
    let certificates = certificates::issue(&directory, cluster, &settings.clock);
    let certificates = certificates.map_err(NodeError::from).map_err(MemberError::from).in_cluster(name)?;
    let (client, embedded) = match &cluster.kubeconfig {
        Some(path) => {
            let client = Client::from_kubeconfig(path, cluster.context.as_deref()).await;
            (client.map_err(MemberError::from).in_cluster(name)?, None)
        }
        None => {
            let kubelets = certificates::kubelet_client(&certificates, scope);
            let kubelets = kubelets.map_err(NodeError::from).map_err(MemberError::from).in_cluster(name)?;
            let services = cluster.service_cidr.unwrap_or(DEFAULT_SERVICE_CIDR.into());
            let server = Settings {
                name,
                directory: &directory,
                service_cidr: ServiceCidr {
                    primary: services.v4.into(),
                    secondary: services.v6.map(Into::into),
                },
                address: match start {
                    Start::First => None,
                    Start::Again(address) => Some(address),
                },
                advertise_address: None,
                tls_sans: &[],
                endpoint: Some(machines.api_server()),
                admission: vec![Arc::new(NotPlayed)],
                kubelets: Some(kubelets),
                backends: None,
                mounted: None,
                options: portolan_controlplane::ApiServerOptions::default(),
                certificates: CertificatePolicy::default(),
                metrics: Some(metrics("member")),
                clock: &settings.clock,
            };
            let embedded = EmbeddedServer::start(server, scope).await?;
            (embedded.client.clone(), Some(embedded))
        }
    };
    let site = MemberSite {
        cluster,
        machines,
        api_server: embedded.as_ref().map(|embedded| embedded.address),
        network: &settings.network,
        host: settings.host.as_ref(),
        storage: state::persistent_volumes(&directory)?,
        clock: &settings.clock,
    };
    if start == Start::First {
        nodes::connect(&site).await.map_err(MemberError::from).in_cluster(name)?;
    }
    let nodes = start_machines(&site, &client, &certificates, scope).await.in_cluster(name)?;
    Ok((client, embedded, nodes))
}

/// Starts what runs beside the API server: workload controllers, nodes, DNS.
async fn start_machines(
    site: &MemberSite<'_>,
    client: &Client,
    certificates: &KubeletCertificates,
    scope: &Shutdown,
) -> Result<MemberNodes, MemberError> {
    let caches = Caches::new(client, scope);
    if site.api_server.is_some() {
        kubernetes::workloads(&caches, site.clock, scope);
        storage::start(&caches, &site.storage, site.clock, scope).await?;
        load_balancer::start(client, &caches, site.machines.member_index, scope);
        pod_metrics::start(client, &caches, (site.network, site.cluster_name()), site.clock, scope);
    }
    let nodes = nodes::start(site, &caches, certificates, scope).await?;
    dns::start(site, &caches, scope).await?;
    probes::start(site, &caches, scope);
    Ok(nodes)
}

impl Member {
    /// Joins the federation. Returns the context of the member for the kubeconfig of the members.
    pub(super) async fn join(
        &self,
        hub: &Client,
        cluster: &Cluster,
        clock: &Clock,
    ) -> Result<ContextEntry, MemberError> {
        let (address, context) = self.api_server(cluster).await?;
        let request = JoinRequest {
            name: cluster.name.clone(),
            url: address.url.clone(),
            ca_pem: address.ca_pem.clone().into_bytes(),
            insecure_skip_verify: address.insecure_skip_verify,
            provider: cluster.provider.clone(),
            region: cluster.region.clone(),
            zones: [&cluster.zone].into_iter().filter(|zone| !zone.is_empty()).cloned().collect(),
            labels: cluster.labels.clone().into_iter().collect(),
            // A playground has all its members to itself; only its own control plane can have been lost.
            take_over: self.embedded.is_some(),
            control_plane: "playground".to_owned(),
            // The members are the playground's own, and their ports can change.
            replace_address: true,
            notices: Notices::default(),
        };
        match cluster.sync_mode {
            SyncMode::Push => drop(join(hub, &self.client, &request).await.map_err(Box::new)?),
            SyncMode::Pull => {
                pull::ensure_registered(hub, &self.client, request, clock).await?;
                pull::start_agent(&self.client, address, clock, &self.scope).await?;
            }
        }
        if !cluster.taints.is_empty() {
            let patch = Patch::Merge(json!({ "spec": { "taints": cluster.taints } }));
            let clusters = hub.resource::<Object>(&Resource::of::<ClusterObject>());
            let patched = clusters.patch(&ObjectKey::cluster(&*cluster.name), &patch).await;
            patched.map_err(MemberError::Taints)?;
        }
        Ok(context)
    }

    /// Starts the agent of a member in pull mode again.
    pub(super) async fn restart_agent(&self, cluster: &Cluster, clock: &Clock) -> Result<(), MemberError> {
        if cluster.sync_mode == SyncMode::Pull {
            let (address, _) = self.api_server(cluster).await?;
            pull::start_agent(&self.client, address, clock, &self.scope).await?;
        }
        Ok(())
    }

    /// Ends everything that runs for the member at its next await, as when its processes are killed, and closes the store.
    pub(super) async fn kill(self) {
        // Tasks that had to be dropped are the purpose.
        let _ = self.scope.drain(Duration::ZERO).await;
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }

    /// Address of the API server, and its context with administrator rights.
    async fn api_server(&self, cluster: &Cluster) -> Result<(ApiServerAddress, ContextEntry), MemberError> {
        match (&self.embedded, &cluster.kubeconfig) {
            (Some(embedded), _) => {
                let (url, ca_pem) = (embedded.url.clone(), embedded.ca_pem.clone());
                let address = ApiServerAddress { url, ca_pem, insecure_skip_verify: false };
                Ok((address, embedded.administrator(&cluster.name)))
            }
            (None, Some(path)) => {
                let files = KubeconfigFiles::Named(path.clone());
                let context = KubeconfigContext::load(&files, cluster.context.as_deref()).await?;
                let address = ApiServerAddress {
                    url: context.server().to_owned(),
                    ca_pem: context.ca_pem().unwrap_or_default(),
                    insecure_skip_verify: context.skips_tls_verification(),
                };
                let (entry, user) = context.entry()?;
                let user = ContextUser::Fixed(user);
                Ok((address, ContextEntry { name: cluster.name.clone(), cluster: entry, user }))
            }
            (None, None) => unreachable!("a member is embedded unless it has a kubeconfig"),
        }
    }
}
