//! Which replica of the control plane runs the controllers: the one that holds a Lease in the control plane's API server.
//!
//! The protocol is that of client-go (tools/leaderelection/leaderelection.go): times of other machines are not compared.
//! A replica measures by its own clock for how long the Lease has not changed, and takes it when that is longer than the
//! holder said.

use std::time::Duration;

use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

/// The times of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Time without a renewal after which another replica takes the Lease.
    pub lease: Duration,
    /// Time without a successful renewal after which the leader stops; shorter than `lease`.
    pub renewal: Duration,
    /// Time between two attempts; shorter than `renewal`.
    pub retry: Duration,
}

impl Default for Terms {
    /// Another replica leads ten seconds after the last sign of the leader at the latest.
    fn default() -> Self {
        Self { lease: Duration::from_secs(8), renewal: Duration::from_secs(5), retry: Duration::from_secs(1) }
    }
}

impl Terms {
    /// The terms, if a leader stops before another replica starts.
    ///
    /// # Errors
    /// Which time has to be changed.
    pub fn checked(self) -> Result<Self, TermsError> {
        // The Lease says it in whole seconds, and other replicas wait no longer than that.
        let lease = Duration::from_secs(self.lease.as_secs());
        match self {
            _ if lease.is_zero() => Err(TermsError::Short),
            Self { renewal, .. } if renewal >= lease => Err(TermsError::Renewal),
            Self { renewal, retry, .. } if retry.is_zero() || retry >= renewal => Err(TermsError::Retry),
            terms => Ok(terms),
        }
    }
}

/// Why an election with these times would have two leaders, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A Lease counts in seconds.
    #[error("the lease duration must be a second or more")]
    Short,
    /// The old leader would still run when the new one starts.
    #[error("the renew deadline must be shorter than the lease duration, of which whole seconds count")]
    Renewal,
    /// One lost request would end the leadership.
    #[error("the retry period must be more than 0 and shorter than the renew deadline")]
    Retry,
}

/// The next step of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is no Lease: create it.
    Create,
    /// Write the Lease: this replica holds it, or no replica does, or its holder has not renewed it for too long.
    Write,
    /// Another replica leads.
    Follow,
}

/// The step of the replica `own` that has seen the present Lease unchanged for `unchanged`.
pub fn plan(lease: Option<&Object>, own: &str, unchanged: Duration) -> Step {
    let Some(lease) = lease else { return Step::Create };
    match holder(lease) {
        Some(holder) if holder != own && unchanged < duration(lease) => Step::Follow,
        _ => Step::Write,
    }
}

/// The replica that a Lease names.
pub fn holder(lease: &Object) -> Option<&str> {
    Some(lease.str_at(&["spec", "holderIdentity"])).filter(|holder| !holder.is_empty())
}

/// The time that a Lease is valid without renewal, as its holder wrote it.
fn duration(lease: &Object) -> Duration {
    let seconds = lease.at(&["spec", "leaseDurationSeconds"]).and_then(Value::as_u64);
    seconds.map_or(Terms::default().lease, Duration::from_secs)
}

/// The Lease with `own` as its holder, renewed at `now` (`metav1.MicroTime`).
///
/// With `present`, the result replaces it: that fails if the Lease has changed meanwhile.
pub fn held(key: &ObjectKey, own: &str, present: Option<&Object>, terms: Terms, now: &str) -> Object {
    let mut lease = replacement(key, present);
    let is_same = present.and_then(holder) == Some(own);
    let spec = |field: &str| present.and_then(|present| present.at(&["spec", field])).cloned();
    let transitions = spec("leaseTransitions").and_then(|count| count.as_u64()).unwrap_or_default();
    lease.0["spec"] = json!({
        "holderIdentity": own,
        "leaseDurationSeconds": terms.lease.as_secs(),
        "acquireTime": spec("acquireTime").filter(|_| is_same).unwrap_or_else(|| json!(now)),
        "renewTime": now,
        "leaseTransitions": if is_same || present.is_none() { transitions } else { transitions + 1 },
    });
    lease
}

/// The Lease that its holder gives back, so that another replica need not wait.
pub fn released(present: &Object, now: &str) -> Object {
    let mut lease = replacement(&present.key(), Some(present));
    let transitions = present.at(&["spec", "leaseTransitions"]).and_then(Value::as_u64).unwrap_or_default();
    lease.0["spec"] = json!({
        "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now,
        "leaseTransitions": transitions,
    });
    lease
}

fn replacement(key: &ObjectKey, present: Option<&Object>) -> Object {
    let mut lease = Object::new(&resources::LEASE.gvk(), key);
    if let Some(present) = present {
        lease.0["metadata"] = present.0["metadata"].clone();
        lease.metadata_mut().remove("managedFields");
    }
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::namespaced("system", "server")
    }

    fn lease(holder: &str) -> Object {
        held(&key(), holder, None, Terms::default(), "t1")
    }

    #[test]
    fn a_lease_is_taken_from_a_holder_that_is_silent_for_as_long_as_it_said() {
        let seconds = Duration::from_secs;
        let given_back = released(&lease("b"), "t2");
        let cases = [
            ("none", None, seconds(0), Step::Create),
            ("the own one", Some(lease("a")), seconds(0), Step::Write),
            ("another's", Some(lease("b")), seconds(7), Step::Follow),
            ("another's that is silent", Some(lease("b")), seconds(8), Step::Write),
            ("one that was given back", Some(given_back), seconds(0), Step::Write),
        ];
        for (name, lease, unchanged, want) in cases {
            assert_eq!(plan(lease.as_ref(), "a", unchanged), want, "{name}");
        }
    }

    #[test]
    fn the_holders_own_duration_counts() {
        let mut long = lease("b");
        long.0["spec"]["leaseDurationSeconds"] = json!(60);
        assert_eq!(plan(Some(&long), "a", Duration::from_secs(59)), Step::Follow);
    }

    #[test]
    fn a_renewal_keeps_the_time_of_acquisition_and_a_change_counts() {
        let renewed = held(&key(), "a", Some(&lease("a")), Terms::default(), "t2");
        let taken = held(&key(), "b", Some(&renewed), Terms::default(), "t3");
        for (lease, acquired, transitions) in [(&renewed, "t1", 0), (&taken, "t3", 1)] {
            assert_eq!(lease.str_at(&["spec", "acquireTime"]), acquired);
            assert_eq!(lease.at(&["spec", "leaseTransitions"]), Some(&json!(transitions)));
        }
        assert_eq!(holder(&taken), Some("b"));
        assert_eq!(holder(&released(&taken, "t4")), None);
    }

    #[test]
    fn terms_leave_no_time_with_two_leaders() {
        let terms = |lease, renewal, retry| {
            let seconds = Duration::from_secs;
            Terms { lease: seconds(lease), renewal: seconds(renewal), retry: seconds(retry) }.checked().err()
        };
        assert_eq!(Terms::default().checked(), Ok(Terms::default()));
        assert_eq!(terms(15, 10, 2), None);
        assert_eq!(terms(0, 0, 0), Some(TermsError::Short));
        assert_eq!(terms(10, 10, 2), Some(TermsError::Renewal));
        assert_eq!(terms(10, 5, 5), Some(TermsError::Retry));
        assert_eq!(terms(10, 5, 0), Some(TermsError::Retry));
        let millis = Duration::from_millis;
        let fraction = Terms { lease: millis(1900), renewal: millis(1500), retry: millis(500) };
        assert_eq!(fraction.checked(), Err(TermsError::Renewal), "the Lease says 1 s");
    }
}
