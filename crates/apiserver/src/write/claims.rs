//! What an object takes from its cluster when it is written: a Service its addresses, a pod its account.

use std::sync::Arc;

use portolan_object::Status;
use rand::RngExt as _;
use serde_json::Value;

use super::metadata;
use crate::access::CoreObjects;
use crate::allocation::Reservation;
use crate::auth::Directory as _;
use crate::call::Call;
use crate::defaults::pod_account;
use crate::server::Server;

/// Letters at the end of the name of a token's volume.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Takes what a new object (`old` is `None`) or a changed one needs. What is returned must be committed once the
/// write is durable; dropped, it gives everything back.
///
/// # Errors
/// 422 for addresses and ports that cannot be had, 403 for a pod whose account does not exist.
pub(super) fn claim(
    call: &Call,
    object: &mut Value,
    old: Option<&Value>,
    is_dry_run: bool,
) -> Result<Option<Reservation>, Status> {
    let (server, resource) = (&call.server, &call.resource);
    if resource.is("", "services")
        && let Some(services) = &server.services
    {
        let taken = services.allocate(object, old, is_dry_run);
        return taken.map(Some).map_err(|faults| resource.invalid(metadata::name_of(object), &faults));
    }
    // Without an issuer there are no tokens, and so no use for accounts.
    if resource.is("", "pods") && old.is_none() && server.authentication.issuer().is_some() {
        attach_account(call, object)?;
        resource.strategy().apply_defaults(object);
    }
    Ok(None)
}

fn attach_account(call: &Call, pod: &mut Value) -> Result<(), Status> {
    let account = pod_account::account_name(pod).to_owned();
    let found = CoreObjects(&call.server.store).find("serviceaccounts", &call.info.namespace, &account);
    let mut random = rand::rng();
    let letter = |_| char::from(SUFFIX_LETTERS[random.random_range(0..SUFFIX_LETTERS.len())]);
    let suffix: String = (0..5).map(letter).collect();
    pod_account::attach(pod, found.as_ref(), &suffix)
}

/// Gives back what an object that is gone had taken.
pub(super) fn release(server: &Arc<Server>, call: &Call, object: &Value) {
    if call.resource.is("", "services")
        && let Some(services) = &server.services
    {
        services.release(object);
    }
}
