//! The network of one cluster in the kernel: a namespace with a bridge per node, Service rules, and links to other clusters.
//!
//! Uses `ip` (iproute2) and `nft` (nftables). A pod has a /32 address and sends everything to the gateway, so that all
//! traffic, also between two pods of a node, passes the Service rules of the cluster's namespace.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ipnet::Ipv4Net;
use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::net::{TcpSocket, TcpStream};

use crate::network::address::ClusterName;
use crate::network::namespaces::kernel::{NetworkNamespace, ToolError};
use crate::network::namespaces::ruleset::{self, NodeNumbers};
use crate::network::ranges::Ranges;
use crate::network::rules::ServiceRules;

/// Host number of the DNS Service in the Service range, as kubeadm has it.
const DNS_HOST_NUMBER: usize = 10;
/// Start of the addresses of links between clusters; they are not announced.
const IPV4_LINKS: u32 = 0xa9fe_0000;
const IPV6_LINKS: Ipv6Addr = Ipv6Addr::new(0xfd6c, 0x696e, 0x6b73, 0, 0, 0, 0, 0);

/// Parameters of a cluster's network.
#[derive(Debug, Clone)]
pub(crate) struct NetworkPlan {
    pub(crate) cluster: ClusterName,
    /// Number of the cluster, for names of interfaces.
    pub(crate) number: u32,
    pub(crate) pods: Ranges,
    pub(crate) services: Ranges,
    /// Addresses of its nodes, its API server and its DNS server.
    pub(crate) machines: Vec<IpAddr>,
    pub(crate) nodes: NodeNumbers,
}

/// Network namespace of a cluster.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) plan: NetworkPlan,
    pub(crate) namespace: Arc<NetworkNamespace>,
    /// Number of pod interfaces created so far.
    pod_links: AtomicU32,
    /// The rules in the kernel, by Service.
    programmed: tokio::sync::Mutex<BTreeMap<ObjectKey, ServiceRules>>,
    /// Interfaces to other clusters.
    links: Mutex<BTreeMap<ClusterName, String>>,
}

/// The address of a cluster's DNS Service: the tenth of the Service range.
pub fn dns_address(services: Ipv4Net) -> Option<Ipv4Addr> {
    services.hosts().nth(DNS_HOST_NUMBER - 1)
}

impl NetworkPlan {
    /// Gateway of the pods.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.pods.v4.hosts().next().unwrap_or_else(|| self.pods.v4.addr())
    }

    /// IPv6 gateway of the pods in a dual-stack cluster.
    fn ipv6_gateway(&self) -> Option<Ipv6Addr> {
        self.pods.ipv6_for(self.gateway())
    }

    /// `ip` commands that create the bridges and the addresses of the cluster.
    fn commands(&self) -> String {
        let (services, gateway, ipv6) = (self.services.v4, self.gateway(), self.ipv6_gateway());
        let mut commands = "link set lo up\n".to_owned();
        for bridge in self.nodes.values().map(|number| ruleset::bridge(*number)) {
            // The gateway has the same address on every node. Writing into a String cannot fail.
            let _ = write!(
                commands,
                "link add {bridge} type bridge\naddr add {gateway}/32 dev {bridge}\nlink set {bridge} up\n"
            );
            if let Some(ipv6) = ipv6 {
                let _ = writeln!(commands, "addr add {ipv6}/128 dev {bridge} nodad");
            }
        }
        if let Some(any) = self.nodes.values().next() {
            let bridge = ruleset::bridge(*any);
            // For traffic from this namespace: the rules rewrite it.
            let _ = writeln!(commands, "route add {services} dev {bridge} src {gateway}");
            if let (Some(services), Some(gateway)) = (self.services.v6, ipv6) {
                let _ = writeln!(commands, "route add {services} dev {bridge} src {gateway}");
            }
        }
        for address in dns_address(services).map(IpAddr::V4).iter().chain(&self.machines) {
            let _ = writeln!(commands, "addr add {address}/32 dev lo");
        }
        commands
    }
}

impl Router {
    /// Creates the namespace of a cluster, without pods and links.
    pub(crate) async fn build(plan: NetworkPlan) -> Result<Self, ToolError> {
        let start = |source| ToolError::Start { program: "unshare", source };
        let namespace = Arc::new(NetworkNamespace::create().await.map_err(start)?);
        let is_dual = plan.pods.v6.is_some();
        let forwarding = namespace.inside(move || {
            set("ipv4/ip_forward", "1")?;
            // All traffic between pods must pass the gateway.
            set("ipv4/conf/all/send_redirects", "0")?;
            set("ipv4/conf/default/send_redirects", "0")?;
            if is_dual {
                set("ipv6/conf/all/forwarding", "1")?;
                configure_ipv6()?;
            }
            // Fails where the kernel module br_netfilter is not loaded.
            let _ = set("bridge/bridge-nf-call-iptables", "0");
            Ok(())
        });
        forwarding.await.map_err(|source| ToolError::Start { program: "sysctl", source })?;
        ip(&namespace, plan.commands()).await?;
        nft(&namespace, ruleset::tables(&plan.services)).await?;
        Ok(Self {
            plan,
            namespace,
            pod_links: AtomicU32::new(0),
            programmed: tokio::sync::Mutex::default(),
            links: Mutex::default(),
        })
    }

