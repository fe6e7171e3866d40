//! Addresses of load balancers that have a host name. They change without notice, so that they are looked up again and
//! again; while a look-up fails, the last addresses stay.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use portolan_plan::federation::dns::record::DomainName;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};

/// Time after which a name is looked up again.
pub(super) const MAX_AGE: Duration = Duration::from_secs(60);
/// A host name is removed from the cache when it was not resolved for this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Time for one look-up.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Look-ups at the same time.
const CONCURRENT: usize = 16;
/// Names that are kept.
const MAX_NAMES: usize = 100_000;

/// Known addresses.
#[derive(Default)]
pub(super) struct Hosts(Mutex<BTreeMap<DomainName, Known>>);

#[derive(Clone)]
struct Known {
    addresses: Vec<IpAddr>,
    at: Instant,
}

impl Hosts {
    /// Looks up the names that are new or old, and forgets those that were not asked for during [`FORGOTTEN_AFTER`].
    pub(super) async fn refresh(&self, names: BTreeSet<DomainName>) {
        let due: Vec<DomainName> = {
            let mut known = self.0.lock();
            known.retain(|name, one| names.contains(name) || one.at.elapsed() < FORGOTTEN_AFTER);
            let is_due = |name: &DomainName| known.get(name).is_none_or(|one| one.at.elapsed() >= MAX_AGE);
            names.into_iter().take(MAX_NAMES).filter(is_due).collect()
        };
        let found: Vec<(DomainName, Option<Vec<IpAddr>>)> = stream::iter(due)
            .map(|name| async move {
                let addresses = look_up(&name).await;
                (name, addresses)
            })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        let mut known = self.0.lock();
        for (name, addresses) in found {
            let before = known.get(&name).map(|one| one.addresses.clone()).unwrap_or_default();
            let addresses = addresses.unwrap_or(before);
            known.insert(name, Known { addresses, at: Instant::now() });
        }
    }

    /// The addresses of a name, as last looked up.
    pub(super) fn addresses(&self, name: &DomainName) -> Vec<IpAddr> {
        self.0.lock().get(name).map(|one| one.addresses.clone()).unwrap_or_default()
    }
}

/// `None` when the name cannot be looked up now.
async fn look_up(name: &DomainName) -> Option<Vec<IpAddr>> {
    let found = timeout(LOOK_UP, lookup_host((name.without_dot(), 0))).await;
    match found {
        Ok(Ok(addresses)) => {
            let addresses: BTreeSet<IpAddr> = addresses.map(|address| address.ip()).collect();
            Some(addresses.into_iter().collect())
        }
        Ok(Err(error)) => {
            tracing::debug!(%name, %error, "cannot look up the host name of a load balancer");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_are_looked_up_and_unused_ones_are_forgotten() {
        let (hosts, name) = (Hosts::default(), DomainName::parse("localhost").unwrap());
        hosts.refresh(BTreeSet::from([name.clone()])).await;
        assert!(hosts.addresses(&name).iter().all(IpAddr::is_loopback));
        assert!(!hosts.addresses(&name).is_empty());
        hosts.refresh(BTreeSet::new()).await;
        assert!(!hosts.addresses(&name).is_empty(), "another Federation may ask for it");
        tokio::time::advance(FORGOTTEN_AFTER).await;
        hosts.refresh(BTreeSet::new()).await;
        assert!(hosts.addresses(&name).is_empty());
    }
}
