//! The forwarding rules of a cluster as nftables commands.
//!
//! Pure: from the rules of a Service before and after a change to the text that turns one into the other, in one
//! transaction and without touching any other Service. `router` feeds the text to `nft`; what the rules are is decided
//! in `network::rules`.
//!
//! ```text
//! from-pods, from-here ─► @fronts ─► f-…: sticky endpoints, then one at random ─► e-…: remember, rewrite
//! forwarded, sent      ─► @refused and every other Service address ─► refuse
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portolan_object::ObjectKey;

use crate::network::rules::{Backend, Endpoint, Front, ServiceRules};
use crate::network::{Protocol, Ranges};

/// What differs between the tables of the two address families, both in the network namespace of the cluster.
#[derive(Debug)]
pub(crate) struct Family {
    table: &'static str,
    /// How rules call addresses of packets.
    packet: &'static str,
    /// The type of addresses.
    kind: &'static str,
    /// The answer to what nobody serves.
    unreachable: &'static str,
}

/// IPv4.
const FOURTH: Family = Family {
    table: "ip portolan",
    packet: "ip",
    kind: "ipv4_addr",
    unreachable: "icmp type port-unreachable",
};

/// IPv6.
const SIXTH: Family = Family {
    table: "ip6 portolan",
    packet: "ip6",
    kind: "ipv6_addr",
    unreachable: "icmpv6 type port-unreachable",
};

/// Packets that a pod sends to itself through a Service: their source is rewritten, or the answer would not pass here.
const HAIRPIN: &str = "0x1";
/// Clients that one endpoint remembers; the kernel refuses more until some have timed out.
const STICKY_CLIENTS: u32 = 65_535;

/// The numbers of a cluster's nodes. The bridge of a node's pods is called [`bridge`], which is how a rule knows where a
/// packet comes from.
pub(crate) type NodeNumbers = BTreeMap<Arc<str>, usize>;

/// The bridge of a node's pods, in the namespace of its cluster.
pub(crate) fn bridge(number: usize) -> String {
    format!("node-{number}")
}

/// The tables of a cluster without any Service.
pub(crate) fn tables(services: &Ranges) -> String {
    services.iter().map(table).collect()
}

/// The table of the family of a range.
fn table(services: IpNet) -> String {
    let Family { table, packet, kind, unreachable } = if services.addr().is_ipv4() { FOURTH } else { SIXTH };
    format!(
        "table {table} {{
  map fronts {{ type {kind} . inet_proto . inet_service : verdict; }}
  map refused {{ type {kind} . inet_proto . inet_service : verdict; }}
  set cut {{ type ifname; }}
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with {unreachable}
  }}
  chain from-pods {{
    type nat hook prerouting priority -100; policy accept;
    {packet} daddr . meta l4proto . th dport vmap @fronts
  }}
  chain from-here {{
    type nat hook output priority -100; policy accept;
    {packet} daddr . meta l4proto . th dport vmap @fronts
  }}
  chain forwarded {{
    type filter hook forward priority 0; policy accept;
    {packet} daddr . meta l4proto . th dport vmap @refused
    {packet} daddr {services} goto refuse
  }}
  chain sent {{
    type filter hook output priority 0; policy accept;
    oif lo accept
    {packet} daddr . meta l4proto . th dport vmap @refused
    {packet} daddr {services} goto refuse
  }}
  chain hairpins {{
    type nat hook postrouting priority 100; policy accept;
    meta mark and {HAIRPIN} == {HAIRPIN} masquerade
  }}
  chain cut-incoming {{
    type filter hook prerouting priority -300; policy accept;
    iifname @cut drop
  }}
  chain cut-outgoing {{
    type filter hook postrouting priority 300; policy accept;
    oifname @cut drop
  }}
}}
"
    )
}

/// The commands that turn the rules `old` of a Service into `new`, of the families that the cluster has; empty when they
/// are the same.
pub(crate) fn change(
    service: &ObjectKey,
    old: &ServiceRules,
    new: &ServiceRules,
    nodes: &NodeNumbers,
    services: &Ranges,
) -> String {
    let second = services.v6.map(|_| SIXTH);
    std::iter::once(FOURTH).chain(second).map(|family| change_of(family, service, old, new, nodes)).collect()
}

