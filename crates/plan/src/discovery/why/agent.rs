//! Whether the agents of a member run, as their Leases tell.

use std::time::Duration;

/// What the Leases of a member say about its agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Agent {
    /// The Leases were not read.
    #[default]
    NotRead,
    /// No agent has a Lease.
    Missing,
    /// Time since the newest renewal, by the clock of the member.
    Renewed(Duration),
}

impl Agent {
    /// Time without a renewal from which on an agent does not run: four times as long as its Lease holds.
    const SILENCE: Duration = Duration::from_secs(60);

    /// Time for which the agents have been silent, if none runs.
    pub(super) fn silent(self) -> Option<Duration> {
        match self {
            Self::Renewed(age) if age >= Self::SILENCE => Some(age),
            _ => None,
        }
    }
}
