//! Asks the server from time to time whether its version is lower than before.
//!
//! A watch does not tell: kube-apiserver lets a watch wait for a version that does not exist yet, so after a restore of
//! etcd a watch is silent until the server reaches the old version again. A restore interrupts all watches, so the
//! first check follows soon after a watch was resumed.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::progress::went_back;
use crate::cache::Content;
use crate::client::{Api, ClientError};

/// Time between two checks of one cache, spread by up to a quarter.
const INTERVAL: Duration = Duration::from_secs(60);
/// Time between the start of a resumed watch and its first check.
const SOON: Duration = Duration::from_secs(1);

/// A request for the version of the collection.
struct Running {
    /// The version that the cache had seen when the request was sent.
    seen: String,
    answer: BoxFuture<'static, Result<String, ClientError>>,
}

/// The checks of one watch.
pub(super) struct VersionCheck<T> {
    /// `None` if the server cannot go back.
    api: Option<Api<T>>,
    namespace: String,
    at: Instant,
    running: Option<Running>,
}

impl<T: Content> VersionCheck<T> {
    /// `is_resumed`: the watch continues an earlier one, not a list.
    pub(super) fn new(api: &Api<T>, namespace: &str, is_resumed: bool) -> Self {
        let first = if is_resumed { SOON } else { spread(INTERVAL) };
        let api = (!api.client().is_local()).then(|| api.clone());
        Self { api, namespace: namespace.to_owned(), at: Instant::now() + first, running: None }
    }

    /// Waits until the server is found at a lower version than `seen`, and returns both. A check that fails is repeated at
    /// the next interval. Dropping the future does not interrupt a request.
    pub(super) async fn went_back(&mut self, seen: &str) -> (String, String) {
        let Some(api) = &self.api else { return std::future::pending().await };
        loop {
            let running = match &mut self.running {
                Some(running) => running,
                None => {
                    tokio::time::sleep_until(self.at).await;
                    let (api, namespace) = (api.clone(), self.namespace.clone());
                    let answer = Box::pin(async move { api.version(&namespace).await });
                    self.running.insert(Running { seen: seen.to_owned(), answer })
                }
            };
            let answer = running.answer.as_mut().await;
            let seen = std::mem::take(&mut running.seen);
            self.running = None;
            self.at = Instant::now() + spread(INTERVAL);
            match answer {
                Ok(present) if went_back(&seen, &present) => return (seen, present),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(resource = %api.resource(), %error, "cannot read the present version");
                }
            }
        }
    }
}

/// Spreads the checks of many caches.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(0.75 + 0.5 * rand::random::<f64>())
}
