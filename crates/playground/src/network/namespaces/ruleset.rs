//! The forwarding rules of a cluster as nftables commands.
//!
//! Pure. Computes the commands that change the rules of one Service, in one transaction and without touching any other
//! Service. `router` runs `nft` with them; `network::rules` computes the rules.
//!
//! ```text
//! from-pods, from-here ─► @frontends ─► f-…: sticky endpoints, then one at random ─► e-…: remember, rewrite
//! forwarded, sent      ─► @refused and every other Service address ─► refuse
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portolan_object::ObjectKey;

use crate::network::address::{Frontend, Protocol};
use crate::network::ranges::Ranges;
use crate::network::rules::{Backend, Endpoint, ServiceRules};

/// Words that differ between the tables of the two address families.
#[derive(Debug)]
pub(crate) struct Family {
    table: &'static str,
    /// Protocol of packet addresses in rules.
    packet: &'static str,
    /// Type of addresses in maps and sets.
    kind: &'static str,
    /// Rejection of traffic to Service addresses without endpoints.
    unreachable: &'static str,
}

/// IPv4.
const IPV4: Family = Family {
    table: "ip portolan",
    packet: "ip",
    kind: "ipv4_addr",
    unreachable: "icmp type port-unreachable",
};

/// IPv6.
const IPV6: Family = Family {
    table: "ip6 portolan",
    packet: "ip6",
    kind: "ipv6_addr",
    unreachable: "icmpv6 type port-unreachable",
};

/// Mark of packets that a pod sends to itself through a Service; their source is rewritten so that the answer comes back
/// through the gateway.
const HAIRPIN_MARK: &str = "0x1";
/// Clients with session affinity per endpoint; more are balanced without affinity until some time out.
const MAX_STICKY_CLIENTS: u32 = 65_535;

/// Numbers of a cluster's nodes. A rule recognises the node of a pod by the name of its [`bridge`].
pub(crate) type NodeNumbers = BTreeMap<Arc<str>, usize>;

/// Name of the bridge of a node's pods, in the namespace of the cluster.
pub(crate) fn bridge(number: usize) -> String {
    format!("node-{number}")
}

/// The tables of a cluster without any Service.
pub(crate) fn tables(services: &Ranges) -> String {
    services.iter().map(table).collect()
}

