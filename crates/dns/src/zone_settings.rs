//! Which zones a server has, and why a zone cannot be served.

use std::net::IpAddr;

use portolan_plan::dns::ZoneKind;

/// Default TTL of answers, in seconds.
pub const DEFAULT_TTL_SECS: u32 = 5;

/// Configuration of one zone of services.
#[derive(Debug, Clone)]
pub struct ZoneSettings {
    /// Kind of services in the zone. A `Cluster` zone also adds the two reverse zones.
    pub kind: ZoneKind,
    /// Domain name of the zone.
    pub name: String,
    /// TTL of all answers, negative ones included, in seconds.
    pub ttl_secs: u32,
    /// Addresses of this server, answered for `ns.dns.<zone>`.
    pub server_addresses: Vec<IpAddr>,
}

impl ZoneSettings {
    /// The zone with its default name and TTL.
    pub fn new(kind: ZoneKind) -> Self {
        let name = kind.default_zone().to_owned();
        Self { kind, name, ttl_secs: DEFAULT_TTL_SECS, server_addresses: Vec::new() }
    }
}

/// A zone that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The zone name is not a valid domain name.
    #[error("{name:?} is not the name of a zone: use labels of letters, digits and hyphens, joined by dots")]
    Name {
        /// The configured name.
        name: String,
    },
    /// Two zones have the same name.
    #[error("zone {name:?} is given twice: give each zone a different name, and each kind one zone")]
    Duplicate {
        /// The name of both.
        name: String,
    },
}
