//! Priority of threads, and work that has a thread of its own.

use std::io;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Steps by which a thread that computes is nicer than the threads that answer; see nice(2). It then gets about a third of
/// a core while one of those wants the core too, and all of it otherwise.
#[cfg(target_os = "linux")]
const STEPS: i32 = 5;

/// Lowers the priority of the calling thread. Where that is not possible, the thread keeps its priority.
pub fn lower() {
    // On Linux the value belongs to the thread, elsewhere to the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Starts a thread with a lower priority that runs `task`, which may compute for long between two awaits. The returned future
/// completes when `task` has ended; dropping it cancels `task`.
///
/// # Errors
/// When the thread cannot be started.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn on_own_thread(
    name: &str,
    task: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let (runtime, cancelled) = (Handle::current(), CancellationToken::new());
    let (ended, end) = oneshot::channel::<()>();
    let token = cancelled.clone();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Dropped at the end of the thread, also by a panic.
        let _ended = ended;
        lower();
        runtime.block_on(token.run_until_cancelled(task));
    })?;
    let cancels = cancelled.drop_guard();
    Ok(async move {
        let _cancels = cancels;
        let _ = end.await;
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_task_runs_on_a_thread_of_the_name() {
        let (sender, name) = oneshot::channel();
        let task = async move {
            tokio::task::yield_now().await;
            let _ = sender.send(thread::current().name().map(str::to_owned));
        };
        let ended = on_own_thread("busy", task).expect("a thread");
        tokio::time::timeout(SOON, ended).await.expect("it ends");
        assert_eq!(name.await.expect("sent").as_deref(), Some("busy"));
    }

    #[tokio::test]
    async fn a_dropped_task_is_cancelled() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let task = async move {
            let _held = held;
            pending::<()>().await;
        };
        drop(on_own_thread("waits", task).expect("a thread"));
        let gone = async {
            while Arc::strong_count(&alive) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, gone).await.expect("the task is dropped");
    }
}
