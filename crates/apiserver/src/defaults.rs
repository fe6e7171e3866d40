//! What the API server fills in that a client left out of a built-in kind.
//!
//! [`apply`] runs on every write before validation and changes nothing on an object that has been through it.
//! [`on_create`] adds what only the server may say about a new object, once its name and identity are known.
//! Custom resources take their defaults from their schema instead.

pub(crate) mod autoscaling;
pub(crate) mod configuration;
pub(crate) mod initial;
pub(crate) mod network;
pub(crate) mod pod;
pub(crate) mod pod_account;
pub(crate) mod storage;
pub(crate) mod workloads;

#[cfg(test)]
mod tests;
