//! Runs the reconcilers of all controllers.
//!
//! A controller implements [`Reconciler`], lets caches add keys to a [`Queue`](crate::Queue), and calls [`run`]. Workers
//! take keys, run a pass each, log failures, and requeue by the [`Outcome`]. A panic fails the key of the pass only.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use portolan_net::Shutdown;
//! # use portolan_object::{Object, ObjectKey};
//! # use portolan_runtime::{Cache, Client, ClientError, Outcome, Queue, Reconciler, Resource, driver};
//! struct Labeler {
//!     client: Client,
//!     config_maps: Cache<Object>,
//! }
//!
//! impl Reconciler for Labeler {
//!     type Key = ObjectKey;
//!
//!     async fn reconcile(&self, key: &ObjectKey) -> Outcome {
//!         let Some(found) = self.config_maps.get(key) else { return Outcome::Done };
//!         let mut wanted = Object::clone(&found);
//!         wanted.set_label("seen", "yes");
//!         if wanted == *found {
//!             return Outcome::Done;
//!         }
//!         let api = self.client.resource(self.config_maps.resource());
//!         api.replace(&wanted).await.map(drop).into()
//!     }
//! }
//!
//! # fn start(client: Client, resource: Resource, scope: &Shutdown) {
//! let config_maps = Cache::of_objects(&client, resource).start(scope);
//! let queue = Queue::new("labeler");
//! let changed = queue.clone();
//! config_maps.observe(move |change| changed.add(change.key.clone()));
//! driver::run(Arc::new(Labeler { client, config_maps }), &queue, 2, scope);
//! # }
//! ```

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use portolan_net::Shutdown;
use portolan_object::Status;
use tracing::Instrument;

use crate::client::{BoxError, ClientError};
use crate::cluster_name::ClusterName;
use crate::metrics::PassResult;
use crate::queue::{Key, Next, ORIGIN, Queue};

/// Time for a pass to end after the stop signal; then it is cancelled.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Delay between two attempts in a namespace that is being deleted.
const TERMINATING_NAMESPACE_DELAY: Duration = Duration::from_secs(1);
/// Cause in the Status of a write into such a namespace (core/v1 `NamespaceTerminatingCause`).
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

/// How a pass ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to do until something changes.
    Done,
    /// Another pass after this delay. Not a failure.
    RequeueAfter(Duration),
    /// Another client wrote first: another pass with fresh data. Not a failure.
    Stale,
    /// Another pass after the back-off. The reason is logged.
    Retry(BoxError),
    /// As [`Outcome::Retry`], but no sooner than this delay, because the server asks for it (`Retry-After`).
    RetryAfter(Duration, BoxError),
}

impl Outcome {
    /// The outcome for an error: [`Outcome::Stale`] for a lost race, a retry for any other.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        match error.downcast_ref::<ClientError>() {
            Some(client) if client.is_race() => Self::Stale,
            // The object is deleted with the namespace, so this is not a failure.
            Some(ClientError::Forbidden(status)) if is_terminating(status) => {
                Self::RequeueAfter(TERMINATING_NAMESPACE_DELAY)
            }
            Some(client) => match client.retry_after() {
                Some(delay) => Self::RetryAfter(delay, error),
                None => Self::Retry(error),
            },
            None => Self::Retry(error),
        }
    }
}

/// Whether a server could not be reached.
fn is_unreachable(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| matches!(cause.downcast_ref(), Some(ClientError::Unreachable { .. })))
}

/// Whether an API server refuses a write because the namespace is being deleted.
pub fn is_terminating(status: &Status) -> bool {
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
    /// Identifies what a pass reconciles.
    type Key: Key;

    /// Low priority: yield once before each pass, so that other ready tasks run first.
    const LOW_PRIORITY: bool = false;

    /// One pass: makes the actual state of `key` match the desired state. Called by one worker at a time for each key;
    /// must be idempotent and safe to cancel at any await.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Outcome> + Send;
}

/// Starts `workers` workers of `reconciler` on `queue`. They end with `scope`.
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
                if R::LOW_PRIORITY {
                    tokio::task::yield_now().await;
                }
                let stopped = async {
                    stop.requested().await;
                    tokio::time::sleep(STOP_GRACE).await;
                };
                let next = tokio::select! {
                    next = pass(&*reconciler, &queue, &key) => next,
                    () = stopped => return,
                };
                queue.finish(key, next);
            }
        });
    }
}

/// One pass over one key. What it logs is in a span that names the controller and the key, and that continues the trace
/// of the change.
async fn pass<R: Reconciler>(reconciler: &R, queue: &Queue<R::Key>, key: &R::Key) -> Next {
    let controller = queue.name();
    let cluster = queue.cluster().map(ClusterName::as_str);
    let span = tracing::debug_span!("reconcile", controller, cluster, %key);
    let origin = queue.origin(key);
    if let Some(trace) = origin.trace {
        trace.set_parent_of(&span);
    }
    let reconciling = AssertUnwindSafe(reconciler.reconcile(key)).catch_unwind().instrument(span);
    let ended = ORIGIN.scope(origin.at, reconciling).await;
    let (result, next) = match ended {
        Ok(Outcome::Done) => (PassResult::Done, Next::Forget),
        Ok(Outcome::RequeueAfter(delay)) => (PassResult::Requeued, Next::After(delay)),
        Ok(Outcome::Stale) => {
            tracing::debug!(controller, cluster, %key, "conflict with another write, trying again");
            (PassResult::Raced, Next::Soon)
        }
        Ok(Outcome::Retry(error)) => {
            let retries = queue.failures(key);
            tracing::warn!(controller, cluster, %key, retries, %error, "reconcile failed, trying again later");
            let next = if is_unreachable(&*error) { Next::BackoffUnreachable } else { Next::Backoff };
            (PassResult::Failed, next)
        }
        Ok(Outcome::RetryAfter(delay, error)) => {
            let retries = queue.failures(key);
            tracing::warn!(controller, cluster, %key, retries, %error, ?delay, "reconcile failed, trying again when the server allows");
            (PassResult::Failed, Next::BackoffAtLeast(delay))
        }
        Err(_) => {
            tracing::error!(controller, cluster, %key, "reconcile panicked, trying again later; this is a bug");
            (PassResult::Panicked, Next::Backoff)
        }
    };
    queue.meter().passed(result);
    next
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Ends once in each way, then is done.
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
    async fn each_outcome_but_done_leads_to_another_pass() {
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

    #[test]
    fn errors_decide_how_a_pass_is_repeated() {
        let answer = |code: u16, retry_after: Option<u64>| {
            let code = http::StatusCode::from_u16(code).expect("a valid code");
            let delay = retry_after.map(Duration::from_secs);
            Outcome::retry(ClientError::from_answer(code, delay, b"words"))
        };
        assert!(matches!(answer(409, None), Outcome::Stale));
        assert!(matches!(answer(500, None), Outcome::Retry(_)));
        let asked = |outcome| match outcome {
            Outcome::RetryAfter(delay, _) => Some(delay.as_secs()),
            _ => None,
        };
        assert_eq!(asked(answer(429, None)), Some(1));
        assert_eq!(asked(answer(429, Some(7))), Some(7));
        assert_eq!(asked(answer(503, Some(7))), Some(7));
        // A faulty server must not stop a controller for years.
        assert_eq!(asked(answer(429, Some(u64::MAX))), Some(120));
        assert_eq!(asked(answer(503, Some(u64::MAX))), Some(120));
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
