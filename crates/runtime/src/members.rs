//! The registry of member clusters: a client, caches and a state of health for each.
//!
//! [`follow`] keeps the registry equal to the Cluster objects of the hub and their Secrets. Controllers
//! [`observe`](Members::observe) it: they start for a member when it joins, within [`Member::scope`], which stops when it
//! leaves or gets a new address or credential.
//!
//! Guarantees:
//! - Each member has separate connections, caches and tasks, so a member that hangs does not delay others.
//! - No call waits for a member to answer.
//! - A member without contact stays registered; only deleting its Cluster object removes it.
//! - A member has a [`Budget`]. One that sends more is replaced for minutes by a member that cannot be reached, so that its
//!   memory is free and what others have of it stays; each time in a row for twice as long.
//!
//! ```no_run
//! # use portolan_net::Shutdown;
//! # use portolan_runtime::members::MembershipChange;
//! # use portolan_runtime::{Members, Resource};
//! # fn example(scope: Shutdown, deployments: Resource) {
//! let members = Members::new(&scope);
//! members.observe(move |change| match change {
//!     MembershipChange::Joined(member) => {
//!         let cache = member.managed(&deployments);
//!         println!("{} joined, {} objects so far", member.name(), cache.len());
//!     }
//!     MembershipChange::Left(name) => println!("{name} left"),
//! });
//! # }
//! ```

mod endpoint;
mod follow;
mod member;
mod over_budget;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_net::Shutdown;

pub use crate::hold::{Hold, HoldState, Refusal};
pub use endpoint::{EndpointError, endpoint, impersonator_token};
pub use follow::follow;
pub use member::{Health, Member};
pub use over_budget::OverBudget;

use crate::client::{Client, ConnectError, Endpoint};
use crate::cluster_name::ClusterName;
use crate::limits::{Budget, MemberLimits};
use crate::metrics::Metrics;
use over_budget::Strikes;

/// A change of the registry.
#[derive(Debug, Clone)]
pub enum MembershipChange {
    /// A member joined, or got a new client and replaces the earlier one of the same name. See [`Member::over_budget`].
    Joined(Arc<Member>),
    /// A member left. Its objects stay.
    Left(ClusterName),
}

/// Creates the client of a member.
pub type Dial = Arc<dyn Fn(&ClusterName, Endpoint) -> Result<Client, ConnectError> + Send + Sync>;

/// Why a cluster with an agent is not reached.
const NO_TUNNELS: &str =
    "the cluster is in pull mode, and only an embedded control plane accepts the tunnel of its agent";

type Observer = Box<dyn Fn(&MembershipChange) + Send + Sync>;

struct MemberEntry {
    member: Arc<Member>,
    access: Access,
    strikes: Strikes,
}

/// How a member is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Access {
    Endpoint(Endpoint),
    /// Not at all, for this reason.
    Suspended(String),
}

struct Registry {
    entries: RwLock<BTreeMap<ClusterName, MemberEntry>>,
    /// Held while a change is made and announced, so that a new observer sees each change exactly once.
    observers: Mutex<Vec<Observer>>,
    dial: Dial,
    metrics: Metrics,
    limits: MemberLimits,
    scope: Shutdown,
}

/// The registry of members; clones share state.
#[derive(Clone)]
pub struct Members {
    registry: Arc<Registry>,
}

impl Members {
    /// An empty registry. Its members run within `scope`.
    pub fn new(scope: &Shutdown) -> Self {
        Self::with_dial(scope, Self::connections())
    }

    /// Makes ordinary connections. A cluster with an agent is not reached.
    pub fn connections() -> Dial {
        Arc::new(|name, endpoint| match endpoint.is_tunnelled {
            true => Ok(Client::refusing(name.as_str(), NO_TUNNELS)),
            false => Client::connect(endpoint),
        })
    }

    /// An empty registry with another way to create clients, for members in the same process.
    pub fn with_dial(scope: &Shutdown, dial: Dial) -> Self {
        Self::with_limits(scope, dial, &Metrics::default(), MemberLimits::default())
    }

    /// An empty registry that reports its members to `metrics` and keeps of each as much as `limits` allow.
    pub fn with_limits(scope: &Shutdown, dial: Dial, metrics: &Metrics, limits: MemberLimits) -> Self {
        let entries = RwLock::new(BTreeMap::new());
        let (observers, metrics) = (Mutex::new(Vec::new()), metrics.clone());
        let registry = Registry { entries, observers, dial, metrics, limits, scope: scope.child() };
        Self { registry: Arc::new(registry) }
    }

