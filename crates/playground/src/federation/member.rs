//! One member of the playground: its API server, controllers, nodes and DNS server, and its way into the federation.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use portolan_api::cluster::{Cluster as ClusterObject, SyncMode};
use portolan_controllers::clusters::join::{JoinRequest, join};
use portolan_controllers::kubernetes;
use portolan_controlplane::embedded::{EmbeddedServer, Settings};
use portolan_controlplane::kubeconfig::{ContextEntry, ContextUser};
use portolan_controlplane::{CertificatePolicy, ServiceCidr, StateDirectory};
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
use crate::federation::nodes::{self, MemberNodes, NodeError};
use crate::federation::pod_metrics;
use crate::federation::probes;
use crate::federation::pull;
use crate::federation::site::{MachineAddresses, MemberSite};
use crate::federation::storage;
use crate::network::Network;
use crate::sandbox::Host;
use crate::state;

/// Service range of a member if its configuration has none.
const DEFAULT_SERVICE_CIDR: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16);

/// A running member.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) client: Client,
    /// `None` if the API server existed before.
    pub(super) embedded: Option<EmbeddedServer>,
    pub(super) nodes: MemberNodes,
}

/// Shared by all members.
pub(super) struct MemberSettings<'a> {
    pub(super) state: &'a StateDirectory,
    pub(super) network: &'a Network,
    /// The host of pods in namespaces mode.
    pub(super) host: Option<&'a Host>,
    pub(super) clock: &'a Clock,
}

/// Starts a member. `index` is its position in the configuration.
pub(super) async fn start(
    cluster: &Cluster,
    index: u8,
    settings: &MemberSettings<'_>,
    scope: &Shutdown,
) -> Result<Member, StartError> {
    let name = &cluster.name;
    let machines = MachineAddresses { member_index: index };
    let directory = settings.state.subdirectory(name)?;
    let certificates = certificates::issue(&directory, cluster, settings.clock);
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
            let settings = Settings {
                name,
                directory: &directory,
                service_cidr: ServiceCidr {
                    primary: services.v4.into(),
                    secondary: services.v6.map(Into::into),
                },
                address: None,
                advertise_address: None,
                tls_sans: &[],
                endpoint: Some(machines.api_server()),
                admission: Vec::new(),
                kubelets: Some(kubelets),
                backends: None,
                mounted: None,
                options: portolan_controlplane::ApiServerOptions::default(),
                certificates: CertificatePolicy::default(),
                metrics: None,
                clock: settings.clock,
            };
            let embedded = EmbeddedServer::start(settings, scope).await?;
            (embedded.client.clone(), Some(embedded))
        }
    };
    let site = MemberSite {
        cluster,
        machines,
        api_server: embedded.as_ref().map(|embedded| embedded.address),
        network: settings.network,
        host: settings.host,
        storage: state::persistent_volumes(&directory)?,
        clock: settings.clock,
    };
    let nodes = start_machines(&site, &client, &certificates, scope).await.in_cluster(name)?;
    Ok(Member { name: name.clone(), client, embedded, nodes })
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

/// Address of a member's API server, and how the control plane verifies its certificate.
struct ApiServerAddress {
    url: String,
    ca_pem: String,
    insecure_skip_verify: bool,
}

impl Member {
    /// Joins the federation. Returns the context of the member for the kubeconfig of the members.
    pub(super) async fn join(
        &self,
        hub: &Client,
        cluster: &Cluster,
        clock: &Clock,
        scope: &Shutdown,
    ) -> Result<ContextEntry, MemberError> {
        let (address, context) = self.api_server(cluster).await?;
        let request = JoinRequest {
            name: cluster.name.clone(),
            url: address.url,
            ca_pem: address.ca_pem.into_bytes(),
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
        };
        match cluster.sync_mode {
            SyncMode::Push => drop(join(hub, &self.client, &request).await.map_err(Box::new)?),
            SyncMode::Pull => pull::start(hub, &self.client, request, clock, scope).await?,
        }
        if !cluster.taints.is_empty() {
            let patch = Patch::Merge(json!({ "spec": { "taints": cluster.taints } }));
            let clusters = hub.resource::<Object>(&Resource::of::<ClusterObject>());
            let patched = clusters.patch(&ObjectKey::cluster(&*cluster.name), &patch).await;
            patched.map_err(MemberError::Taints)?;
        }
        Ok(context)
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
