//! Spawning into a [`Shutdown`] scope.

use std::future::Future;

use portolan_net::Shutdown;

/// Runs `task` until it ends or `scope` is asked to stop. Stopping cancels the task at its next await.
pub fn spawn_until_stop(scope: &Shutdown, task: impl Future<Output = ()> + Send + 'static) {
    let stop = scope.clone();
    // The scope waits for the task; the handle is not needed.
    let _handle = scope.spawn(async move {
        tokio::select! {
            () = task => {}
            () = stop.requested() => {}
        }
    });
}
