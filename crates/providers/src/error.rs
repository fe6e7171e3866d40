//! Why a zone could not be read or changed.

use std::time::Duration;

use portolan_plan::federation::dns::record::{DomainName, RecordType};

/// A part of a record set that a provider has no form for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Weights, latency, places and health checks.
    #[error("routing policies and health checks")]
    Routing,
    /// A type of record.
    #[error("records of type {0}")]
    Type(RecordType),
    /// The data does not fit the type.
    #[error("{0:?} as data of a record of this type")]
    Data(String),
}

/// A request to a provider that failed. Every message says what to do; none has a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// No connection, or it broke.
    #[error("cannot reach {server}: {reason}; check the address, the port and the firewall between")]
    Unreachable {
        /// Address or URL.
        server: String,
        /// Error of the system.
        reason: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {} s; it is tried again", after.as_secs())]
    Timeout {
        /// Address or URL.
        server: String,
        /// The time given.
        after: Duration,
    },
    /// Too many requests.
    #[error("{server} limits the rate of requests; it is tried again later")]
    Throttled {
        /// Address, URL or name of the service.
        server: String,
    },
    /// The server has an internal error.
    #[error("{server} failed: {reason}; it is tried again")]
    ServerFailure {
        /// Address or URL.
        server: String,
        /// What it said.
        reason: String,
    },
    /// The server does not allow the request.
    #[error("{server} refuses {what}; allow it there, for zone {zone}")]
    Refused {
        /// Address or URL.
        server: String,
        /// What was asked.
        what: &'static str,
        /// The zone.
        zone: DomainName,
    },
    /// The server does not know the key, or has another secret or algorithm for it.
    #[error(
        "{server} does not accept the TSIG key {key:?}: {reason}; name, algorithm and secret must be those of the server's \
         configuration"
    )]
    Key {
        /// Address.
        server: String,
        /// Name of the key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The clocks differ by more than signatures allow.
    #[error(
        "the clock of {server} differs from the local one by {seconds} s, more than a TSIG signature allows: set both by NTP"
    )]
    ClockSkew {
        /// Address.
        server: String,
        /// The difference.
        seconds: u64,
    },
    /// Credentials are missing or not accepted.
    #[error("{server} does not accept the credentials: {reason}")]
    Credentials {
        /// Address, URL or name of the service.
        server: String,
        /// What it said.
        reason: String,
    },
    /// No credentials can be used.
    #[error("there are no credentials for {server}: {reason}")]
    NoCredentials {
        /// Address, URL or name of the service.
        server: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The provider does not have the zone.
    #[error(
        "{server} has no zone {zone}: create it there, or correct the name of the zone in the Federation"
    )]
    NoZone {
        /// Address, URL or name of the service.
        server: String,
        /// The zone.
        zone: DomainName,
    },
    /// The provider has several zones of the name.
    #[error("{server} has {count} zones {zone}: give the id of the one to write to")]
    AmbiguousZone {
        /// Name of the service.
        server: String,
        /// The zone.
        zone: DomainName,
        /// How many.
        count: usize,
    },
    /// The zone is not as it was when it was read.
    #[error("the records of {name} were changed by another writer; the zone is read again")]
    Changed {
        /// The name.
        name: DomainName,
    },
    /// A change that the provider will never accept.
    #[error("{server} rejects the change of {name}: {reason}")]
    Rejected {
        /// Address, URL or name of the service.
        server: String,
        /// The name.
        name: DomainName,
        /// What it said.
        reason: String,
    },
    /// A change that this provider has no form for.
    #[error(
        "{provider} has no {what}: remove them from the Federation's zone, or use a provider that has them"
    )]
    Unsupported {
        /// Name of the provider.
        provider: &'static str,
        /// What it lacks.
        what: Unsupported,
    },
    /// The zone is larger than what is read.
    #[error("zone {zone} has more than {limit} records: delegate a zone of its own to the federation")]
    TooLarge {
        /// The zone.
        zone: DomainName,
        /// Most records.
        limit: usize,
    },
    /// The answer breaks the protocol.
    #[error("{server} sent an answer that cannot be used: {reason}")]
    Answer {
        /// Address or URL.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The time for the whole publication is over.
    #[error(
        "not tried: the time for one publication is over, or the provider failed before; it is tried again"
    )]
    NotTried,
}

impl ProviderError {
    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Throttled { .. }
                | Self::ServerFailure { .. }
        )
    }

    /// Whether the error is about the change itself, so that the other changes of its batch may be accepted.
    pub fn is_of_change(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Rejected { .. } | Self::Unsupported { .. })
    }
}