fn change_of(
    family: Family,
    service: &ObjectKey,
    old: &ServiceRules,
    new: &ServiceRules,
    nodes: &NodeNumbers,
) -> String {
    let changed = |rules: &ServiceRules, other: &ServiceRules| -> Vec<(Front, Backend)> {
        let differing = rules.fronts.iter().filter(|(front, backend)| {
            family.has(front.address) && other.fronts.get(front) != Some(*backend)
        });
        differing.map(|(front, backend)| (*front, backend.clone())).collect()
    };
    let (gone, come) = (changed(old, new), changed(new, old));
    let kept: BTreeSet<String> =
        come.iter().flat_map(|(front, backend)| memories(service, *front, backend)).collect();
    let mut script = Script { text: String::new(), family, nodes };
    for (front, backend) in &gone {
        script.remove(service, *front, backend, &kept);
    }
    for (front, backend) in &come {
        script.add(service, *front, backend);
    }
    script.text
}

impl Family {
    fn has(&self, address: SocketAddr) -> bool {
        address.is_ipv4() == (self.packet == FOURTH.packet)
    }
}

/// Fronts of datagrams with endpoints that they no longer have.
pub(crate) fn lost_flows(old: &ServiceRules, new: &ServiceRules) -> Vec<(SocketAddr, SocketAddr)> {
    let datagrams = old.fronts.iter().filter(|(front, _)| front.protocol == Protocol::Udp);
    datagrams
        .flat_map(|(front, backend)| {
            let now = new.fronts.get(front);
            let is_kept = move |endpoint: &Endpoint| {
                now.is_some_and(|now| now.endpoints.iter().any(|other| other.address == endpoint.address))
            };
            let lost = backend.endpoints.iter().filter(move |endpoint| !is_kept(endpoint));
            lost.map(|endpoint| (front.address, endpoint.address))
        })
        .collect()
}

/// The commands that cut the link behind an interface, or restore it.
pub(crate) fn link(interface: &str, is_cut: bool, services: &Ranges) -> String {
    let tables = services.iter().map(|range| if range.addr().is_ipv4() { FOURTH.table } else { SIXTH.table });
    let command = |table: &str| {
        // Deleting what is not there is an error, adding what is there is not.
        let add = format!("add element {table} cut {{ {interface:?} }}\n");
        if is_cut { add } else { format!("{add}delete element {table} cut {{ {interface:?} }}\n") }
    };
    tables.map(command).collect()
}

/// The names of the sets in which a front's endpoints remember their clients.
fn memories(service: &ObjectKey, front: Front, backend: &Backend) -> Vec<String> {
    match backend.affinity {
        Some(timeout) => {
            let endpoints = backend.endpoints.iter();
            endpoints.map(|e| memory(service, front, e.address, timeout.as_secs())).collect()
        }
        None => Vec::new(),
    }
}

/// A timeout cannot be changed, so it is part of the name.
fn memory(service: &ObjectKey, front: Front, endpoint: SocketAddr, seconds: u64) -> String {
    format!("s-{}-{seconds}", endpoint_name(service, front, endpoint))
}

fn front_name(service: &ObjectKey, front: Front) -> String {
    let protocol = front.protocol.to_string().to_ascii_lowercase();
    let ObjectKey { namespace, name } = service;
    format!("{namespace}/{name}/{}/{protocol}/{}", word(front.address), front.address.port())
}

fn endpoint_name(service: &ObjectKey, front: Front, endpoint: SocketAddr) -> String {
    format!("{}/{}/{}", front_name(service, front), word(endpoint), endpoint.port())
}

/// An address as part of a name, where colons mean something else.
fn word(address: SocketAddr) -> String {
    address.ip().to_string().replace(':', "_")
}

fn element(front: Front) -> String {
    let protocol = front.protocol.to_string().to_ascii_lowercase();
    format!("{} . {protocol} . {}", front.address.ip(), front.address.port())
}

struct Script<'a> {
    text: String,
    family: Family,
    nodes: &'a NodeNumbers,
}

