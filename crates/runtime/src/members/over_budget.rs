//! Members that send more than their budget allows.
//!
//! Such a member is replaced by one that cannot be reached: its tasks and caches end, and the controllers keep everything
//! as for a cluster without contact. Later it is connected again, with an empty budget.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Access, Member, Members, MembershipChange};
use crate::backoff::Backoff;
use crate::client::Client;
use crate::limits::{Budget, BudgetEnd};
use crate::scope::spawn_until_stop;

/// Delays before the member is read again. Reading it may cost a whole budget, so they are long.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(120), Duration::from_secs(3600));
/// Time after which earlier times are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(2 * 3600);

/// Why a member is not read, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    end: BudgetEnd,
    delay: Duration,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { end: BudgetEnd { excess, source }, delay } = self;
        write!(
            f,
            "cluster sent {excess} ({source}), so it is not read for {} seconds, and what is there and in other \
             clusters stays as it is: {}",
            delay.as_secs(),
            excess.cure()
        )
    }
}

/// How often a member was over its budget.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strikes {
    count: u32,
    last: Option<Instant>,
}

impl Strikes {
    /// Counts one more at `now`, and returns the delay.
    fn count(&mut self, now: Instant) -> Duration {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) > FORGOTTEN_AFTER) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
        BACKOFF.delay(self.count, 0.0)
    }
}

impl Members {
    /// Replaces the member when its budget ends.
    pub(super) fn replace_over_budget(&self, member: &Arc<Member>, budget: Arc<Budget>) {
        let (members, over) = (self.clone(), member.clone());
        spawn_until_stop(member.scope(), async move {
            let end = budget.ended().await;
            members.disconnect(&over, end);
        });
    }

    fn disconnect(&self, member: &Arc<Member>, end: BudgetEnd) {
        let observers = self.registry.observers.lock();
        let replacement = {
            let mut entries = self.registry.entries.write();
            let Some(entry) = entries.get_mut(member.name()) else { return };
            if !Arc::ptr_eq(&entry.member, member) {
                return;
            }
            let delay = entry.strikes.count(Instant::now());
            let over_budget = OverBudget { end, delay };
            tracing::warn!(cluster = %member.name(), "{over_budget}");
            entry.member = self.unreachable(member, over_budget);
            entry.member.clone()
        };
        member.end();
        self.registry.metrics.count_over_budget(member.name());
        let change = MembershipChange::Joined(replacement);
        observers.iter().for_each(|observer| observer(&change));
    }

    /// A member that cannot be reached, and is connected again after the delay.
    fn unreachable(&self, member: &Arc<Member>, over_budget: OverBudget) -> Arc<Member> {
        let (name, delay) = (member.name(), over_budget.delay);
        let client = Client::refusing(name.as_str(), &over_budget.to_string());
        let client = client.with_metrics(&self.registry.metrics, Some(name));
        let member = Member::new(name.clone(), client, self.registry.scope.child());
        let member = Arc::new(member.with_over_budget(over_budget));
        let (members, waiting) = (self.clone(), member.clone());
        spawn_until_stop(member.scope(), async move {
            tokio::time::sleep(delay).await;
            members.connect_again(&waiting);
        });
        member
    }

    fn connect_again(&self, waiting: &Arc<Member>) {
        let observers = self.registry.observers.lock();
        let name = waiting.name();
        let access = match self.registry.entries.read().get(name) {
            Some(entry) if Arc::ptr_eq(&entry.member, waiting) => entry.access.clone(),
            _ => return,
        };
        let Access::Endpoint(endpoint) = access else { return };
        let member = match self.connect(name, &endpoint) {
            Ok(member) => member,
            Err(error) => {
                // The same endpoint was usable before.
                tracing::error!(cluster = %name, %error, "cluster cannot be connected again");
                return;
            }
        };
        if let Some(entry) = self.registry.entries.write().get_mut(name) {
            entry.member = member.clone();
        }
        waiting.end();
        tracing::info!(cluster = %name, "cluster is read again");
        let change = MembershipChange::Joined(member);
        observers.iter().for_each(|observer| observer(&change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_get_longer_until_they_are_forgotten() {
        let (mut strikes, start) = (Strikes::default(), Instant::now());
        // Each row: minutes since the start, and minutes of the delay.
        for (at, want) in [(0, 2), (3, 4), (8, 8), (17, 16), (34, 32), (67, 60), (130, 60), (300, 2)] {
            let delay = strikes.count(start + Duration::from_secs(at * 60));
            assert_eq!(delay, Duration::from_secs(want * 60), "after {at} minutes");
        }
    }
}
