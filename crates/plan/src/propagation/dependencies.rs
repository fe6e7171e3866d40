//! Dependencies: objects that follow a template into its clusters (karmada pkg/dependenciesdistributor).
//!
//! A binding with `propagateDeps` is independent. It records the references of its template in an annotation. Each object
//! that is referred to has an attached binding: the usual binding of the object, which lists the independent ones in
//! `requiredBy`, with their clusters. An object with a policy of its own has one binding for both.
//!
//! ```text
//! template ─► references ─► annotation of the independent binding
//!                                   │ index
//! object ──────────────────────► required ─► attached binding ─► Works
//! ```
//!
//! The attached binding is computed from all independent bindings each time, so the order of events does not matter, and a
//! pass that is lost is made good by the next one. Snapshots contain the scheduled clusters only, never those of other
//! snapshots, so that objects that refer to each other come to rest.

mod attached;
mod missing;
mod reference;
mod required;

#[cfg(test)]
mod convergence;

pub use attached::{Attached, Step, attach};
pub use missing::{NOT_FOUND, condition};
pub use reference::{
    OutsideNamespace, Recorded, index_values, is_same_kind, object_index_values, record, recorded, refers_to,
};
pub use required::{Independent, Required, Requirements};
