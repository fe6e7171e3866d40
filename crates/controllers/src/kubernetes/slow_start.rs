//! Creation of many pods with few useless attempts.
//!
//! Pods that a quota, an admission rule or a full disk refuses fail one like the other. The first batch is one pod, each
//! further batch twice as large, and the first batch with a failure is the last one of the pass (kubernetes
//! pkg/controller/replicaset, slowStartBatch).

use std::future::Future;

use portolan_runtime::client::BoxError;

use crate::failures::Failures;

/// Runs `creations` in batches of 1, 2, 4, … until one of a batch fails. The writes of a batch run concurrently.
pub(super) async fn slow_start<F, E>(creations: impl IntoIterator<Item = F>) -> Failures
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    let mut creations = creations.into_iter();
    let mut size = 1;
    loop {
        let batch: Vec<F> = creations.by_ref().take(size).collect();
        if batch.is_empty() {
            return Failures::default();
        }
        let failures = Failures::of_all(batch).await;
        if !failures.is_empty() {
            return failures;
        }
        size *= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The number of attempts to create 100 pods of which the first `allowed` succeed.
    async fn attempts(allowed: usize) -> (usize, bool) {
        let attempts = AtomicUsize::new(0);
        let create = |_| async {
            let number = attempts.fetch_add(1, Ordering::Relaxed);
            if number < allowed { Ok(()) } else { Err("exceeded quota") }
        };
        let failures = slow_start((0..100).map(create)).await;
        (attempts.into_inner(), failures.is_empty())
    }

    #[tokio::test]
    async fn the_first_batch_with_a_failure_is_the_last() {
        let cases = [(0, (1, false)), (1, (3, false)), (10, (15, false)), (100, (100, true))];
        for (allowed, want) in cases {
            assert_eq!(attempts(allowed).await, want, "{allowed} are allowed");
        }
    }
}
