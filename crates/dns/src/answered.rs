//! What happened to a query, for the counters and the response code.

/// Type and outcome of an answered packet, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Record type in the question; zero when the packet could not be parsed.
    pub(crate) kind: u16,
    pub(crate) outcome: Outcome,
}

/// Outcome of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Data,
    NoData,
    NoName,
    FormatError,
    ServerFailure,
    NotImplemented,
    Refused,
    BadVersion,
}

impl Outcome {
    pub(crate) fn rcode(self) -> u8 {
        match self {
            Self::Data | Self::NoData | Self::BadVersion => 0,
            Self::FormatError => 1,
            Self::ServerFailure => 2,
            Self::NoName => 3,
            Self::NotImplemented => 4,
            Self::Refused => 5,
        }
    }
}
