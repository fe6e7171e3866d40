//! The network of one cluster: a namespace with a bridge per node for its pods, Service rules, and links to the others.
//!
//! `Network` asks for it when clusters are built, rules change or pods start; the commands are those of iproute2 and
//! nftables. Pods have their address alone on their interface and send everything to the gateway, so that all
//! traffic, that between two pods of a node too, is seen and rewritten here.

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

use crate::network::namespaces::kernel::{NetworkNamespace, ToolError};
use crate::network::namespaces::ruleset::{self, NodeNumbers};
use crate::network::rules::ServiceRules;
use crate::network::{ClusterName, Ranges};

/// The place of a cluster's DNS server in its Service range.
const DNS_PLACE: usize = 10;
/// Links have addresses of their own, of which nobody else ever hears.
const LINKS: u32 = 0xa9fe_0000;
const SECOND_LINKS: Ipv6Addr = Ipv6Addr::new(0xfd6c, 0x696e, 0x6b73, 0, 0, 0, 0, 0);

/// Everything that a cluster's network is made from.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) cluster: ClusterName,
    /// Its number among all clusters.
    pub(crate) number: u32,
    pub(crate) pods: Ranges,
    pub(crate) services: Ranges,
    /// Addresses of machines: its nodes and its API server.
    pub(crate) machines: Vec<IpAddr>,
    pub(crate) nodes: NodeNumbers,
}

/// A cluster's network.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) plan: Plan,
    pub(crate) namespace: Arc<NetworkNamespace>,
    wires: AtomicU32,
    /// What the kernel has been told, by Service.
    programmed: tokio::sync::Mutex<BTreeMap<ObjectKey, ServiceRules>>,
    /// The interfaces that lead to other clusters.
    links: Mutex<BTreeMap<ClusterName, String>>,
}

/// The address of a cluster's DNS server: the tenth of its Services.
pub fn dns_address(services: Ipv4Net) -> Option<Ipv4Addr> {
    services.hosts().nth(DNS_PLACE - 1)
}

