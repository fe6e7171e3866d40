//! The members of the federation: a client, caches and a state of health for each cluster.
//!
//! The registry follows the Cluster objects of the hub and the Secrets that they name. Every member has its own
//! connections, caches and tasks, so that one that hangs costs the others nothing; nothing here waits for a member
//! to answer.

mod endpoint;
mod follow;
mod member;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_net::Shutdown;

pub use endpoint::{EndpointError, endpoint};
pub use follow::follow;
pub use member::{Health, Member};

use crate::client::{Client, ConnectError, Endpoint};
use crate::metrics::Metrics;

/// The name of a member cluster.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

impl ClusterName {
    /// Wraps a name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a lane of a work queue.
    pub fn lane(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What happened to the set of members.
#[derive(Debug, Clone)]
pub enum MembershipChange {
    /// A member is there, with a new client; it takes the place of an earlier one of the same name.
    Joined(Arc<Member>),
    /// A member is gone. Its objects stay as they are.
    Left(ClusterName),
}

/// Makes the client for a member.
pub type Dial = Arc<dyn Fn(&ClusterName, Endpoint) -> Result<Client, ConnectError> + Send + Sync>;

type Observer = Box<dyn Fn(&MembershipChange) + Send + Sync>;

struct Entry {
    member: Arc<Member>,
    endpoint: Endpoint,
}

struct Registry {
    entries: RwLock<BTreeMap<ClusterName, Entry>>,
    /// Held while a change is made and announced, so that a new observer misses nothing.
    observers: Mutex<Vec<Observer>>,
    dial: Dial,
    metrics: Metrics,
    scope: Shutdown,
}

/// All members that can be spoken to; a clone is the same registry.
#[derive(Clone)]
pub struct Members {
    registry: Arc<Registry>,
}

impl Members {
    /// An empty registry whose members run within `scope`.
    pub fn new(scope: &Shutdown) -> Self {
        Self::with_dial(scope, Self::connections())
    }

    /// Makes ordinary connections.
    pub fn connections() -> Dial {
        Arc::new(|_, endpoint| Client::connect(endpoint))
    }

    /// An empty registry that makes its clients otherwise, for members in the same process.
    pub fn with_dial(scope: &Shutdown, dial: Dial) -> Self {
        Self::with_metrics(scope, dial, &Metrics::default())
    }

    /// An empty registry that reports its members to `metrics`.
    pub fn with_metrics(scope: &Shutdown, dial: Dial, metrics: &Metrics) -> Self {
        let entries = RwLock::new(BTreeMap::new());
        let (observers, metrics) = (Mutex::new(Vec::new()), metrics.clone());
        let registry = Registry { entries, observers, dial, metrics, scope: scope.child() };
        Self { registry: Arc::new(registry) }
    }

    /// One member.
    pub fn get(&self, name: &ClusterName) -> Option<Arc<Member>> {
        self.registry.entries.read().get(name).map(|entry| entry.member.clone())
    }

    /// All members, by name.
    pub fn list(&self) -> Vec<Arc<Member>> {
        self.registry.entries.read().values().map(|entry| entry.member.clone()).collect()
    }

    /// Makes a member known, or gives it a new client when its address or credential changed.
    ///
    /// # Errors
    /// When the endpoint cannot be understood; a member that does not answer is no error.
    pub fn put(&self, name: &ClusterName, endpoint: Endpoint) -> Result<Arc<Member>, ConnectError> {
        let observers = self.registry.observers.lock();
        if let Some(entry) = self.registry.entries.read().get(name)
            && entry.endpoint == endpoint
        {
            return Ok(entry.member.clone());
        }
        let client = (self.registry.dial)(name, endpoint.clone())?;
        let client = client.with_metrics(&self.registry.metrics, Some(name));
        let member = Arc::new(Member::new(name.clone(), client, self.registry.scope.child()));
        let entry = Entry { member: member.clone(), endpoint };
        let replaced = self.registry.entries.write().insert(name.clone(), entry);
        if let Some(replaced) = replaced {
            replaced.member.scope().request();
        }
        let change = MembershipChange::Joined(member.clone());
        observers.iter().for_each(|observer| observer(&change));
        tracing::info!(cluster = %name, "cluster is connected");
        Ok(member)
    }

    /// Forgets a member and ends everything that runs for it; the cluster itself is not touched.
    pub fn remove(&self, name: &ClusterName) {
        let observers = self.registry.observers.lock();
        let Some(entry) = self.registry.entries.write().remove(name) else { return };
        entry.member.scope().request();
        let change = MembershipChange::Left(name.clone());
        observers.iter().for_each(|observer| observer(&change));
        self.registry.metrics.forget(name);
        tracing::info!(cluster = %name, "cluster left the federation");
    }

    /// Calls `observer` for every member that is there, and from then on for every change, in order. It must be
    /// quick and must not change the registry.
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
