//! Hops of the network: DNS in the client cluster, and connections to the endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Finding;
use super::facts::{Facts, Member, View};

/// Checks that the DNS name resolves to the addresses of the import.
pub(super) fn dns(facts: &Facts, from: &str) -> Finding {
    let Some(view) = facts.member(from).and_then(Member::view) else {
        return Finding::Unknown(format!("{from} cannot be read"));
    };
    let name = facts.dns_name(view);
    if view.clusterset.is_some() && view.dns.forwards_zone == Some(false) {
        return Finding::broken(
            format!("the cluster DNS of {from} does not forward clusterset.local"),
            format!("`portolan dns install` with the kubeconfig of {from}, then ask again for {name}"),
        );
    }
    let wanted = wanted(facts, view);
    match &view.dns.answer {
        None => Finding::Unknown(format!("not asked for {name}: `--probe` asks from a pod in {from}")),
        Some(Err(reason)) => Finding::broken(
            format!("the DNS of {from} has no answer for {name}: {reason}"),
            "check that its DNS server runs and is ready; it answers only after its caches have synced",
        ),
        Some(Ok(got)) if *got == wanted => Finding::Good(format!("{name} is {}", join(got))),
        Some(Ok(got)) => Finding::broken(
            format!("the DNS of {from} answers {} for {name}, expected {}", join(got), join(&wanted)),
            "answers may be cached for 5 seconds; after that, check the age of the DNS server's state",
        ),
    }
}

/// Expected addresses: those of the service, or of the endpoints of a headless one.
fn wanted(facts: &Facts, view: &View) -> BTreeSet<String> {
    let addresses = facts.addresses(view);
    if addresses.is_empty() {
        facts.exporters().flat_map(|(exporter, _)| facts.received(view, exporter)).collect()
    } else {
        addresses
    }
}

fn join(addresses: &BTreeSet<String>) -> String {
    match addresses.len() {
        0 => "nothing".to_owned(),
        _ => addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// Checks that the pod address ranges of the clusters do not overlap, and the connections of a probe.
pub(super) fn connection(facts: &Facts, from: &str) -> Finding {
    let Some(view) = facts.member(from).and_then(Member::view) else {
        return Finding::Unknown(format!("{from} cannot be read"));
    };
    for (exporter, source_view) in facts.exporters().filter(|(exporter, _)| exporter.name != from) {
        let pairs = view
            .pod_ranges
            .iter()
            .flat_map(|own| source_view.pod_ranges.iter().map(move |other| (own, other)));
        if let Some((own, other)) = pairs.into_iter().find(|(own, other)| overlap(own, other)) {
            let cluster = &exporter.name;
            return Finding::broken(
                format!("the pod addresses of {from} ({own}) and {cluster} ({other}) overlap"),
                format!(
                    "packets of {from} for {cluster} stay in {from}: give one of them other pod addresses"
                ),
            );
        }
    }
    let refused: Vec<String> =
        view.connections.iter().filter(|(_, taken)| !taken).map(|(port, _)| port.to_string()).collect();
    let name = facts.dns_name(view);
    if !refused.is_empty() {
        return Finding::broken(
            format!("a pod in {from} gets no connection to {name} on port {}", refused.join(", ")),
            format!(
                "check that packets pass between the clusters (routes, firewalls, network policies) and that the pods \
                 behind {} listen",
                facts.service
            ),
        );
    }
    if view.connections.is_empty() {
        return Finding::Unknown(format!(
            "no addresses overlap; not tried: `--probe` connects from a pod in {from}"
        ));
    }
    let taken: Vec<String> = view.connections.iter().map(|(port, _)| port.to_string()).collect();
    Finding::Good(format!("a pod in {from} connects to {name} on port {}", taken.join(", ")))
}

/// Whether two ranges in CIDR notation share an address; false if one is malformed.
fn overlap(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (range(one), range(other)) else { return false };
    one.is_ipv4 == other.is_ipv4 && {
        let shift = one.host_bits.max(other.host_bits);
        one.address.checked_shr(shift).unwrap_or_default()
            == other.address.checked_shr(shift).unwrap_or_default()
    }
}

struct Range {
    is_ipv4: bool,
    address: u128,
    host_bits: u32,
}

fn range(text: &str) -> Option<Range> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let (is_ipv4, address, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (true, u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (false, u128::from(address), 128),
    };
    Some(Range { is_ipv4, address, host_bits: u32::checked_sub(width, length)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_when_one_holds_the_other() {
        let cases = [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.2.0.0/16", false),
            ("10.1.0.0/16", "10.1.0.0/16", true),
            ("0.0.0.0/0", "10.1.0.0/16", true),
            ("::/0", "fd00::/64", true),
            ("fd00::/64", "fd00:0:0:1::/64", false),
            ("0.0.0.0/0", "::/0", false),
            ("10.0.0.0/33", "10.0.0.0/8", false),
            ("nonsense", "10.0.0.0/8", false),
        ];
        for (one, other, want) in cases {
            assert_eq!(overlap(one, other), want, "{one} and {other}");
        }
    }
}