    /// Creates the link to another cluster; `number` is unique per link.
    pub(crate) async fn link(&self, other: &Self, number: u32) -> Result<(), ToolError> {
        let [near, far] = [0, 1].map(|end| Ipv4Addr::from(IPV4_LINKS + 2 * (number + 1) + end));
        let (to_other, to_self) = (other.interface(), self.interface());
        let first = IPV6_LINKS.to_bits() + u128::from(2 * (number + 1));
        let [ipv6_near, ipv6_far] = [0, 1].map(|end| Ipv6Addr::from_bits(first + end));
        let end = |own: Ipv4Addr, ipv6: Ipv6Addr, interface: &str, is_dual: bool| {
            let ipv6 =
                if is_dual { format!("addr add {ipv6}/127 dev {interface} nodad\n") } else { String::new() };
            format!("addr add {own}/31 dev {interface}\nlink set {interface} up\n{ipv6}")
        };
        let is_dual = self.is_dual_with(other);
        let commands = format!(
            "link add {to_other} type veth peer name {to_self} netns {}\n{}{}",
            other.namespace.path(),
            end(near, ipv6_near, &to_other, is_dual),
            self.routes(other, far, ipv6_far),
        );
        let theirs =
            format!("{}{}", end(far, ipv6_far, &to_self, is_dual), other.routes(self, near, ipv6_near));
        // The peer interface must exist before addresses and routes are added.
        let (link, routes) = commands.split_once("addr add").unwrap_or((&commands, ""));
        ip(&self.namespace, link.to_owned()).await?;
        ip(&self.namespace, format!("addr add{routes}")).await?;
        ip(&other.namespace, theirs).await?;
        self.links.lock().insert(other.plan.cluster.clone(), to_other);
        other.links.lock().insert(self.plan.cluster.clone(), to_self);
        Ok(())
    }

    /// Drops all traffic from and to another cluster, or stops dropping it.
    pub(crate) async fn cut(&self, other: &ClusterName, is_cut: bool) -> Result<(), ToolError> {
        let interface = self.links.lock().get(other).cloned();
        match interface {
            Some(interface) => {
                nft(&self.namespace, ruleset::link(&interface, is_cut, &self.plan.services)).await
            }
            None => Ok(()),
        }
    }

    /// Name of the interface to this cluster, in the namespaces of other clusters.
    fn interface(&self) -> String {
        format!("to-{}", self.plan.number)
    }

    /// `ip` commands that route the pods and machines of another cluster through `via`.
    fn routes(&self, other: &Self, via: Ipv4Addr, ipv6_via: Ipv6Addr) -> String {
        let pods = std::iter::once(other.plan.pods.v4.to_string());
        let machines = other.plan.machines.iter().map(|address| format!("{address}/32"));
        let gateway = self.plan.gateway();
        let mut commands = pods.chain(machines).fold(String::new(), |mut commands, range| {
            // Writing into a String cannot fail.
            let _ = writeln!(commands, "route add {range} via {via} src {gateway}");
            commands
        });
        if let (Some(range), Some(gateway)) = (other.plan.pods.v6, self.plan.ipv6_gateway()) {
            let _ = writeln!(commands, "route add {range} via {ipv6_via} src {gateway}");
        }
        commands
    }

    /// Whether both clusters have IPv6.
    fn is_dual_with(&self, other: &Self) -> bool {
        self.plan.pods.v6.is_some() && other.plan.pods.v6.is_some()
    }

    /// Writes the rules of one Service to the kernel if they changed.
    pub(crate) async fn program_service(
        &self,
        service: &ObjectKey,
        rules: ServiceRules,
    ) -> Result<(), ToolError> {
        let mut programmed = self.programmed.lock().await;
        let nothing = ServiceRules::default();
        let old = programmed.get(service).unwrap_or(&nothing);
        let change = ruleset::change(service, old, &rules, &self.plan.nodes, &self.plan.services);
        if !change.is_empty() {
            nft(&self.namespace, change).await?;
            self.forget_flows(ruleset::lost_flows(old, &rules)).await;
        }
        match rules == nothing {
            true => programmed.remove(service),
            false => programmed.insert(service.clone(), rules),
        };
        Ok(())
    }