impl Plan {
    /// The address by which pods reach everything.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.pods.v4.hosts().next().unwrap_or_else(|| self.pods.v4.addr())
    }

    /// The same of the second family, where the cluster has it.
    fn second_gateway(&self) -> Option<Ipv6Addr> {
        self.pods.second(self.gateway())
    }

    /// The commands for `ip` that make the bridge and the addresses of the cluster itself.
    fn commands(&self) -> String {
        let (services, gateway, second) = (self.services.v4, self.gateway(), self.second_gateway());
        let mut commands = "link set lo up\n".to_owned();
        for bridge in self.nodes.values().map(|number| ruleset::bridge(*number)) {
            // Every node's gateway is the same address: pods have it wherever they are.
            // Writing into a String cannot fail.
            let _ = write!(
                commands,
                "link add {bridge} type bridge\naddr add {gateway}/32 dev {bridge}\nlink set {bridge} up\n"
            );
            if let Some(second) = second {
                let _ = writeln!(commands, "addr add {second}/128 dev {bridge} nodad");
            }
        }
        if let Some(any) = self.nodes.values().next() {
            let bridge = ruleset::bridge(*any);
            // Only for what this namespace sends itself: rules turn it elsewhere.
            let _ = writeln!(commands, "route add {services} dev {bridge} src {gateway}");
            if let (Some(services), Some(gateway)) = (self.services.v6, second) {
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
    /// Makes the namespace of a cluster, with no pods and no links.
    pub(crate) async fn build(plan: Plan) -> Result<Self, ToolError> {
        let start = |source| ToolError::Start { program: "unshare", source };
        let namespace = Arc::new(NetworkNamespace::create().await.map_err(start)?);
        let is_dual = plan.pods.v6.is_some();
        let forwarding = namespace.inside(move || {
            set("ipv4/ip_forward", "1")?;
            // All traffic between pods goes through the gateway on purpose.
            set("ipv4/conf/all/send_redirects", "0")?;
            set("ipv4/conf/default/send_redirects", "0")?;
            if is_dual {
                set("ipv6/conf/all/forwarding", "1")?;
                trust_addresses()?;
            }
            // A bridge that filters is a module which may not be there.
            let _ = set("bridge/bridge-nf-call-iptables", "0");
            Ok(())
        });
        forwarding.await.map_err(|source| ToolError::Start { program: "sysctl", source })?;
        ip(&namespace, plan.commands()).await?;
        nft(&namespace, ruleset::tables(&plan.services)).await?;
        Ok(Self {
            plan,
            namespace,
            wires: AtomicU32::new(0),
            programmed: tokio::sync::Mutex::default(),
            links: Mutex::default(),
        })
    }

    /// Lays the link to another cluster; `number` tells it from all others.
    pub(crate) async fn link(&self, other: &Self, number: u32) -> Result<(), ToolError> {
        let [near, far] = [0, 1].map(|end| Ipv4Addr::from(LINKS + 2 * (number + 1) + end));
        let (to_other, to_self) = (other.interface(), self.interface());
        let place = SECOND_LINKS.to_bits() + u128::from(2 * (number + 1));
        let [second_near, second_far] = [0, 1].map(|end| Ipv6Addr::from_bits(place + end));
        let end = |own: Ipv4Addr, second: Ipv6Addr, interface: &str, is_dual: bool| {
            let second = if is_dual {
                format!("addr add {second}/127 dev {interface} nodad\n")
            } else {
                String::new()
            };
            format!("addr add {own}/31 dev {interface}\nlink set {interface} up\n{second}")
        };
        let is_dual = self.is_dual_with(other);
        let commands = format!(
            "link add {to_other} type veth peer name {to_self} netns {}\n{}{}",
            other.namespace.path(),
            end(near, second_near, &to_other, is_dual),
            self.routes(other, far, second_far),
        );
        let theirs =
            format!("{}{}", end(far, second_far, &to_self, is_dual), other.routes(self, near, second_near));
        // The far end must be up before routes over the near one can be set.
        let (link, routes) = commands.split_once("addr add").unwrap_or((&commands, ""));
        ip(&self.namespace, link.to_owned()).await?;
        ip(&self.namespace, format!("addr add{routes}")).await?;
        ip(&other.namespace, theirs).await?;
        self.links.lock().insert(other.plan.cluster.clone(), to_other);
        other.links.lock().insert(self.plan.cluster.clone(), to_self);
        Ok(())
    }

    /// Drops everything that comes from or goes to another cluster, or lets it pass again.
    pub(crate) async fn cut(&self, other: &ClusterName, is_cut: bool) -> Result<(), ToolError> {
        let interface = self.links.lock().get(other).cloned();
        match interface {
            Some(interface) => {
                nft(&self.namespace, ruleset::link(&interface, is_cut, &self.plan.services)).await
            }
            None => Ok(()),
        }
    }

    /// What others call the interface that leads here.
    fn interface(&self) -> String {
        format!("to-{}", self.plan.number)
    }

    /// The commands that make another cluster's pods and machines reachable through `via`.
    fn routes(&self, other: &Self, via: Ipv4Addr, second_via: Ipv6Addr) -> String {
        let pods = std::iter::once(other.plan.pods.v4.to_string());
        let machines = other.plan.machines.iter().map(|address| format!("{address}/32"));
        let gateway = self.plan.gateway();
        let mut commands = pods.chain(machines).fold(String::new(), |mut commands, range| {
            // Writing into a String cannot fail.
            let _ = writeln!(commands, "route add {range} via {via} src {gateway}");
            commands
        });
        if let (Some(range), Some(gateway)) = (other.plan.pods.v6, self.plan.second_gateway()) {
            let _ = writeln!(commands, "route add {range} via {second_via} src {gateway}");
        }
        commands
    }

    /// Whether both this cluster and another one have IPv6.
    fn is_dual_with(&self, other: &Self) -> bool {
        self.plan.pods.v6.is_some() && other.plan.pods.v6.is_some()
    }

    /// Tells the kernel the rules of one Service, if they are others than it knows.
    pub(crate) async fn program(&self, service: &ObjectKey, rules: ServiceRules) -> Result<(), ToolError> {
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

    /// Makes the kernel choose anew for datagrams whose endpoint is gone: it would keep to it as long as they flow.
    async fn forget_flows(&self, flows: Vec<(SocketAddr, SocketAddr)>) {
        for (front, endpoint) in flows {
            let (address, port, to) = (front.ip(), front.port(), endpoint.ip());
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            let arguments =
                format!("-D -f {family} -p udp --orig-dst {address} --orig-port-dst {port} --dst-nat {to}");
            let arguments = arguments.split(' ').map(str::to_owned).collect();
            // It fails when there is no such flow. Where it is not installed, flows end by their silence.
            let _ = self.namespace.run("conntrack", arguments, String::new()).await;
        }
    }

    /// Makes the network namespace of a pod and connects it.
    pub(crate) async fn wire(
        &self,
        address: Ipv4Addr,
        node: &str,
    ) -> Result<Arc<NetworkNamespace>, ToolError> {
        let start = |source| ToolError::Start { program: "unshare", source };
        let namespace = Arc::new(NetworkNamespace::create().await.map_err(start)?);
        let second = self.plan.pods.second(address).zip(self.plan.second_gateway());
        if second.is_some() {
            let trusted = namespace.inside(trust_addresses).await;
            trusted.map_err(|source| ToolError::Start { program: "sysctl", source })?;
        }
        let number = self.plan.nodes.get(node).copied().unwrap_or_default();
        // Never used twice: the kernel takes its time to remove the interface of a pod that is gone.
        let name = format!("n{number}-{}", self.wires.fetch_add(1, Ordering::Relaxed));
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
        if let Some((address, gateway)) = second {
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

/// Lets the interfaces of a namespace that are made from now on use IPv6 addresses at once, since nobody else can have
/// them, and keep to their routes: all traffic between pods goes through the gateway.
fn trust_addresses() -> io::Result<()> {
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

/// Connects from inside of a namespace.
pub(crate) async fn connect(namespace: &NetworkNamespace, to: SocketAddr) -> io::Result<TcpStream> {
    // A socket belongs to the namespace that it was made in; connecting it needs no thread.
    let socket = match to {
        SocketAddr::V4(_) => namespace.inside(TcpSocket::new_v4).await?,
        SocketAddr::V6(_) => namespace.inside(TcpSocket::new_v6).await?,
    };
    socket.connect(to).await
}

/// Listens inside of a namespace.
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

/// Receives datagrams inside of a namespace.
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
