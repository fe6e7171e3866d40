//! Server-side apply, and the ownership of fields that every other write keeps up to date.
//!
//! Each write is attributed to a manager, and `metadata.managedFields` says which fields each of them owns. Apply
//! merges a patch, refuses to change what others own, and removes what its manager no longer applies; ordinary
//! writes take what they change. The API server calls [`apply`] and [`update`] on each write, after patching and
//! before defaulting; nothing here validates, defaults, or looks at a clock.
//!
//! ```text
//!   apply   check ─► merge ─► prune ─► compare ─► conflicts? ─► entries
//!   update                             compare ─────────────────► entries
//!                   (all of them divide values as `shape` says)
//! ```

mod check;
mod client_side;
mod compare;
mod configuration;
mod element;
mod extract;
mod managers;
mod merge;
mod patch;
mod prune;
mod root;
mod set;
mod shape;
mod update;

pub use configuration::merge_configuration;
pub use patch::apply;
pub use set::{FieldSet, InvalidFieldSet};
pub use update::update;

use self::managers::{Entry, Operation};
use crate::status::{Cause, Details, Status};

/// Manager, resource and time of a write.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The field manager; empty counts as `unknown`.
    pub manager: &'a str,
    /// Such as `status` or `scale`; empty for the resource itself.
    pub subresource: &'a str,
    /// The fields that this resource writes.
    pub scope: Scope,
    /// The time of the write: RFC 3339, UTC, in seconds, such as `2026-01-31T12:00:00Z`.
    pub now: &'a str,
}

/// Which half of an object a resource writes, and therefore can own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it: the kind has no status subresource.
    Whole,
    /// All but `status`, which is written through its subresource.
    ExceptStatus,
    /// Only `status`: a custom resource.
    Status,
    /// `status`, and the metadata that is written with it: a built-in kind.
    StatusAndMetadata,
}

/// Behaviour of apply on conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuses.
    Fail,
    /// Takes them over.
    Force,
}

impl<'a> Writer<'a> {
    fn identity(&self, operation: Operation, api_version: &'a str) -> managers::Identity<'a> {
        let manager = if self.manager.is_empty() { "unknown" } else { self.manager };
        managers::Identity { manager, operation, api_version, subresource: self.subresource }
    }
}

/// Why a patch was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The request is malformed: a patch that is not an object, or that sets `managedFields`.
    #[error("{0}")]
    Malformed(String),
    /// The patch does not have the form that the schema asks for.
    #[error("failed to create typed patch object ({object}): {errors}")]
    Untyped {
        /// Namespace, name and kind as the patch has them.
        object: String,
        /// Every error with its path.
        errors: String,
    },
    /// Others own what the patch would change.
    #[error("{}", conflict_text(.0))]
    Conflicts(Vec<Conflict>),
}

/// One field with another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner as messages name it: `"m1"`, or `"upd" with subresource "status" using v1`.
    pub owner: String,
    /// The field, such as `.spec.containers[name="x"].image`.
    pub field: String,
}

impl Conflict {
    fn new(entry: &Entry, path: &[&str]) -> Self {
        let managers::Identity { manager, operation, api_version, subresource } = entry.identity();
        let mut owner = format!("{manager:?}");
        if !subresource.is_empty() {
            owner = format!("{owner} with subresource {subresource:?}");
        }
        if operation == Operation::Update {
            owner = format!("{owner} using {api_version}");
        }
        Self { owner, field: set::path_text(path) }
    }
}

impl ApplyError {
    /// The `Status` that a server answers with.
    pub fn to_status(&self) -> Status {
        match self {
            Self::Malformed(text) => Status::bad_request(text),
            // Upstream has no status code for this.
            Self::Untyped { .. } => Status::new(500, "", self.to_string()),
            Self::Conflicts(conflicts) => {
                let causes = conflicts.iter().map(|Conflict { owner, field }| Cause {
                    reason: "FieldManagerConflict".to_owned(),
                    message: format!("conflict with {owner}"),
                    field: field.clone(),
                });
                let mut status = Status::new(409, "Conflict", self.to_string());
                status.details = Some(Box::new(Details { causes: causes.collect(), ..Details::default() }));
                status
            }
        }
    }
}

/// The message of a conflict; `conflicts` are ordered by owner.
fn conflict_text(conflicts: &[Conflict]) -> String {
    if let [Conflict { owner, field }] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {owner}: {field}");
    }
    let mut lines = Vec::new();
    let mut last = None;
    for Conflict { owner, field } in conflicts {
        if last.replace(owner) != Some(owner) {
            lines.push(format!("conflicts with {owner}:"));
        }
        lines.push(format!("- {field}"));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

#[cfg(test)]
mod tests;
