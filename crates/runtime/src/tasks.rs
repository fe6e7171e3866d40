//! Owned background tasks: a scope that can be stopped and waited for.
//!
//! Every cache, driver and member runs in a scope. Stopping a scope stops the scopes made from it; what must finish
//! is awaited by [`Tasks::stop`].

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A scope of background tasks; a clone is the same scope.
#[derive(Debug, Clone)]
pub struct Tasks {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// A scope that ends when `token` is cancelled.
    pub fn new(token: CancellationToken) -> Self {
        Self { token, tracker: TaskTracker::new() }
    }

    /// A scope that ends with this one, or earlier.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::new(self.token.child_token())
    }

    /// The signal on which tasks of this scope end.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Runs `task` until it ends or the scope stops, whichever is first; it is dropped at its next await then.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            token.run_until_cancelled(task).await;
        });
    }

    /// Runs `task` to its own end; it must watch [`Tasks::token`].
    pub fn spawn_to_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Asks every task to end, without waiting.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Stops every task of this scope and waits for them.
    pub async fn stop(&self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
