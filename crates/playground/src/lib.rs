//! Embedded member clusters and pods that really answer.
//!
//! A member cluster of the playground is an API server, the controllers that every cluster has, and nodes whose
//! containers are played by built-in programs on one shared network. The parts speak to each other only through the
//! Kubernetes API and through that network, so the node part serves a real API server as well.

pub mod config;
pub mod containers;
pub mod control;
pub mod federation;
pub mod kubelet;
pub mod network;
pub mod node;
pub mod programs;
pub mod rights;
pub mod sandbox;
mod spdy;
pub mod state;
