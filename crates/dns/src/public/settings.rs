//! The name servers of a public zone, and who may copy it.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_plan::federation::dns::record::DomainName;

use super::nearness::Nearness;
use crate::transaction_key::TransactionKey;
use crate::zone_settings::ZoneError;

/// Time to live of the SOA and NS records and of negative answers, in seconds. A name that a client asked for too early is
/// found a minute after it was published.
pub(crate) const APEX_TTL: u32 = 60;

/// A public zone.
#[derive(Debug, Clone)]
pub struct PublicZoneSettings {
    /// Its name.
    pub name: DomainName,
    /// Its name servers, at least one; the first is in the SOA record.
    pub name_servers: Vec<NameServer>,
    /// Who may copy the zone; with `None` every copy is refused.
    pub transfers: Option<Transfers>,
    /// Regions of client networks. A client gets the addresses of a Service in its region, if there are any; with `None` every
    /// client gets all addresses.
    pub nearness: Option<Nearness>,
}

/// A name server of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Its host name.
    pub name: DomainName,
    /// Its addresses, answered if the name is in the zone.
    pub addresses: Vec<IpAddr>,
}

/// Who may copy a zone. Both conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct Transfers {
    /// Networks of the secondary name servers; empty for any address.
    pub from: Vec<IpNet>,
    /// The key that must sign requests, and signs the answers.
    pub key: Option<TransactionKey>,
}

impl Transfers {
    /// Whether the client has one of the addresses that may copy the zone. The key is checked elsewhere.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.from.is_empty() || self.from.iter().any(|network| network.contains(&address))
    }
}

/// A public zone cannot be served or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicZoneError {
    /// The zone has no name server, or a name that does not fit into a record.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The zone is not served.
    #[error("the zone {0} is not served here")]
    NotServed(DomainName),
    /// A record cannot be encoded.
    #[error("{0} cannot be encoded: check names and addresses")]
    Record(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_for_the_networks_that_are_named() {
        let transfers = |from: &[&str]| Transfers {
            from: from.iter().map(|network| network.parse().expect("a network")).collect(),
            key: None,
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (from, peer, want) in [
            (&["192.0.2.0/24"][..], "192.0.2.7", true),
            (&["192.0.2.0/24"], "::ffff:192.0.2.7", true),
            (&["192.0.2.0/24"], "198.51.100.1", false),
            (&["2001:db8::/32", "192.0.2.7/32"], "2001:db8::1", true),
            (&[], "198.51.100.1", true),
        ] {
            assert_eq!(transfers(from).allows(address(peer)), want, "{from:?} {peer}");
        }
    }
}
