//! The failures of one pass that writes several objects.
//!
//! Every write runs to its end: a failure in one cluster must not cancel the writes for the others. The failures are
//! then reported together.

use std::fmt;
use std::future::Future;

use futures::future::join_all;
use portolan_runtime::ClientError;
use portolan_runtime::client::BoxError;

/// Failures so far.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<BoxError>);

impl Failures {
    /// Runs all writes concurrently and collects what failed.
    pub(crate) async fn of_all<F, E>(writes: impl IntoIterator<Item = F>) -> Self
    where
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        let results = join_all(writes).await;
        Self(results.into_iter().filter_map(Result::err).map(Into::into).collect())
    }

    pub(crate) fn push(&mut self, error: impl Into<BoxError>) {
        self.0.push(error.into());
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The outcome of the pass.
    ///
    /// # Errors
    /// All failures as one error. A lost race is only reported if nothing else failed, because the next pass repeats the
    /// write anyway.
    pub(crate) fn into_result(self) -> Result<(), BoxError> {
        let is_race = |error: &BoxError| error.downcast_ref().is_some_and(ClientError::is_race);
        let (mut races, mut failures): (Vec<BoxError>, Vec<BoxError>) = self.0.into_iter().partition(is_race);
        match (failures.len(), races.pop()) {
            (0, None) => Ok(()),
            (0, Some(race)) => Err(race),
            (1, _) => Err(failures.remove(0)),
            _ => Err(Box::new(Several(failures))),
        }
    }
}

/// More than one failure.
#[derive(Debug)]
struct Several(Vec<BoxError>);

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failures: ", self.0.len())?;
        for (index, failure) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Several {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use portolan_object::Status;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_cancels_no_other_write() {
        let finished = AtomicUsize::new(0);
        let write = |seconds: u64, fails: bool| {
            let finished = &finished;
            async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                finished.fetch_add(1, Ordering::Relaxed);
                if fails { Err(format!("write {seconds} failed")) } else { Ok(()) }
            }
        };
        let failures = Failures::of_all([write(1, true), write(5, false), write(3, true)]).await;
        assert_eq!(finished.into_inner(), 3);
        let error = failures.into_result().expect_err("two failed");
        assert_eq!(error.to_string(), "2 failures: write 1 failed; write 3 failed");
    }

    #[test]
    fn a_lost_race_is_reported_only_alone() {
        let race = || ClientError::Conflict(Status::conflict("", "works", "a", "changed"));
        let result =
            |failures: Vec<BoxError>| Failures(failures).into_result().map_err(|error| error.to_string());
        assert_eq!(result(vec![]), Ok(()));
        let lost = Failures(vec![race().into(), race().into()]).into_result().expect_err("a race");
        assert!(lost.downcast_ref().is_some_and(ClientError::is_race));
        assert_eq!(result(vec![race().into(), "refused".into()]), Err("refused".to_owned()));
    }
}
