//! The built-in kinds: one definition for each kind, in one registry.
//!
//! A [`BuiltinKind`] says everything this server knows about a kind: paths, names and verbs, defaults, validation, the
//! state that the server sets, the table that `kubectl get` prints, selectable fields and the conversion to the stored
//! version. Discovery, routing, reads and writes ask it through [`Strategy`], which custom resources implement as well.
//! A resource outside of the registry is a custom resource or a 404.
//!
//! ```text
//! kinds/apps/deployment.rs  KIND ─► kinds/apps.rs  API_GROUP ─┐
//! kinds/core/pod.rs         KIND ─► kinds/core.rs  API_GROUP ─┼─► GROUPS ─► resources::Registry ─► requests
//!                                   …                        ─┘
//! ```
//!
//! # How to add a kind
//!
//! 1. Its schema, protobuf numbers and OpenAPI document are there when its group version is one of those that
//!    `xtask/src/codegen/openapi.rs` lists. Otherwise add the group version there and to `documents!` in
//!    `object/src/builtin.rs`, and run `cargo xtask codegen`.
//! 2. Add `kinds/<group>/<kind>.rs` with a `static KIND: BuiltinKind`. Every field has to be given: a hook is either
//!    [`Hook::Defined`] or [`Hook::NotNeeded`] with the reason. Take the rules from upstream's
//!    `pkg/registry/<group>/<kind>/strategy.go`, `pkg/apis/<group>/<version>/defaults.go` and
//!    `pkg/apis/<group>/validation/validation.go`, and the columns from `pkg/printers/internalversion/printers.go`.
//!    What several kinds share is in [`crate::validation`] (names, selectors, metadata), `kinds/pod_spec` and
//!    `kinds/table`.
//! 3. Name it in the list `kinds` of its group, `kinds/<group>.rs`; a new group is added to [`GROUPS`].
//! 4. Add cases to the tests beside the kind. `cargo test -p portolan-apiserver kinds` walks the registry and refuses a
//!    kind without a schema, without a reason for a missing hook, or with a table that has other cells than columns.

pub(crate) mod admissionregistration;
mod apiextensions;
mod apiregistration;
mod apps;
mod authentication;
mod authorization;
pub(crate) mod autoscaling;
pub(crate) mod batch;
mod builtin;
pub(crate) mod certificates;
mod coordination;
pub(crate) mod core;
mod discovery;
mod events;
mod network;
mod networking;
mod node;
mod pod_spec;
mod policy;
mod quantities;
mod rbac;
mod resource;
mod scheduling;
pub(crate) mod selectable;
mod status;
mod storage;
mod strategy;
pub(crate) mod table;
mod version_order;
mod workload;

#[cfg(test)]
mod tests;

pub use builtin::{BuiltinKind, Conversion, FinalizerRule, Hook, StatusRule};
pub use resource::{BuiltinResource, Generation, NameRule, ServedSubresource, Subresource};
pub use strategy::{Strategy, Validation};
pub use version_order::by_version;

use builtin::{
    DEFAULT_TABLE, NAME_AND_NAMESPACE, NO_DEFAULTS, NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE,
    NO_WARNINGS, ONE_FORM, review,
};

/// All verbs of a full resource, in the order discovery lists them.
pub const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The only verb of review resources and of bindings.
pub const CREATE_ONLY: &[&str] = &["create"];

/// Verbs of subresources that read and write a part of their object (`status`, `scale`).
pub const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];

/// One API group.
#[derive(Debug)]
pub struct Group {
    /// Group, empty for the core group.
    pub name: &'static str,
    /// Versions, the preferred one first.
    pub versions: &'static [&'static str],
    /// Groups with a higher number come first in discovery.
    pub priority: u32,
    /// Its kinds, one entry for each version.
    pub kinds: &'static [&'static BuiltinKind],
}

/// The priority of groups that custom resources define.
pub const CUSTOM_GROUP_PRIORITY: u32 = 1000;

/// All groups in discovery order. Client tools resolve ambiguous short names by it.
pub static GROUPS: &[&Group] = &[
    &core::API_GROUP,
    &apiregistration::API_GROUP,
    &apps::API_GROUP,
    &events::API_GROUP,
    &authentication::API_GROUP,
    &authorization::API_GROUP,
    &autoscaling::API_GROUP,
    &batch::API_GROUP,
    &certificates::API_GROUP,
    &networking::API_GROUP,
    &policy::API_GROUP,
    &rbac::API_GROUP,
    &storage::API_GROUP,
    &admissionregistration::API_GROUP,
    &apiextensions::API_GROUP,
    &scheduling::API_GROUP,
    &coordination::API_GROUP,
    &node::API_GROUP,
    &discovery::API_GROUP,
];

/// Every built-in kind, one entry for each version.
pub fn all() -> impl Iterator<Item = &'static BuiltinKind> {
    GROUPS.iter().flat_map(|group| group.kinds.iter().copied())
}

/// The kind at `/apis/{group}/{version}/.../{plural}`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static BuiltinKind> {
    in_group(group).find(|kind| kind.resource.plural == plural && kind.resource.version == version)
}

/// The entry of a kind.
pub fn find_kind(group: &str, version: &str, kind: &str) -> Option<&'static BuiltinKind> {
    in_group(group).find(|entry| entry.resource.kind == kind && entry.resource.version == version)
}

fn in_group(name: &str) -> impl Iterator<Item = &'static BuiltinKind> {
    group(name).into_iter().flat_map(|group| group.kinds.iter().copied())
}

/// The entry of a built-in group.
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().copied().find(|entry| entry.name == name)
}
