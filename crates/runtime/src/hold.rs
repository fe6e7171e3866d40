//! Whether this control plane may write to a member: the fence in front of every write.
//!
//! A controller keeps the Lease in the member and reports the result here. The member's client asks before it sends a
//! write. A confirmation is valid for a short time, so that a control plane that lost a member stops within that time,
//! even if it could not reach the member to see who took it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Time that a write waits for a confirmation.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Who holds a member, as far as this control plane knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HoldState {
    /// The Lease has not been read yet.
    #[default]
    Unknown,
    /// This control plane, with this id.
    Held(Arc<str>),
    /// Another control plane, or the Lease cannot be read; the reason says why nothing is written.
    Refused(Arc<Refusal>),
    /// This control plane has given the member up. Final.
    Released,
}

/// Why nothing is written to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of a condition, in CamelCase.
    pub reason: &'static str,
    /// Cause and next step.
    pub message: String,
}

/// Why a write is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    /// This control plane may not write to the member.
    Refused(String),
    /// The Lease could not be confirmed, which may pass.
    Unconfirmed(String),
}

/// The hold of a member. Starts as [`HoldState::Unknown`].
#[derive(Debug, Default)]
pub struct Hold {
    state: watch::Sender<HoldState>,
    /// End of the validity of the last confirmation.
    valid_until: Mutex<Option<Instant>>,
    /// Why the last attempt to confirm failed; `None` after one that succeeded.
    failure: Mutex<Option<String>>,
    /// Counts confirmations, refusals and failures.
    results: watch::Sender<u64>,
    wanted: Notify,
    turn: tokio::sync::Mutex<()>,
}

impl Hold {
    /// The present state.
    pub fn state(&self) -> HoldState {
        self.state.borrow().clone()
    }

    /// The id of this control plane, if it holds the member.
    pub fn holder(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            HoldState::Held(id) => Some(id.clone()),
            HoldState::Unknown | HoldState::Refused(_) | HoldState::Released => None,
        }
    }

    /// Watches the state; repeated confirmations are no change.
    pub fn watch(&self) -> watch::Receiver<HoldState> {
        self.state.subscribe()
    }

    /// Reports that control plane `id` holds the member, which is valid for `validity`. True if the state changed.
    pub fn confirm(&self, id: &Arc<str>, validity: Duration) -> bool {
        *self.valid_until.lock() = Some(Instant::now() + validity);
        *self.failure.lock() = None;
        self.set(HoldState::Held(id.clone()))
    }

    /// Reports that this control plane may not write to the member. True if the state changed.
    pub fn refuse(&self, refusal: Refusal) -> bool {
        *self.valid_until.lock() = None;
        self.set(HoldState::Refused(Arc::new(refusal)))
    }

    /// Gives the member up: nothing is written any more, whatever is reported later.
    pub fn release(&self) {
        self.set(HoldState::Released);
    }

    /// Reports that the Lease could not be read or written. The last confirmation stays valid for its time.
    pub fn fail(&self, cause: String) {
        *self.failure.lock() = Some(cause);
        self.results.send_modify(|count| *count += 1);
    }

    /// Why the last attempt to confirm failed.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    fn set(&self, state: HoldState) -> bool {
        let has_changed = self.state.send_if_modified(|known| {
            let has_changed = *known != state && *known != HoldState::Released;
            if has_changed {
                *known = state;
            }
            has_changed
        });
        self.results.send_modify(|count| *count += 1);
        has_changed
    }

    /// Waits until no other task of this process writes the Lease, and keeps others from it. A renewal that is under way
    /// would create a Lease again that is deleted meanwhile.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Waits until a write needs a confirmation before the next regular one.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Waits until the hold is confirmed.
    ///
    /// # Errors
    /// Why nothing may be written now.
    pub(crate) async fn admit(&self) -> Result<(), Denial> {
        let mut results = self.results.subscribe();
        results.borrow_and_update();
        if let Some(decision) = self.decision() {
            return decision;
        }
        self.wanted.notify_one();
        // `self` owns the sender, so waiting does not fail.
        let answered = tokio::time::timeout(CONFIRMATION_TIMEOUT, results.changed()).await.is_ok();
        self.decision().unwrap_or_else(|| {
            let cause = self.failure().filter(|_| answered);
            let cause = cause.unwrap_or_else(|| format!("no answer within {CONFIRMATION_TIMEOUT:?}"));
            Err(Denial::Unconfirmed(format!("its lease is not confirmed: {cause}")))
        })
    }

    /// Whether a write may be sent; `None` without a valid confirmation.
    fn decision(&self) -> Option<Result<(), Denial>> {
        match &*self.state.borrow() {
            HoldState::Refused(refusal) => return Some(Err(Denial::Refused(refusal.message.clone()))),
            HoldState::Released => {
                let message = "the cluster has left this control plane".to_owned();
                return Some(Err(Denial::Refused(message)));
            }
            HoldState::Unknown | HoldState::Held(_) => {}
        }
        self.valid_until.lock().is_some_and(|end| Instant::now() < end).then_some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal { reason: "HeldByAnotherControlPlane", message: "held by b".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_needs_a_fresh_confirmation() {
        let hold = Arc::new(Hold::default());
        assert!(matches!(hold.admit().await, Err(Denial::Unconfirmed(_))), "unknown");

        let id: Arc<str> = "a".into();
        assert!(hold.confirm(&id, Duration::from_secs(20)));
        assert_eq!(hold.admit().await, Ok(()));
        assert!(!hold.confirm(&id, Duration::from_secs(20)), "no change");

        tokio::time::advance(Duration::from_secs(21)).await;
        let renewing = hold.clone();
        tokio::spawn(async move {
            renewing.wanted().await;
            renewing.confirm(&"a".into(), Duration::from_secs(20));
        });
        assert_eq!(hold.admit().await, Ok(()), "a write asks for a confirmation");

        assert!(hold.refuse(refusal()));
        assert_eq!(hold.admit().await, Err(Denial::Refused("held by b".to_owned())));
        assert_eq!(hold.holder(), None);
        assert!(hold.confirm(&id, Duration::from_secs(20)), "taken over again");
        assert_eq!(hold.holder().as_deref(), Some("a"));

        hold.release();
        assert!(!hold.confirm(&id, Duration::from_secs(20)), "a renewal that was under way");
        assert!(matches!(hold.admit().await, Err(Denial::Refused(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_cannot_be_reached_keeps_no_write_waiting() {
        let hold = Arc::new(Hold::default());
        let failing = hold.clone();
        tokio::spawn(async move {
            failing.wanted().await;
            failing.fail("connection refused".to_owned());
        });
        let denial = hold.admit().await.expect_err("not confirmed");
        let text = "its lease is not confirmed: connection refused".to_owned();
        assert_eq!(denial, Denial::Unconfirmed(text));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_write_learns_of_a_refusal() {
        let hold = Arc::new(Hold::default());
        let losing = hold.clone();
        tokio::spawn(async move {
            losing.wanted().await;
            losing.refuse(refusal());
        });
        assert_eq!(hold.admit().await, Err(Denial::Refused("held by b".to_owned())));
    }
}
