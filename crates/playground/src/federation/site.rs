//! A member's site: the addresses of its machines, and what it shares with the other members.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::Ipv4Net;
use portolan_net::Clock;

use crate::config::Cluster;
use crate::network::{ClusterName, Network};
use crate::sandbox::Host;

/// Range of machine addresses; it only has to differ from those of pods and Services.
const MACHINES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 18, 0, 0), 16);
/// Last octet of the API server, of the first node, and of the DNS server.
const API_SERVER: u8 = 1;
const FIRST_NODE: u8 = 2;
const DNS_SERVER: u8 = 254;
/// Port of the API server inside the cluster.
const API_SERVER_PORT: u16 = 6443;
/// Port of the DNS server inside the cluster.
pub(super) const DNS_PORT: u16 = 53;

/// Addresses of one member's machines, by the position of the member in the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct MachineAddresses {
    pub(super) member_index: u8,
}

impl MachineAddresses {
    /// Address at which pods reach the API server.
    pub(super) fn api_server(self) -> SocketAddr {
        SocketAddr::new(self.machine(API_SERVER), API_SERVER_PORT)
    }

    /// Address at which pods reach the DNS server.
    pub(super) fn dns_server(self) -> SocketAddr {
        SocketAddr::new(self.machine(DNS_SERVER), DNS_PORT)
    }

    /// Addresses of the nodes, in order.
    pub(super) fn nodes(self) -> impl Iterator<Item = IpAddr> {
        (FIRST_NODE..DNS_SERVER).map(move |number| self.machine(number))
    }

    fn machine(self, number: u8) -> IpAddr {
        let [first, second, ..] = MACHINES.network().octets();
        IpAddr::from([first, second, self.member_index, number])
    }
}

/// Address of a member's API server, and how the control plane verifies its certificate.
pub(super) struct ApiServerAddress {
    pub(super) url: String,
    pub(super) ca_pem: String,
    pub(super) insecure_skip_verify: bool,
}

/// Everything that the nodes and the DNS server of a member are started with.
pub(super) struct MemberSite<'a> {
    /// Configuration of the member.
    pub(super) cluster: &'a Cluster,
    pub(super) machines: MachineAddresses,
    /// Host address of the API server if it is embedded.
    pub(super) api_server: Option<SocketAddr>,
    pub(super) network: &'a Network,
    /// The host of pods in namespaces mode.
    pub(super) host: Option<&'a Host>,
    /// Directory of the member's persistent volumes.
    pub(super) storage: PathBuf,
    pub(super) clock: &'a Clock,
}

impl MemberSite<'_> {
    /// Name of the member on the network.
    pub(super) fn cluster_name(&self) -> ClusterName {
        ClusterName::new(&*self.cluster.name)
    }
}
