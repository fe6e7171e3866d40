//! Custom resources: from a CustomResourceDefinition to resources that are served.
//!
//! A definition is parsed and its schemas are compiled once, when it appears or changes ([`definition`]); what that
//! means for objects is in [`objects`]. Whether its names are free is a pure decision ([`naming`]); acting on it, and
//! emptying a definition that is deleted, is the one background task of the API server ([`lifecycle`]).

mod approval;
pub(crate) mod columns;
mod compiled;
pub(crate) mod definition;
mod embedded;
pub(crate) mod lifecycle;
pub(crate) mod naming;
pub(crate) mod objects;
mod scale;
mod strategy;
pub(crate) mod validation;

pub use definition::{CustomVersion, Definition, Names};
pub use scale::Scale;
pub(crate) use strategy::{apply_defaults, prepare_for_create, prepare_for_delete, prepare_for_update};

/// Group of definitions.
pub(crate) const GROUP: &str = "apiextensions.k8s.io";

/// Plural of definitions.
pub(crate) const PLURAL: &str = "customresourcedefinitions";

/// Keys of definitions start with this.
pub(crate) const PREFIX: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// Holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The condition of a definition.
pub(crate) fn condition<'v>(definition: &'v serde_json::Value, kind: &str) -> Option<&'v serde_json::Value> {
    definition["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition of a definition is true.
pub(crate) fn is_true(definition: &serde_json::Value, kind: &str) -> bool {
    condition(definition, kind).is_some_and(|condition| condition["status"] == "True")
}
