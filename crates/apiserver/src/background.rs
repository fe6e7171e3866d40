//! Tasks of the API server that write to its own store: why a pass fails, and the loop that repeats it.

use std::time::Duration;

use portolan_store::{Batch, CommitError, Lagged, ReadError};
use tokio_util::sync::CancellationToken;

use crate::auth::token::KeyError;
use crate::record::Record;
use crate::server::Server;

/// Why a pass ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] CommitError<Record>),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("events were dropped before they were read")]
    Lagged(#[from] Lagged),
    #[error("{0}")]
    Refused(String),
}

/// Repeats `pass` until `stopping` is cancelled: at once after a success or after dropped events, after `pause` when it
/// failed otherwise. `failure` is the log line then.
pub(crate) async fn repeat<F>(
    stopping: &CancellationToken,
    pause: Duration,
    failure: &'static str,
    pass: impl Fn() -> F,
) where
    F: Future<Output = Result<(), PassError>>,
{
    while let Some(ended) = stopping.run_until_cancelled(pass()).await {
        match ended {
            Ok(()) | Err(PassError::Lagged(_)) => {}
            Err(error) => {
                tracing::error!(%error, "{failure}, trying again");
                stopping.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        }
    }
}

/// Commits a batch, unless another write was earlier: that one is a change, which starts another pass.
pub(crate) async fn commit(server: &Server, batch: Batch<Record>) -> Result<(), PassError> {
    match server.store.commit(batch).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use portolan_store::Revision;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_failures_wait_until_the_server_stops() {
        let (stopping, passes, started) = (CancellationToken::new(), AtomicU32::new(0), Instant::now());
        let lagged = || Lagged { seen: Revision(1), oldest: Revision(2) };
        let pass = || async {
            match passes.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(()),
                1 => Err(lagged().into()),
                2 => Err(PassError::Refused("no".to_owned())),
                3 => {
                    stopping.cancel();
                    std::future::pending().await
                }
                _ => unreachable!("it was stopped"),
            }
        };
        repeat(&stopping, Duration::from_secs(7), "a test fails", pass).await;
        assert_eq!((passes.load(Ordering::Relaxed), started.elapsed()), (4, Duration::from_secs(7)));
    }
}