/// The table of the address family of a range.
fn table(services: IpNet) -> String {
    let Family { table, packet, kind, unreachable } = if services.addr().is_ipv4() { IPV4 } else { IPV6 };
    format!(
        "table {table} {{
  map frontends {{ type {kind} . inet_proto . inet_service : verdict; }}
  map refused {{ type {kind} . inet_proto . inet_service : verdict; }}
  set cut {{ type ifname; }}
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with {unreachable}
  }}
  chain from-pods {{
    type nat hook prerouting priority -100; policy accept;
    {packet} daddr . meta l4proto . th dport vmap @frontends
  }}
  chain from-here {{
    type nat hook output priority -100; policy accept;
    {packet} daddr . meta l4proto . th dport vmap @frontends
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
    meta mark and {HAIRPIN_MARK} == {HAIRPIN_MARK} masquerade
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

/// Commands that change the rules of a Service from `old` to `new` in all address families of the cluster; empty when
/// nothing changes.
pub(crate) fn change(
    service: &ObjectKey,
    old: &ServiceRules,
    new: &ServiceRules,
    nodes: &NodeNumbers,
    services: &Ranges,
) -> String {
    let ipv6 = services.v6.map(|_| IPV6);
    std::iter::once(IPV4).chain(ipv6).map(|family| change_of(family, service, old, new, nodes)).collect()
}

fn change_of(
    family: Family,
    service: &ObjectKey,
    old: &ServiceRules,
    new: &ServiceRules,
    nodes: &NodeNumbers,
) -> String {
    let changed = |rules: &ServiceRules, other: &ServiceRules| -> Vec<(Frontend, Backend)> {
        let differing = rules.frontends.iter().filter(|(frontend, backend)| {
            family.has(frontend.address) && other.frontends.get(frontend) != Some(*backend)
        });
        differing.map(|(frontend, backend)| (*frontend, backend.clone())).collect()
    };
    let (removed, added) = (changed(old, new), changed(new, old));
    let kept: BTreeSet<String> =
        added.iter().flat_map(|(frontend, backend)| sticky_sets(service, *frontend, backend)).collect();
    let mut script = Script { text: String::new(), family, nodes };
    for (frontend, backend) in &removed {
        script.remove(service, *frontend, backend, &kept);
    }
    for (frontend, backend) in &added {
        script.add(service, *frontend, backend);
    }
    script.text
}

impl Family {
    fn has(&self, address: SocketAddr) -> bool {
        address.is_ipv4() == (self.packet == IPV4.packet)
    }
}

/// UDP frontends, each with an endpoint that it lost.
pub(crate) fn lost_flows(old: &ServiceRules, new: &ServiceRules) -> Vec<(SocketAddr, SocketAddr)> {
    let datagrams = old.frontends.iter().filter(|(frontend, _)| frontend.protocol == Protocol::Udp);
    datagrams
        .flat_map(|(frontend, backend)| {
            let now = new.frontends.get(frontend);
            let is_kept = move |endpoint: &Endpoint| {
                now.is_some_and(|now| now.endpoints.iter().any(|other| other.address == endpoint.address))
            };
            let lost = backend.endpoints.iter().filter(move |endpoint| !is_kept(endpoint));
            lost.map(|endpoint| (frontend.address, endpoint.address))
        })
        .collect()
}

/// Commands that drop all traffic of an interface, or stop dropping it.
pub(crate) fn link(interface: &str, is_cut: bool, services: &Ranges) -> String {
    let tables = services.iter().map(|range| if range.addr().is_ipv4() { IPV4.table } else { IPV6.table });
    let command = |table: &str| {
        // Deleting a missing element is an error, adding an existing one is not.
        let add = format!("add element {table} cut {{ {interface:?} }}\n");
        if is_cut { add } else { format!("{add}delete element {table} cut {{ {interface:?} }}\n") }
    };
    tables.map(command).collect()
}

/// Names of the sets with the sticky clients of a frontend's endpoints.
fn sticky_sets(service: &ObjectKey, frontend: Frontend, backend: &Backend) -> Vec<String> {
    match backend.affinity {
        Some(timeout) => {
            let endpoints = backend.endpoints.iter();
            endpoints.map(|e| sticky_set(service, frontend, e.address, timeout.as_secs())).collect()
        }
        None => Vec::new(),
    }
}

/// The timeout of a set cannot be changed, so it is part of the name.
fn sticky_set(service: &ObjectKey, frontend: Frontend, endpoint: SocketAddr, seconds: u64) -> String {
    format!("s-{}-{seconds}", endpoint_name(service, frontend, endpoint))
}

fn frontend_name(service: &ObjectKey, frontend: Frontend) -> String {
    let protocol = frontend.protocol.to_string().to_ascii_lowercase();
    let ObjectKey { namespace, name } = service;
    format!("{namespace}/{name}/{}/{protocol}/{}", address_in_name(frontend.address), frontend.address.port())
}

fn endpoint_name(service: &ObjectKey, frontend: Frontend, endpoint: SocketAddr) -> String {
    format!("{}/{}/{}", frontend_name(service, frontend), address_in_name(endpoint), endpoint.port())
}

/// An address as part of a name, without colons.
fn address_in_name(address: SocketAddr) -> String {
    address.ip().to_string().replace(':', "_")
}

fn element(frontend: Frontend) -> String {
    let protocol = frontend.protocol.to_string().to_ascii_lowercase();
    format!("{} . {protocol} . {}", frontend.address.ip(), frontend.address.port())
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

    fn remove(
        &mut self,
        service: &ObjectKey,
        frontend: Frontend,
        backend: &Backend,
        kept: &BTreeSet<String>,
    ) {
        let Family { table, .. } = self.family;
        let (name, element) = (frontend_name(service, frontend), element(frontend));
        if backend.endpoints.is_empty() {
            return self.line(format_args!("delete element {table} refused {{ {element} }}"));
        }
        self.line(format_args!("delete element {table} frontends {{ {element} }}"));
        let locals = self.locals(backend);
        let frontends: Vec<String> = match backend.same_node {
            false => vec![format!("f-{name}")],
            true => std::iter::once(format!("f-{name}"))
                .chain(locals.keys().map(|number| format!("f-{name}/{number}")))
                .collect(),
        };
        let endpoints: Vec<String> = backend
            .endpoints
            .iter()
            .map(|e| format!("e-{}", endpoint_name(service, frontend, e.address)))
            .collect();
        for chain in frontends.iter().chain(&endpoints) {
            self.line(format_args!("flush chain {table} {chain}"));
        }
        for chain in frontends.iter().chain(&endpoints) {
            self.line(format_args!("delete chain {table} {chain}"));
        }
        for set in sticky_sets(service, frontend, backend).iter().filter(|set| !kept.contains(*set)) {
            self.line(format_args!("delete set {table} {set}"));
        }
    }

    fn add(&mut self, service: &ObjectKey, frontend: Frontend, backend: &Backend) {
        let Family { table, .. } = self.family;
        let (name, element) = (frontend_name(service, frontend), element(frontend));
        if backend.endpoints.is_empty() {
            return self.line(format_args!("add element {table} refused {{ {element} : goto refuse }}"));
        }
        for endpoint in &backend.endpoints {
            self.add_endpoint(service, frontend, backend, endpoint.address);
        }
        if backend.same_node {
            let locals = self.locals(backend);
            self.line(format_args!("add chain {table} f-{name}"));
            for (number, endpoints) in locals {
                self.add_choice(service, frontend, backend, &format!("f-{name}/{number}"), &endpoints);
                let bridge = bridge(number);
                self.line(format_args!(
                    "add rule {table} f-{name} iifname {bridge:?} goto f-{name}/{number}"
                ));
            }
        } else {
            let endpoints: Vec<SocketAddr> = backend.endpoints.iter().map(|e| e.address).collect();
            self.add_choice(service, frontend, backend, &format!("f-{name}"), &endpoints);
        }
        self.line(format_args!("add element {table} frontends {{ {element} : goto f-{name} }}"));
    }

    /// Adds the chain that rewrites packets to one endpoint.
    fn add_endpoint(
        &mut self,
        service: &ObjectKey,
        frontend: Frontend,
        backend: &Backend,
        endpoint: SocketAddr,
    ) {
        let Family { table, packet, kind, .. } = self.family;
        let name = endpoint_name(service, frontend, endpoint);
        self.line(format_args!("add chain {table} e-{name}"));
        let address = endpoint.ip();
        self.line(format_args!(
            "add rule {table} e-{name} {packet} saddr {address} meta mark set meta mark or {HAIRPIN_MARK}"
        ));
        if let Some(timeout) = backend.affinity {
            let seconds = timeout.as_secs();
            let set = sticky_set(service, frontend, endpoint, seconds);
            self.line(format_args!(
                "add set {table} {set} {{ type {kind}; flags dynamic,timeout; timeout {seconds}s; size {MAX_STICKY_CLIENTS}; }}"
            ));
            self.line(format_args!("add rule {table} e-{name} update @{set} {{ {packet} saddr }}"));
        }
        let protocol = frontend.protocol.to_string().to_ascii_lowercase();
        self.line(format_args!("add rule {table} e-{name} meta l4proto {protocol} dnat to {endpoint}"));
    }

    /// Adds the chain that chooses one of several endpoints.
    fn add_choice(
        &mut self,
        service: &ObjectKey,
        frontend: Frontend,
        backend: &Backend,
        chain: &str,
        endpoints: &[SocketAddr],
    ) {
        let Family { table, packet, .. } = self.family;
        self.line(format_args!("add chain {table} {chain}"));
        if let Some(timeout) = backend.affinity {
            for endpoint in endpoints {
                let set = sticky_set(service, frontend, *endpoint, timeout.as_secs());
                let name = endpoint_name(service, frontend, *endpoint);
                self.line(format_args!("add rule {table} {chain} {packet} saddr @{set} goto e-{name}"));
            }
        }
        let choices: Vec<String> = endpoints
            .iter()
            .enumerate()
            .map(|(at, endpoint)| format!("{at} : goto e-{}", endpoint_name(service, frontend, *endpoint)))
            .collect();
        let (count, choices) = (endpoints.len(), choices.join(", "));
        self.line(format_args!("add rule {table} {chain} numgen random mod {count} vmap {{ {choices} }}"));
    }

    /// Endpoints by the number of their node; endpoints on unknown nodes are left out.
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
