//! Problems that leave out DNS records of a service.

/// A part of a service without DNS records. The rest of the service is not affected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The name of the service or of its namespace is not a DNS label.
    #[error(
        "{name:?} cannot be part of a DNS name: use a name of at most 63 letters, digits and hyphens, without dots"
    )]
    ServiceName {
        /// The invalid value.
        name: String,
    },
    /// The full name is longer than DNS allows.
    #[error(
        "the name {name:?} has {length} characters, DNS allows 253: shorten the service, namespace, host name or cluster id"
    )]
    TooLong {
        /// The name.
        name: String,
        /// Length in characters.
        length: usize,
    },
    /// An object has a field of a wrong type.
    #[error("{message}")]
    Unreadable {
        /// The object, the field and its problem.
        message: String,
    },
    /// The type of the import is unknown.
    #[error("type {kind:?} is unknown: use ClusterSetIP or Headless")]
    Type {
        /// The invalid value.
        kind: String,
    },
    /// Not a valid IP address.
    #[error("{text:?} in {place} is not an {expected} address")]
    Address {
        /// The invalid value.
        text: String,
        /// Object or field with the value.
        place: String,
        /// `IP`, `IPv4` or `IPv6`.
        expected: &'static str,
    },
    /// A port has no SRV record.
    #[error("port {name:?} ({number}/{protocol}) cannot be published: {reason}")]
    Port {
        /// Name of the port.
        name: String,
        /// Number of the port.
        number: i64,
        /// Protocol of the port.
        protocol: String,
        /// The rule that it violates.
        reason: &'static str,
    },
    /// A host name is not a DNS label.
    #[error(
        "host name {hostname:?} in {place} cannot be part of a DNS name: use at most 63 letters, digits and hyphens"
    )]
    Hostname {
        /// The invalid value.
        hostname: String,
        /// The slice.
        place: String,
    },
    /// A cluster id is not a DNS name.
    #[error(
        "cluster id {id:?} in {place} cannot be part of a DNS name: use lower-case letters, digits, hyphens and dots"
    )]
    ClusterId {
        /// The invalid value.
        id: String,
        /// The slice.
        place: String,
    },
    /// A slice has no label with its source cluster.
    #[error(
        "{place} has no label multicluster.kubernetes.io/source-cluster: its endpoints are not published"
    )]
    NoClusterId {
        /// The slice.
        place: String,
    },
    /// The target of an ExternalName Service is not a valid domain name.
    #[error("external name {name:?} is not a DNS name")]
    ExternalName {
        /// The invalid value.
        name: String,
    },
    /// More endpoints than one answer can contain.
    #[error(
        "{have} endpoints are ready, but the answer for the name of the service contains only {limit} of them; the name \
         of each pod still resolves"
    )]
    TooManyEndpoints {
        /// Ready endpoints.
        have: usize,
        /// Published endpoints.
        limit: usize,
    },
}
