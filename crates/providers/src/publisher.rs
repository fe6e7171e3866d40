//! Publishes changes through a provider: batches, rate limit, retries, and the search for changes that fail.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::batches::{batches, halves};
use crate::error::ProviderError;
use crate::provider::Provider;
use crate::retry;

/// Time for one publication. What is not published by then is reported as [`ProviderError::NotTried`].
const PUBLICATION_TIME: Duration = Duration::from_secs(300);

/// Whether changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write them.
    Write,
    /// Only check that the provider has the zone and a form for every change.
    DryRun,
}

/// Result of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// One result for each change, in order.
    pub results: Vec<Result<(), ProviderError>>,
    /// Requests that were sent.
    pub requests: usize,
}

impl Report {
    /// Number of changes that the zone has now.
    pub fn published(&self) -> usize {
        self.results.iter().filter(|result| result.is_ok()).count()
    }

    /// The first error.
    pub fn error(&self) -> Option<&ProviderError> {
        self.results.iter().find_map(|result| result.as_ref().err())
    }
}

/// One provider with its rate limit. All writers to it share one publisher.
#[derive(Debug, Clone)]
pub struct Publisher {
    provider: Arc<dyn Provider>,
    /// The earliest time of the next request.
    next: Arc<Mutex<Instant>>,
}

impl Publisher {
    /// A publisher through `provider`.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self { provider, next: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Name of the provider.
    pub fn name(&self) -> &'static str {
        self.provider.name()
    }

    /// Every record set of a zone.
    ///
    /// # Errors
    /// The last error, when the provider did not answer after several requests.
    pub async fn list(&self, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
        let mut attempt = 1;
        loop {
            self.turn().await;
            let error = match self.provider.list(zone).await {
                Ok(sets) => return Ok(sets),
                Err(error) => error,
            };
            let Some(wait) = retry::wait(attempt, rand::random()).filter(|_| error.is_transient()) else {
                return Err(error);
            };
            tracing::debug!(%zone, %error, attempt, "cannot read a zone, trying again");
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Publishes changes. Never fails as a whole: the report has the result of each.
    pub async fn publish(&self, zone: &DomainName, changes: &[Change], mode: Mode) -> Report {
        let checked: Vec<_> = changes.iter().map(|change| self.provider.check(change)).collect();
        let is_possible = |index: &usize| checked[*index].is_ok();
        let possible: Vec<usize> = (0..changes.len()).filter(is_possible).collect();
        let sendable: Vec<Change> = possible.iter().map(|&index| changes[index].clone()).collect();
        let mut publication = Publication::new(self, zone, &sendable, Instant::now() + PUBLICATION_TIME);
        if mode == Mode::Write {
            publication.run().await;
        } else {
            publication.look().await;
        }
        let Publication { results: sent, requests, .. } = publication;
        let mut results = checked;
        for (index, result) in possible.into_iter().zip(sent) {
            results[index] = result;
        }
        Report { results, requests }
    }

    /// See [`Provider::complete`].
    pub fn complete(&self, zone: &DomainName, is_cleared: bool) {
        self.provider.complete(zone, is_cleared);
    }

    /// Waits until the rate limit allows a request.
    async fn turn(&self) {
        let at = {
            let mut next = self.next.lock().await;
            let at = (*next).max(Instant::now());
            *next = at + self.provider.limits().interval;
            at
        };
        sleep_until(at).await;
    }
}

/// One call of [`Publisher::publish`].
struct Publication<'a> {
    publisher: &'a Publisher,
    zone: &'a DomainName,
    changes: &'a [Change],
    results: Vec<Result<(), ProviderError>>,
    requests: usize,
    deadline: Instant,
}

impl<'a> Publication<'a> {
    fn new(publisher: &'a Publisher, zone: &'a DomainName, changes: &'a [Change], deadline: Instant) -> Self {
        let results = vec![Err(ProviderError::NotTried); changes.len()];
        Self { publisher, zone, changes, results, requests: 0, deadline }
    }

    /// Sends the batches until one fails for a reason that the others have too.
    async fn run(&mut self) {
        let limits = self.publisher.provider.limits();
        let sizes: Vec<usize> =
            self.changes.iter().map(|change| self.publisher.provider.size(change)).collect();
        let mut waiting = batches(&sizes, limits.size_per_batch);
        waiting.reverse();
        while let Some(range) = waiting.pop() {
            let failed = self.send(range.clone()).await;
            let Some(error) = failed else { continue };
            if error.is_of_change() {
                // An atomic provider rejects a batch for one of its changes: the halves show for which.
                let parts = halves(&range).filter(|_| limits.is_atomic);
                waiting.extend(parts.into_iter().flatten().rev());
            } else {
                return;
            }
        }
    }

    /// Sends one batch, several times if its error passes. Returns the last error.
    async fn send(&mut self, range: Range<usize>) -> Option<ProviderError> {
        let provider = &self.publisher.provider;
        let mut attempt = 1;
        loop {
            self.publisher.turn().await;
            if Instant::now() > self.deadline {
                return Some(ProviderError::NotTried);
            }
            self.requests += 1;
            let results = provider.apply(self.zone, &self.changes[range.clone()]).await;
            let error = results.iter().find_map(|result| result.as_ref().err()).cloned();
            for (index, result) in range.clone().zip(results) {
                self.results[index] = result;
            }
            let error = error?;
            let Some(wait) = retry::wait(attempt, rand::random()).filter(|_| error.is_transient()) else {
                return Some(error);
            };
            tracing::debug!(zone = %self.zone, %error, attempt, "cannot change a zone, trying again");
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Reads the zone, so that a missing one and wrong credentials are found.
    async fn look(&mut self) {
        self.requests += 1;
        let result = self.publisher.list(self.zone).await.map(|_| ());
        self.results.fill(result);
    }
}

#[cfg(test)]
mod tests;
