//! Runs reconcilers: the one loop that all controllers share.
//!
//! Workers take keys from a queue, run a pass, log a failure once, and tell the queue when to try again. A pass that
//! panics is a failure of its key and of nothing else.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use portolan_net::Shutdown;
use portolan_object::Status;

use crate::client::{BoxError, ClientError};
use crate::queue::{Key, Next, Queue};

/// How long a pass may go on after the stop signal; after that it is dropped where it waits.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Between two attempts in a namespace that is being deleted.
const NAMESPACE_ENDS: Duration = Duration::from_secs(1);
/// The cause by which API servers tell that (Kubernetes, core/v1 NamespaceTerminatingCause).
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

/// How a pass ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing more to do until something changes.
    Done,
    /// Look again after this time.
    RequeueAfter(Duration),
    /// Somebody else wrote first: run again with fresh data. Not a failure.
    Stale,
    /// Run again later; the reason is logged.
    Retry(BoxError),
}

impl Outcome {
    /// The outcome for an error: a lost race is stale, anything else is retried.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        match error.downcast_ref::<ClientError>() {
            Some(ClientError::TooManyRequests { retry_after, .. }) => Self::RequeueAfter(*retry_after),
            Some(client) if client.is_race() => Self::Stale,
            // What is being done there ends with the namespace; until then there is nothing to worry about.
            Some(ClientError::Forbidden(status)) if is_ending(status) => Self::RequeueAfter(NAMESPACE_ENDS),
            _ => Self::Retry(error),
        }
    }
}

/// Whether an API server refuses because the object's namespace is being deleted.
fn is_ending(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|cause| cause.reason == NAMESPACE_TERMINATING)
}

impl<E: Into<BoxError>> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => Self::retry(error),
        }
    }
}

impl<E: Into<BoxError>> From<Result<Outcome, E>> for Outcome {
    fn from(result: Result<Outcome, E>) -> Self {
        result.unwrap_or_else(Self::retry)
    }
}

/// One controller.
pub trait Reconciler: Send + Sync + 'static {
    /// What it is keyed by.
    type Key: Key;

    /// Whether a pass lets everything go first that became ready at the same time: for what nobody waits for, beside
    /// which somebody waits for something else that follows from the same change.
    const STEPS_BACK: bool = false;

    /// Brings what `key` names from what is to what shall be. Called for one key by one worker at a time; must be
    /// safe to repeat and to stop anywhere.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Outcome> + Send;
}

/// Starts `workers` workers of `reconciler` on `queue`; they end with `scope`.
pub fn run<R: Reconciler>(reconciler: Arc<R>, queue: &Queue<R::Key>, workers: usize, scope: &Shutdown) {
    let closing = queue.clone();
    let stop = scope.clone();
    let _handle = scope.spawn(async move {
        stop.requested().await;
        closing.close();
    });
    for _ in 0..workers.max(1) {
        let (reconciler, queue, stop) = (reconciler.clone(), queue.clone(), scope.clone());
        let _handle = scope.spawn(async move {
            while let Some(key) = queue.next().await {
                if R::STEPS_BACK {
                    tokio::task::yield_now().await;
                }
                let stopped = async {
                    stop.requested().await;
                    tokio::time::sleep(STOP_GRACE).await;
                };
                let next = tokio::select! {
                    next = pass(&*reconciler, queue.name(), &key) => next,
                    () = stopped => return,
                };
                queue.finish(key, next);
            }
        });
    }
}

/// One pass over one key.
async fn pass<R: Reconciler>(reconciler: &R, controller: &str, key: &R::Key) -> Next {
    let outcome = AssertUnwindSafe(reconciler.reconcile(key)).catch_unwind().await;
    match outcome {
        Ok(Outcome::Done) => Next::Forget,
        Ok(Outcome::RequeueAfter(delay)) => Next::After(delay),
        Ok(Outcome::Stale) => {
            tracing::debug!(controller, %key, "lost a race, running again");
            Next::Soon
        }
        Ok(Outcome::Retry(error)) => {
            tracing::warn!(controller, %key, %error, "pass failed, running again later");
            Next::Backoff
        }
        Err(_) => {
            tracing::error!(controller, %key, "pass panicked; this is a bug, running again later");
            Next::Backoff
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Fails in every way once, then is done.
    struct Moody {
        passes: AtomicUsize,
        concurrent: AtomicUsize,
    }

    impl Reconciler for Moody {
        type Key = String;

        async fn reconcile(&self, _key: &String) -> Outcome {
            assert_eq!(self.concurrent.fetch_add(1, Ordering::SeqCst), 0, "one pass at a time");
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.concurrent.fetch_sub(1, Ordering::SeqCst);
            match self.passes.fetch_add(1, Ordering::SeqCst) {
                0 => Outcome::Retry("no".into()),
                1 => Outcome::Stale,
                2 => Outcome::RequeueAfter(Duration::from_secs(1)),
                3 => panic!("a bug"),
                _ => Outcome::Done,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_outcome_but_done_comes_back() {
        let moody = Arc::new(Moody { passes: AtomicUsize::new(0), concurrent: AtomicUsize::new(0) });
        let queue = Queue::new("moody");
        let scope = Shutdown::new();
        run(moody.clone(), &queue, 4, &scope);
        queue.add("a".to_owned());
        while !queue.is_idle() {
            queue.add("a".to_owned());
            tokio::time::sleep(Duration::from_millis(10)).await;
            if moody.passes.load(Ordering::SeqCst) >= 5 {
                break;
            }
        }
        assert!(moody.passes.load(Ordering::SeqCst) >= 5);
        assert!(scope.drain(Duration::from_secs(5)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_a_pass_and_then_drops_it() {
        struct Stuck;
        impl Reconciler for Stuck {
            type Key = String;
            async fn reconcile(&self, _key: &String) -> Outcome {
                std::future::pending().await
            }
        }
        let queue = Queue::new("stuck");
        let scope = Shutdown::new();
        run(Arc::new(Stuck), &queue, 1, &scope);
        queue.add("a".to_owned());
        tokio::time::sleep(Duration::from_millis(1)).await;
        let started = tokio::time::Instant::now();
        assert!(scope.drain(Duration::from_secs(5)).await.is_ok());
        assert_eq!(started.elapsed().as_secs(), STOP_GRACE.as_secs());
    }
}
