//! SIGTERM and SIGINT: the process ends within its grace, even when no thread of the runtime is free.
//!
//! A thread of its own waits for the signals and then for the end of the process, which ends it too. It shares nothing
//! with the runtime that serves: threads that compute, a disk that hangs or a pipe that is not read cannot hold it up.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Shutdown;

/// Time from the first signal to the end of the process at the latest. An orderly end has to fit into it.
pub const GRACE: Duration = Duration::from_secs(10);
/// Time from the second signal to the end of the process at the latest.
const INSISTED: Duration = Duration::from_millis(250);
/// Time to write the line about the forced end.
const LAST_LINE: Duration = Duration::from_millis(100);

impl Shutdown {
    /// Requests the stop when the process gets SIGTERM or SIGINT, and ends the process if that takes longer than
    /// [`GRACE`]. A second signal drops the tasks and ends the process immediately.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn request_on_signals(&self) -> io::Result<()> {
        self.watch_signals(GRACE, |reason| {
            // Writing to a pipe that is not read blocks, so another thread writes the log line.
            let line = thread::Builder::new().spawn(move || tracing::error!(reason, "ending the process"));
            if line.is_ok() {
                thread::sleep(LAST_LINE);
            }
            std::process::exit(1);
        })
    }

    /// [`Shutdown::request_on_signals`] with another end.
    pub(super) fn watch_signals(
        &self,
        grace: Duration,
        end: impl FnOnce(&'static str) + Send + 'static,
    ) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _within = runtime.enter();
            Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            }
        };
        let (requested, abandoned) = (self.own.requested.clone(), self.own.abandoned.clone());
        let wait = move || {
            let reason = runtime.block_on(overdue(&mut signals, requested, abandoned, grace));
            end(reason);
        };
        thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until the process should have ended, and tells why it is ended now.
async fn overdue(
    signals: &mut Signals,
    requested: CancellationToken,
    abandoned: CancellationToken,
    grace: Duration,
) -> &'static str {
    signals.next().await;
    requested.cancel();
    let is_insisted = tokio::time::timeout(grace, signals.next()).await.is_ok();
    abandoned.cancel();
    if !is_insisted {
        return "it did not stop within its grace";
    }
    tokio::time::sleep(INSISTED).await;
    "it was asked to stop a second time"
}
