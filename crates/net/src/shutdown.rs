//! Ownership of tasks: every task belongs to a scope that asks it to stop and waits for its end.
//!
//! Tasks are spawned through a [`Shutdown`]. They see the request to stop and must end before a deadline; a task that has
//! not ended by then is dropped at its next await. A child scope stops with its parent, or alone.

mod gate;
mod signals;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use gate::Gate;
pub use signals::GRACE;

use gate::Gated;

/// Time for dropped tasks to end.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

/// A scope of tasks. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    own: Arc<Scope>,
    /// The scopes around this one, which wait for its tasks too.
    outer: Arc<[Arc<Scope>]>,
}

#[derive(Debug, Default)]
struct Scope {
    requested: CancellationToken,
    abandoned: CancellationToken,
    tasks: TaskTracker,
    /// Tasks that were dropped because this scope was abandoned.
    dropped: AtomicUsize,
    /// In front of every task.
    gate: Option<Gate>,
}

/// Tasks that did not finish before the deadline and were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} tasks did not stop in time and were dropped")]
pub struct DrainError(pub usize);

impl Shutdown {
    /// A scope without a parent.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scope within this one: it is asked to stop with this one, or alone.
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_with(None)
    }

    /// The same, with a gate that holds its tasks and those of the scopes within while it is closed.
    #[must_use]
    pub fn child_behind(&self, gate: &Gate) -> Self {
        self.child_with(Some(gate.clone()))
    }

    fn child_with(&self, gate: Option<Gate>) -> Self {
        let own = Scope {
            requested: self.own.requested.child_token(),
            abandoned: self.own.abandoned.child_token(),
            gate,
            ..Scope::default()
        };
        Self { own: Arc::new(own), outer: self.scopes().cloned().collect() }
    }

    /// All scopes that wait for the tasks of this one.
    fn scopes(&self) -> impl Iterator<Item = &Arc<Scope>> {
        self.outer.iter().chain([&self.own])
    }

    /// Runs a task that this scope waits for. It should end soon after [`Shutdown::requested`].
    ///
    /// The handle returns the result, or `None` if the task was dropped at the deadline. It may be ignored.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let abandoned = self.own.abandoned.clone();
        let scopes: Vec<_> = self.scopes().map(|scope| (Arc::clone(scope), scope.tasks.token())).collect();
        let gates = self.scopes().filter_map(|scope| scope.gate.clone()).collect();
        let task = Gated { gates, task: Box::pin(task) };
        tokio::spawn(async move {
            let output = abandoned.run_until_cancelled(task).await;
            if output.is_none() {
                for (scope, _) in scopes.iter().filter(|(scope, _)| scope.abandoned.is_cancelled()) {
                    scope.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            drop(scopes);
            output
        })
    }

    /// Asks every task of this scope and of the scopes within to stop.
    pub fn request(&self) {
        self.own.requested.cancel();
    }

    /// Completes when the scope is asked to stop.
    pub async fn requested(&self) {
        self.own.requested.cancelled().await;
    }

    /// Whether the scope was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.own.requested.is_cancelled()
    }

    /// Asks the tasks to stop, waits until they did or the deadline passes, and then drops the rest.
    ///
    /// # Errors
    /// [`DrainError`] when tasks had to be dropped.
    pub async fn drain(&self, deadline: Duration) -> Result<(), DrainError> {
        self.request();
        self.own.tasks.close();
        tokio::select! {
            () = self.own.tasks.wait() => {}
            () = tokio::time::sleep(deadline) => {}
            () = self.own.abandoned.cancelled() => {}
        }
        // Also ends tasks that were spawned meanwhile, and the task that waits for signals.
        self.own.abandoned.cancel();
        // A task that blocks its thread cannot be dropped; the process does not wait for it.
        let _ = tokio::time::timeout(DROP_TIMEOUT, self.own.tasks.wait()).await;
        match self.own.dropped.load(Ordering::Relaxed) + self.own.tasks.len() {
            0 => Ok(()),
            left => Err(DrainError(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_the_tasks_of_a_scope_and_of_those_within() {
        let (shutdown, gate) = (Shutdown::new(), Gate::default());
        let counts = [shutdown.clone(), shutdown.child_behind(&gate), shutdown.child_behind(&gate).child()]
            .map(|scope| {
                let count = Arc::new(AtomicUsize::new(0));
                let counted = count.clone();
                scope.spawn(async move {
                    loop {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
                count
            });
        let wait = || tokio::time::sleep(Duration::from_millis(3600));
        let seen = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        wait().await;
        assert_eq!(seen(), [3, 3, 3]);
        gate.close();
        wait().await;
        assert_eq!(seen(), [7, 3, 3]);
        gate.open();
        wait().await;
        assert_eq!(seen(), [10, 7, 7], "the timer that ran out meanwhile counts at once");
        gate.close();
        assert_eq!(shutdown.drain(Duration::ZERO).await, Err(DrainError(3)), "tasks behind it are dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_tasks_that_stop() {
        let shutdown = Shutdown::new();
        let stopped = Arc::new(AtomicUsize::new(0));
        for scope in [shutdown.clone(), shutdown.child(), shutdown.child().child()] {
            let stopped = Arc::clone(&stopped);
            scope.clone().spawn(async move {
                scope.requested().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                stopped.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(shutdown.drain(SOON).await, Ok(()));
        assert_eq!(stopped.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn drops_tasks_that_do_not() {
        let shutdown = Shutdown::new();
        let stuck = shutdown.spawn(pending::<()>());
        let child = shutdown.child().spawn(pending::<()>());
        assert_eq!(shutdown.drain(SOON).await, Err(DrainError(2)));
        assert_eq!((stuck.await.expect("no panic"), child.await.expect("no panic")), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_stops_alone() {
        let shutdown = Shutdown::new();
        let child = shutdown.child();
        let other = shutdown.clone();
        let outlives = shutdown.spawn(async move { other.requested().await });
        child.spawn(pending::<()>());
        assert_eq!(child.drain(SOON).await, Err(DrainError(1)));
        assert!(!shutdown.is_requested() && !outlives.is_finished());
        assert_eq!(shutdown.drain(SOON).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_spawned_after_the_end_does_not_run_on() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.drain(SOON).await, Ok(()));
        assert_eq!(shutdown.spawn(pending::<()>()).await.expect("no panic"), None);
    }

    fn terminate() {
        let own = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &own]).status().expect("run");
        assert!(sent.success());
    }

    /// One test, because all signals of the process reach all its watchers.
    #[tokio::test]
    async fn signals_ask_first_and_then_insist_while_every_thread_of_the_runtime_is_busy() {
        let shutdown = Shutdown::new();
        let (ended, reasons) = std::sync::mpsc::channel();
        let second = ended.clone();
        shutdown
            .watch_signals(SOON, move |reason| ended.send(reason).expect("the test waits"))
            .expect("handlers");
        let impatient = Shutdown::new();
        impatient
            .watch_signals(Duration::from_millis(50), move |reason| {
                second.send(reason).expect("the test waits")
            })
            .expect("handlers");
        let other = shutdown.clone();
        let stuck = shutdown.spawn(pending::<()>());
        // This thread is the only one of the runtime, and it does not return to it until both watchers are through.
        terminate();
        assert_eq!(reasons.recv_timeout(SOON), Ok("it did not stop within its grace"));
        assert!(other.is_requested() && impatient.is_requested());
        assert!(!shutdown.own.abandoned.is_cancelled());
        terminate();
        assert_eq!(reasons.recv_timeout(SOON), Ok("it was asked to stop a second time"));
        assert_eq!(shutdown.drain(Duration::from_secs(3600)).await, Err(DrainError(1)));
        assert_eq!(stuck.await.expect("no panic"), None);
    }
}
