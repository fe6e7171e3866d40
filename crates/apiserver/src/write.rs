//! Writing objects: create, update, patch, apply, delete.
//!
//! Every write goes the same way. Rules on metadata, generation and deletion are pure functions in modules of their
//! own; the ways in ([`create`], [`update`], [`patch`], [`delete`]) join them with the store.
//!
//! ```text
//! body ─► decode ─► (patch, apply) ─► defaults ─► admission ─► rules ─► validation ─► encode ─► commit
//!                        ▲                                                                        │
//!                        └──────────────────────────── lost race ◄────────────────────────────────┘
//! ```

mod apply;
mod body;
mod claims;
mod commit;
mod create;
mod delete;
mod deletion;
mod findings;
mod generation;
mod metadata;
mod namespaces;
mod ownership;
mod patch;
pub(crate) mod pods;
mod reviews;
pub(crate) mod scale;
mod strategy;
pub(crate) mod token;
mod update;

use portolan_object::Status;
use serde_json::Value;

use crate::admission::{Attributes, Operation};
use crate::auth::escalation;
use crate::call::Call;

pub(crate) use create::create;
pub(crate) use delete::{delete, delete_collection, delete_internally};
pub(crate) use patch::patch;
pub(crate) use update::{WriteTarget, update};

/// Lets the guards of roles and the plugins look at a write.
fn admit(
    call: &Call,
    operation: Operation,
    is_dry_run: bool,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let resource = &call.resource;
    if operation != Operation::Delete
        && !call.user.is_master()
        && resource.kind.group == "rbac.authorization.k8s.io"
    {
        escalation::check(&call.user, &call.server.access.rules(), object, old)?;
    }
    let name = metadata::name_of(object).to_owned();
    let attributes = Attributes {
        user: &call.user,
        operation,
        resource,
        subresource: &call.info.subresource,
        namespace: &call.info.namespace,
        name: &name,
        is_dry_run,
    };
    for plugin in &call.server.admission {
        for warning in plugin.admit(&attributes, object, old)? {
            call.warn(warning);
        }
    }
    Ok(())
}
