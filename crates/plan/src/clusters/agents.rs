//! Decisions about the agents of clusters in pull mode.

pub mod renewal;
pub mod request;