    /// Deletes the tracked UDP flows to removed endpoints, so that the kernel chooses another endpoint.
    async fn forget_flows(&self, flows: Vec<(SocketAddr, SocketAddr)>) {
        for (frontend, endpoint) in flows {
            let (address, port, to) = (frontend.ip(), frontend.port(), endpoint.ip());
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            let arguments =
                format!("-D -f {family} -p udp --orig-dst {address} --orig-port-dst {port} --dst-nat {to}");
            let arguments = arguments.split(' ').map(str::to_owned).collect();
            // Fails when there is no such flow. Without `conntrack`, flows end by their idle timeout.
            let _ = self.namespace.run("conntrack", arguments, String::new()).await;
        }
    }

    /// Creates the network namespace of a pod and connects it to the bridge of its node.
    pub(crate) async fn connect_pod(
        &self,
        address: Ipv4Addr,
        node: &str,
    ) -> Result<Arc<NetworkNamespace>, ToolError> {
        let start = |source| ToolError::Start { program: "unshare", source };
        let namespace = Arc::new(NetworkNamespace::create().await.map_err(start)?);
        let ipv6 = self.plan.pods.ipv6_for(address).zip(self.plan.ipv6_gateway());
        if ipv6.is_some() {
            let configured = namespace.inside(configure_ipv6).await;
            configured.map_err(|source| ToolError::Start { program: "sysctl", source })?;
        }
        let number = self.plan.nodes.get(node).copied().unwrap_or_default();
        // Unique names: the kernel removes the interface of a deleted pod asynchronously.
        let name = format!("n{number}-{}", self.pod_links.fetch_add(1, Ordering::Relaxed));
        let (bridge, gateway) = (ruleset::bridge(number), self.plan.gateway());
        let [a, b, c, d] = address.octets();
        let mut outside = format!(
            "link add {name} type veth peer name eth0 address 02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x} netns {}\n\
             link set {name} master {bridge}\n\
             link set {name} up\n\
             route replace {address}/32 dev {bridge} src {gateway}\n",
            namespace.path()
        );
        let mut inside = format!(
            "link set lo up\n\
             addr add {address}/32 dev eth0\n\
             link set eth0 up\n\
             route add {gateway} dev eth0 scope link\n\
             route add default via {gateway} dev eth0\n"
        );
        if let Some((address, gateway)) = ipv6 {
            // Writing into a String cannot fail.
            let _ = writeln!(outside, "route replace {address}/128 dev {bridge} src {gateway}");
            let _ = write!(
                inside,
                "addr add {address}/128 dev eth0 nodad\n\
                 route add {gateway}/128 dev eth0\n\
                 route add ::/0 via {gateway} dev eth0 src {address}\n"
            );
        }
        ip(&self.namespace, outside).await?;
        ip(&namespace, inside).await?;
        Ok(namespace)
    }
}

fn set(path: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/sys/net/{path}"), value)
}

/// Sets the IPv6 defaults of new interfaces: no duplicate address detection, so that addresses are usable immediately, and
/// no router advertisements and redirects, so that all traffic between pods passes the gateway.
fn configure_ipv6() -> io::Result<()> {
    for (name, value) in
        [("accept_dad", "0"), ("dad_transmits", "0"), ("accept_ra", "0"), ("accept_redirects", "0")]
    {
        set(&format!("ipv6/conf/default/{name}"), value)?;
    }
    Ok(())
}

async fn ip(namespace: &NetworkNamespace, commands: String) -> Result<(), ToolError> {
    namespace.run("ip", vec!["-batch".to_owned(), "-".to_owned()], commands).await
}

async fn nft(namespace: &NetworkNamespace, commands: String) -> Result<(), ToolError> {
    namespace.run("nft", vec!["-f".to_owned(), "-".to_owned()], commands).await
}

/// Connects from inside a namespace.
pub(crate) async fn connect(namespace: &NetworkNamespace, to: SocketAddr) -> io::Result<TcpStream> {
    // A socket belongs to the namespace that it was created in; connecting it needs no thread.
    let socket = match to {
        SocketAddr::V4(_) => namespace.inside(TcpSocket::new_v4).await?,
        SocketAddr::V6(_) => namespace.inside(TcpSocket::new_v6).await?,
    };
    socket.connect(to).await
}

/// Listens inside a namespace.
pub(crate) async fn listen(
    namespace: &NetworkNamespace,
    address: SocketAddr,
) -> io::Result<std::net::TcpListener> {
    let bind = move || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    namespace.inside(bind).await
}

/// Receives datagrams inside a namespace.
pub(crate) async fn bind(
    namespace: &NetworkNamespace,
    address: SocketAddr,
) -> io::Result<std::net::UdpSocket> {
    let bind = move || {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    namespace.inside(bind).await
}
