//! Writing objects: create, update, patch, apply, delete.
//!
//! All writes pass the same steps. [`create`] and [`update`](update::modify) order them; the rules of each step are
//! pure functions in their own modules.
//!
//! ```text
//! body ─► decode ─► (patch, apply) ─► strategy ─► managedFields ─► admission ─► claims ─► validation ─► commit
//!                        ▲                                                                                │
//!                        └──────────────────────── conflict: read again, retry ◄──────────────────────────┘
//! ```
//!
//! | step | module |
//! | --- | --- |
//! | decode and field validation | `body`, `field_validation` |
//! | fields that the write may change | `isolate` |
//! | metadata that the server owns | `metadata`, `generation` |
//! | defaults, server-owned fields, validation of the kind | `strategy` |
//! | `managedFields`, server-side apply | `ownership`, `apply` |
//! | classes of a pod, limit ranges | `pod_admission` |
//! | admission | `admission` |
//! | Pod Security of the namespace | `pod_security` |
//! | Service addresses, service account of a pod | `claims` |
//! | create by update or apply | `authorization` |
//! | requester and signers of certificates | `signing_requests` |
//! | charge of resource quotas | `quota` |
//! | commit to the store | `commit` |
//!
//! To add a rule for one kind, change the strategy of the kind. To add a step for all writes, add it to `prepare` in
//! both `create` and `update`. Deletion has its own order in [`delete`]; the decision is in `deletion`.

mod admission;
mod apply;
mod authorization;
mod body;
mod claims;
mod commit;
mod create;
mod delete;
mod deleted;
mod deletion;
mod discard;
mod field_manager;
mod field_validation;
mod generation;
mod isolate;
mod metadata;
mod namespaces;
mod patch;
mod pod_admission;
mod pod_security;
pub(crate) mod pods;
mod quota;
mod reviews;
pub(crate) mod scale;
mod signing_requests;
mod strategy;
mod target;
pub(crate) mod token;
mod update;

pub(crate) use body::decode_any;
pub(crate) use create::create;
pub(crate) use delete::{delete, delete_collection, delete_internally};
pub(crate) use patch::patch;
pub(crate) use target::WriteTarget;
pub(crate) use update::update;
