//! What the API server refuses in built-in kinds, field by field and with the texts clients know.
//!
//! [`create`] and [`update`] run after defaulting, on objects whose shape the schema has checked. FieldErrors come out in
//! the order of the object. Custom resources are held to their schema elsewhere; only [`metadata`] is for all.

pub(crate) mod access;
pub(crate) mod autoscaling;
pub(crate) mod cluster;
pub(crate) mod configuration;
pub(crate) mod container;
pub(crate) mod errors;
pub(crate) mod event;
pub(crate) mod ingress;
pub(crate) mod jobs;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod path;
pub(crate) mod pod;
pub(crate) mod resources;
pub(crate) mod schedule;
pub(crate) mod selectors;
pub(crate) mod service;
pub(crate) mod storage;
pub(crate) mod volume;
pub(crate) mod workloads;

#[cfg(test)]
mod tests;

pub(crate) use errors::FieldErrors;