impl Script<'_> {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "{text}");
    }

    fn remove(&mut self, service: &ObjectKey, front: Front, backend: &Backend, kept: &BTreeSet<String>) {
        let Family { table, .. } = self.family;
        let (name, element) = (front_name(service, front), element(front));
        if backend.endpoints.is_empty() {
            return self.line(format_args!("delete element {table} refused {{ {element} }}"));
        }
        self.line(format_args!("delete element {table} fronts {{ {element} }}"));
        let locals = self.locals(backend);
        let fronts: Vec<String> = match backend.same_node {
            false => vec![format!("f-{name}")],
            true => std::iter::once(format!("f-{name}"))
                .chain(locals.keys().map(|number| format!("f-{name}/{number}")))
                .collect(),
        };
        let endpoints: Vec<String> = backend
            .endpoints
            .iter()
            .map(|e| format!("e-{}", endpoint_name(service, front, e.address)))
            .collect();
        for chain in fronts.iter().chain(&endpoints) {
            self.line(format_args!("flush chain {table} {chain}"));
        }
        for chain in fronts.iter().chain(&endpoints) {
            self.line(format_args!("delete chain {table} {chain}"));
        }
        for memory in memories(service, front, backend).iter().filter(|memory| !kept.contains(*memory)) {
            self.line(format_args!("delete set {table} {memory}"));
        }
    }

    fn add(&mut self, service: &ObjectKey, front: Front, backend: &Backend) {
        let Family { table, .. } = self.family;
        let (name, element) = (front_name(service, front), element(front));
        if backend.endpoints.is_empty() {
            return self.line(format_args!("add element {table} refused {{ {element} : goto refuse }}"));
        }
        for endpoint in &backend.endpoints {
            self.add_endpoint(service, front, backend, endpoint.address);
        }
        if backend.same_node {
            let locals = self.locals(backend);
            self.line(format_args!("add chain {table} f-{name}"));
            for (number, endpoints) in locals {
                self.add_choice(service, front, backend, &format!("f-{name}/{number}"), &endpoints);
                let bridge = bridge(number);
                self.line(format_args!(
                    "add rule {table} f-{name} iifname {bridge:?} goto f-{name}/{number}"
                ));
            }
        } else {
            let endpoints: Vec<SocketAddr> = backend.endpoints.iter().map(|e| e.address).collect();
            self.add_choice(service, front, backend, &format!("f-{name}"), &endpoints);
        }
        self.line(format_args!("add element {table} fronts {{ {element} : goto f-{name} }}"));
    }

    /// The chain that rewrites a packet for one endpoint.
    fn add_endpoint(&mut self, service: &ObjectKey, front: Front, backend: &Backend, endpoint: SocketAddr) {
        let Family { table, packet, kind, .. } = self.family;
        let name = endpoint_name(service, front, endpoint);
        self.line(format_args!("add chain {table} e-{name}"));
        let address = endpoint.ip();
        self.line(format_args!(
            "add rule {table} e-{name} {packet} saddr {address} meta mark set meta mark or {HAIRPIN}"
        ));
        if let Some(timeout) = backend.affinity {
            let seconds = timeout.as_secs();
            let memory = memory(service, front, endpoint, seconds);
            self.line(format_args!(
                "add set {table} {memory} {{ type {kind}; flags dynamic,timeout; timeout {seconds}s; size {STICKY_CLIENTS}; }}"
            ));
            self.line(format_args!("add rule {table} e-{name} update @{memory} {{ {packet} saddr }}"));
        }
        let protocol = front.protocol.to_string().to_ascii_lowercase();
        self.line(format_args!("add rule {table} e-{name} meta l4proto {protocol} dnat to {endpoint}"));
    }

    /// A chain that picks one of some endpoints.
    fn add_choice(
        &mut self,
        service: &ObjectKey,
        front: Front,
        backend: &Backend,
        chain: &str,
        endpoints: &[SocketAddr],
    ) {
        let Family { table, packet, .. } = self.family;
        self.line(format_args!("add chain {table} {chain}"));
        if let Some(timeout) = backend.affinity {
            for endpoint in endpoints {
                let memory = memory(service, front, *endpoint, timeout.as_secs());
                let name = endpoint_name(service, front, *endpoint);
                self.line(format_args!("add rule {table} {chain} {packet} saddr @{memory} goto e-{name}"));
            }
        }
        let choices: Vec<String> = endpoints
            .iter()
            .enumerate()
            .map(|(at, endpoint)| format!("{at} : goto e-{}", endpoint_name(service, front, *endpoint)))
            .collect();
        let (count, choices) = (endpoints.len(), choices.join(", "));
        self.line(format_args!("add rule {table} {chain} numgen random mod {count} vmap {{ {choices} }}"));
    }

    /// Endpoints by the number of their node; those on nodes that are not here are nobody's neighbours.
    fn locals(&self, backend: &Backend) -> BTreeMap<usize, Vec<SocketAddr>> {
        let mut locals: BTreeMap<usize, Vec<SocketAddr>> = BTreeMap::new();
        for Endpoint { address, node } in &backend.endpoints {
            if let Some(number) = node.as_ref().and_then(|node| self.nodes.get(node)) {
                locals.entry(*number).or_default().push(*address);
            }
        }
        locals
    }
}

#[cfg(test)]
mod tests;
