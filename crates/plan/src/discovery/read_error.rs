//! Failure to read the objects of a cluster for the commands `services` and `why`.

/// Message of the error that prevented reading a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);
