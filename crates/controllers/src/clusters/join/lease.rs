//! The Lease of a member, which joining and registering get before they write anything else there.

use portolan_api::names;
use portolan_plan::clusters::ownership::{ControlPlane, Holder, lease_key};

use super::account::Account;
use super::terminating_namespace::until_usable;
use super::{JoinError, JoinRequest};
use crate::clusters::ownership::leases;
use crate::clusters::ownership::take::{self, TakeError};
use crate::missing::ignore_missing;

/// Gets the Lease of the member.
pub(super) async fn acquire(
    account: &Account<'_>,
    own: &ControlPlane,
    request: &JoinRequest,
) -> Result<Option<Holder>, JoinError> {
    until_usable(account, names::CLUSTER_NAMESPACE, &request.notices).await?;
    let acquired = take::acquire(account.member, own, &request.name, wish(request)).await;
    acquired.map_err(|error| not_taken(&request.name, error))
}

/// Checks whether [`acquire`] would get the Lease. Writes nothing.
pub(super) async fn check_holder(
    account: &Account<'_>,
    own: &ControlPlane,
    request: &JoinRequest,
) -> Result<(), JoinError> {
    let (member, name) = (account.member, &request.name);
    let present = ignore_missing(leases(member).get(&lease_key()).await).map_err(account.failed("lease"))?;
    let other = take::other_holder(member, own, name, present.as_ref(), wish(request)).await;
    other.map(drop).map_err(|error| not_taken(name, error))
}

fn wish(request: &JoinRequest) -> take::Wish<'_> {
    take::Wish { take_over: request.take_over, notices: &request.notices }
}

fn not_taken(cluster: &str, error: TakeError) -> JoinError {
    match error {
        TakeError::Client(source) => JoinError::Member { cluster: cluster.to_owned(), step: "lease", source },
        error => JoinError::Held(error),
    }
}