    /// Gets one member.
    pub fn get(&self, name: &ClusterName) -> Option<Arc<Member>> {
        self.registry.entries.read().get(name).map(|entry| entry.member.clone())
    }

    /// All members, by name.
    pub fn list(&self) -> Vec<Arc<Member>> {
        self.registry.entries.read().values().map(|entry| entry.member.clone()).collect()
    }

    /// Adds a member, or replaces it if its address or credential changed.
    ///
    /// # Errors
    /// If the endpoint is malformed. A member that does not answer is not an error.
    pub fn put(&self, name: &ClusterName, endpoint: Endpoint) -> Result<Arc<Member>, ConnectError> {
        self.put_access(name, Access::Endpoint(endpoint))
    }

    /// Adds or replaces a member to which nothing may be sent. Its requests fail with `reason`; to the others it is a member
    /// without contact, so that everything stays as it is. The caller logs the reason.
    ///
    /// # Errors
    /// As [`Members::put`].
    pub fn suspend(&self, name: &ClusterName, reason: &str) -> Result<Arc<Member>, ConnectError> {
        self.put_access(name, Access::Suspended(reason.to_owned()))
    }

    fn put_access(&self, name: &ClusterName, access: Access) -> Result<Arc<Member>, ConnectError> {
        let observers = self.registry.observers.lock();
        if let Some(entry) = self.registry.entries.read().get(name)
            && entry.access == access
        {
            return Ok(entry.member.clone());
        }
        let member = match &access {
            Access::Endpoint(endpoint) => self.connect(name, endpoint)?,
            Access::Suspended(reason) => self.suspended(name, reason),
        };
        let entry = MemberEntry { member: member.clone(), access, strikes: Strikes::default() };
        let replaced = self.registry.entries.write().insert(name.clone(), entry);
        if let Some(replaced) = replaced {
            replaced.member.scope().request();
        }
        let change = MembershipChange::Joined(member.clone());
        observers.iter().for_each(|observer| observer(&change));
        self.registry.metrics.set_suspended(name, member.suspension().is_some());
        if member.suspension().is_none() {
            tracing::info!(cluster = %name, "cluster is connected");
        }
        Ok(member)
    }

    /// A new member that is not registered yet.
    fn connect(&self, name: &ClusterName, endpoint: &Endpoint) -> Result<Arc<Member>, ConnectError> {
        let client = (self.registry.dial)(name, endpoint.clone())?;
        let budget = Arc::new(Budget::new(self.registry.limits));
        self.registry.metrics.add_budget(name, &budget);
        let client = client.with_metrics(&self.registry.metrics, Some(name)).with_budget(budget.clone());
        let member = Member::new(name.clone(), client, self.registry.scope.child());
        let member = Arc::new(member.with_agent(endpoint.is_tunnelled));
        self.replace_over_budget(&member, budget);
        Ok(member)
    }

    /// A new member to which nothing may be sent.
    fn suspended(&self, name: &ClusterName, reason: &str) -> Arc<Member> {
        let client = Client::refusing(name.as_str(), reason).with_metrics(&self.registry.metrics, Some(name));
        let member = Member::new(name.clone(), client, self.registry.scope.child());
        Arc::new(member.with_suspension(reason.to_owned()))
    }

    /// Removes a member and stops its tasks. Does not change anything in the cluster.
    pub fn remove(&self, name: &ClusterName) {
        let observers = self.registry.observers.lock();
        let Some(entry) = self.registry.entries.write().remove(name) else { return };
        entry.member.scope().request();
        let change = MembershipChange::Left(name.clone());
        observers.iter().for_each(|observer| observer(&change));
        self.registry.metrics.forget(name);
        tracing::info!(cluster = %name, "cluster left the federation");
    }

    /// Calls `observer` for each registered member, and then for each change, in order. It must be quick and must not
    /// change the registry.
    pub fn observe(&self, observer: impl Fn(&MembershipChange) + Send + Sync + 'static) {
        let mut observers = self.registry.observers.lock();
        for member in self.list() {
            observer(&MembershipChange::Joined(member));
        }
        observers.push(Box::new(observer));
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.registry.entries.read().keys()).finish()
    }
}

#[cfg(test)]
mod tests;
