//! TCP connections that a probe tried, and those that the agent of a cluster makes all the time.

use std::time::Duration;

/// What a connection is tried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The DNS name of the service.
    Name,
    /// An endpoint: the value of the source-cluster label of its EndpointSlice, and its address.
    Endpoint(String, String),
}

/// How a connection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was established.
    Open,
    /// It was refused.
    Refused,
    /// There was no answer.
    Silent,
}

/// One TCP connection of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What it was to.
    pub target: Target,
    /// The port.
    pub port: u16,
    /// How it went.
    pub outcome: Outcome,
}

impl Connection {
    /// Whether it was established.
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }
}

/// The last connection of an agent to an endpoint of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The value of the source-cluster label of its EndpointSlice.
    pub source: String,
    /// Address and port.
    pub endpoint: String,
    /// Whether it was established, and an HTTP probe succeeded.
    pub answers: bool,
    /// Why an HTTP probe failed; empty if it did not.
    pub failure: String,
    /// Time since then.
    pub age: Duration,
}

impl Proof {
    /// Age from which on a connection proves nothing.
    const MAX_AGE: Duration = Duration::from_secs(90);

    /// Whether it is recent enough to prove something.
    pub fn is_recent(&self) -> bool {
        self.age <= Self::MAX_AGE
    }
}
