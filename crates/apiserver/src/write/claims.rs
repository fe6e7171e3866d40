//! Resources of the cluster that a write claims: addresses and ports of a Service, the service account of a pod.

use std::sync::Arc;
use std::time::Duration;

use portolan_object::Status;
use rand::RngExt as _;
use serde_json::Value;

use super::metadata;
use crate::access::CoreObjects;
use crate::admission::BuiltinPlugin;
use crate::allocation::Reservation;
use crate::auth::Directory as _;
use crate::call::Call;
use crate::kinds::core::pod::account;
use crate::server::Server;

/// Letters of the random suffix of the token volume.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// The account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";
/// How often a new pod looks for that account, and how long it waits after each time.
const MAX_ACCOUNT_POLLS: u32 = 10;
const ACCOUNT_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Claims what a new object (`old` is `None`) or a changed one needs. Commit the reservation once the write is durable;
/// dropping it releases the claims.
///
/// # Errors
/// 422 for addresses and ports that are invalid or taken, 403 for a pod when its service account does not exist.
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
        return taken.map(Some).map_err(|errors| resource.invalid(metadata::name_of(object), &errors));
    }
    if resource.is("", "pods") && old.is_none() && attaches_accounts(server) {
        attach_account(call, object)?;
        resource.strategy().apply_defaults(object);
    }
    Ok(None)
}

/// Waits a moment for the account `default`, if a new pod runs as it and it does not exist: a controller makes it soon after
/// its namespace, and clients create pods at once (kubernetes plugin/pkg/admission/serviceaccount `getServiceAccount`).
pub(super) async fn await_default_account(call: &Call, object: &Value) {
    if !call.resource.is("", "pods")
        || !attaches_accounts(&call.server)
        || account::account_name(object) != DEFAULT_ACCOUNT
    {
        return;
    }
    let is_missing = || {
        let objects = CoreObjects(&call.server.store);
        objects.find("serviceaccounts", &call.info.namespace, DEFAULT_ACCOUNT).is_none()
    };
    for _ in 0..MAX_ACCOUNT_POLLS {
        if !is_missing() {
            return;
        }
        tokio::time::sleep(ACCOUNT_POLL_INTERVAL).await;
    }
}

/// Whether new pods get an account. Without an issuer there are no service account tokens.
fn attaches_accounts(server: &Server) -> bool {
    server.authentication.issuer().is_some()
        && !server.disabled_admission.contains(&BuiltinPlugin::ServiceAccount)
}

fn attach_account(call: &Call, pod: &mut Value) -> Result<(), Status> {
    let account = account::account_name(pod).to_owned();
    let found = CoreObjects(&call.server.store).find("serviceaccounts", &call.info.namespace, &account);
    let mut random = rand::rng();
    let letter = |_| char::from(SUFFIX_LETTERS[random.random_range(0..SUFFIX_LETTERS.len())]);
    let suffix: String = (0..5).map(letter).collect();
    account::attach(pod, found.as_ref(), &suffix)
}

/// Releases the claims of a deleted object.
pub(super) fn release(server: &Arc<Server>, call: &Call, object: &Value) {
    if call.resource.is("", "services")
        && let Some(services) = &server.services
    {
        services.release(object);
    }
}
