//! Names and record sets of a public zone, as the planner wants them and a provider lists them.

use std::collections::BTreeSet;
use std::fmt;

use portolan_object::dns_label::LABEL_LIMIT;

/// The most characters of a domain name in text form, with the final dot (RFC 1035, section 2.3.4).
const NAME_LIMIT: usize = 254;

/// An absolute domain name: lower case, with a final dot. Names of zones and of record sets are compared in this form,
/// whatever form a provider uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

/// A text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label is empty, too long or has a character that no public zone should have.
    #[error(
        "{label:?} in {name:?} is not a DNS label: use 1 to {LABEL_LIMIT} letters, digits, hyphens or underscores"
    )]
    Label {
        /// The whole text.
        name: String,
        /// The wrong part.
        label: String,
    },
    /// The whole name is too long.
    #[error("{name:?} has more than {} characters", NAME_LIMIT - 1)]
    TooLong {
        /// The whole text.
        name: String,
    },
}

impl DomainName {
    /// Parses a name with or without its final dot, in any case. A first label `*` is allowed.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.len() + 1 > NAME_LIMIT {
            return Err(NameError::TooLong { name: text.to_owned() });
        }
        let wildcard = bare.strip_prefix("*.").unwrap_or(bare);
        if let Some(label) = wildcard.split('.').find(|label| !is_label(label)) {
            return Err(NameError::Label { name: text.to_owned(), label: label.to_owned() });
        }
        Ok(Self(format!("{}.", bare.to_ascii_lowercase())))
    }

    /// The name `label.self`; `label` may have several labels.
    pub fn below(&self, label: &str) -> Result<Self, NameError> {
        Self::parse(&format!("{label}.{}", self.0))
    }

    /// The text with its final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text without its final dot.
    pub fn without_dot(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }

    /// Whether the name is that of `zone` or below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        self.0.strip_suffix(zone.as_str()).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.len() <= LABEL_LIMIT && label.bytes().all(is_allowed)
}

/// Type of a record set. Portolan writes the first four; the others occur in zones and are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name.
    Cname,
    /// Text; marks the owner of a record set.
    Txt,
    /// Any other type, by its mnemonic in capitals.
    Other(String),
}

impl RecordType {
    /// The mnemonic in capitals.
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Other(name) => name,
        }
    }

    /// The type of a mnemonic in any case.
    pub fn of(mnemonic: &str) -> Self {
        match mnemonic.to_ascii_uppercase().as_str() {
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "CNAME" => Self::Cname,
            "TXT" => Self::Txt,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether Portolan publishes the type to clients.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a provider chooses between record sets of the same name and type. Providers without this feature refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// In proportion to the weight.
    Weighted(u8),
    /// The set with the lowest latency from the client, by region of the provider.
    Latency {
        /// Region of the provider, such as `eu-west-1`.
        region: String,
    },
    /// By the place of the client. The set without any place is the default.
    Geolocation {
        /// Code of the continent, such as `EU`.
        continent: Option<String>,
        /// Code of the country (ISO 3166-1).
        country: Option<String>,
        /// Code of a part of the country, such as a state.
        subdivision: Option<String>,
    },
}

/// Distinguishes record sets of the same name and type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Routing {
    /// Unique among the sets of the name and type.
    pub set_identifier: String,
    /// How the provider chooses.
    pub policy: Policy,
    /// Id of a health check of the provider; the set is not answered while it fails.
    pub health_check: Option<String>,
}

/// Records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordSet {
    /// Owner name.
    pub name: DomainName,
    /// Type.
    pub kind: RecordType,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Data in presentation form: addresses as `IpAddr` prints them, names with a final dot, text without quotes.
    pub targets: BTreeSet<String>,
    /// Routing policy; `None` for the only set of the name and type.
    pub routing: Option<Routing>,
}

/// What identifies a record set in its zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// Owner name.
    pub name: DomainName,
    /// Type.
    pub kind: RecordType,
    /// Identifier of the routing policy; empty without one.
    pub set_identifier: String,
}

impl RecordSet {
    /// A set without routing policy.
    pub fn new<T: Into<String>>(
        name: DomainName,
        kind: RecordType,
        ttl: u32,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        let targets = targets.into_iter().map(Into::into).collect();
        Self { name, kind, ttl, targets, routing: None }
    }

    /// Its identity.
    pub fn key(&self) -> RecordKey {
        let set_identifier = self.routing.as_ref().map(|routing| routing.set_identifier.clone());
        RecordKey {
            name: self.name.clone(),
            kind: self.kind.clone(),
            set_identifier: set_identifier.unwrap_or_default(),
        }
    }
}

impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.ttl, self.kind)?;
        self.targets.iter().try_for_each(|target| write!(f, " {target}"))
    }
}

/// One write to a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates the set, or replaces `before`, which has the same [`RecordKey`].
    Put {
        /// The set after the write.
        set: RecordSet,
        /// The set before; `None` if there is none.
        before: Option<RecordSet>,
    },
    /// Deletes a set, which the zone has exactly so.
    Delete(RecordSet),
}

impl Write {
    /// The set that is written or deleted.
    pub fn set(&self) -> &RecordSet {
        match self {
            Self::Put { set, .. } | Self::Delete(set) => set,
        }
    }
}

/// All writes for one name and its marks of ownership. A provider applies them atomically if it can, otherwise in this
/// order: the mark of a new set comes first and that of a deleted one last, so that a set never lacks its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Name of the answers that change.
    pub name: DomainName,
    /// The writes, in order. Never empty.
    pub writes: Vec<Write>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_lower_case_with_a_final_dot() {
        for (text, want) in [
            ("Example.COM", Some("example.com.")),
            ("example.com.", Some("example.com.")),
            ("*.example.com", Some("*.example.com.")),
            ("_acme.example.com", Some("_acme.example.com.")),
            ("a..b", None),
            ("", None),
            ("a b.com", None),
            ("a.*.com", None),
        ] {
            assert_eq!(DomainName::parse(text).ok().as_ref().map(DomainName::as_str), want, "{text}");
        }
        let label = "a".repeat(64);
        assert!(matches!(DomainName::parse(&label), Err(NameError::Label { .. })));
        assert!(matches!(DomainName::parse(&["a"; 130].join(".")), Err(NameError::TooLong { .. })));
    }

    #[test]
    fn a_name_is_within_its_zone_by_whole_labels() {
        let name = |text| DomainName::parse(text).unwrap();
        for (inner, zone, want) in [
            ("a.example.com", "example.com", true),
            ("example.com", "example.com", true),
            ("badexample.com", "example.com", false),
            ("example.com", "a.example.com", false),
        ] {
            assert_eq!(name(inner).is_within(&name(zone)), want, "{inner} in {zone}");
        }
    }
}
