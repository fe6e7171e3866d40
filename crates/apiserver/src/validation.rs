//! Checks that several kinds share: names, metadata, selectors, quantities, and the list of errors they fill.
//!
//! The checks of a kind are beside the kind, in [`crate::kinds`]. They run after defaulting, on objects that were
//! checked against their schema; errors come out in the order of the object and with the texts that clients know.

pub(crate) mod errors;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod path;
pub(crate) mod resources;
pub(crate) mod selectors;
pub(crate) mod webhook_client;

pub(crate) use errors::FieldErrors;
