//! The API server as the embedding program sees it: start, services, stop.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use portolan_net::shutdown::{Shutdown, Undrained};
use portolan_object::Status;
use portolan_store::{Query, Store};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::aggregation;
use crate::allocation::Services;
use crate::auth::User;
use crate::bootstrap;
use crate::config::Config;
use crate::crd::lifecycle::Lifecycle;
use crate::record::Record;
use crate::resources::Registry;
use crate::service::{LocalService, RemoteService, Server};

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Custom resource definitions in the store cannot be read.
    #[error("custom resource definitions cannot be read")]
    Definitions {
        /// What the store said.
        #[source]
        source: Status,
    },
    /// An object that every cluster has cannot be written.
    #[error("cannot write {object}")]
    Bootstrap {
        /// The path of the object.
        object: String,
        /// What the server itself said.
        #[source]
        source: Status,
    },
}

/// A running API server. Dropping it does not stop it: call [`ApiServer::stop`].
#[derive(Debug, Clone)]
pub struct ApiServer {
    server: Arc<Server>,
    tasks: Shutdown,
}

impl ApiServer {
    /// Starts over a store, and writes the objects that every cluster has.
    ///
    /// When this returns, every resource that the store has definitions for is served.
    ///
    /// # Errors
    /// [`StartError`] when the store does not hold what an API server has written, or does not accept writes.
    pub async fn start(config: Config, store: Store<Record>) -> Result<Self, StartError> {
        let services = config.service_cidr.map(|range| {
            let ranges = std::iter::once(range).chain(config.second_service_cidr);
            allocated(&store, ranges, config.node_ports)
        });
        let server = Arc::new(Server {
            services,
            kubelets: config.kubelets,
            access: Access::new(store.clone()),
            store,
            registry: Registry::default(),
            authentication: config.authentication,
            admission: config.admission,
            clock: config.clock,
            version: config.version,
            stopping: CancellationToken::new(),
        });
        let tasks = Shutdown::new();
        let mut lifecycle = Lifecycle::new(Arc::clone(&server), tasks.clone());
        lifecycle.load().await.map_err(|source| StartError::Definitions { source })?;
        tasks.spawn(lifecycle.run());
        let started = Self { server, tasks };
        bootstrap::write(&started, config.endpoint).await?;
        started.tasks.spawn(aggregation::run(Arc::clone(&started.server)));
        Ok(started)
    }

    /// Answers callers in this process as one user, without a socket.
    pub fn local(&self, user: User) -> LocalService {
        LocalService::new(Arc::clone(&self.server), user)
    }

    /// Answers requests from the network; each is authenticated by its client certificate or token.
    pub fn service(&self) -> RemoteService {
        RemoteService::new(Arc::clone(&self.server))
    }

    /// Says at `/readyz` that no more requests should come, and ends all watches. Other requests are still answered.
    pub fn drain(&self) {
        self.server.stopping.cancel();
    }

    /// Drains, and stops the background tasks.
    ///
    /// # Errors
    /// [`Undrained`] when a task did not stop in time and was dropped.
    pub async fn stop(&self, deadline: Duration) -> Result<(), Undrained> {
        self.drain();
        self.tasks.drain(deadline).await
    }
}

/// The pools of a range of addresses, with what the stored Services hold.
fn allocated(
    store: &Store<Record>,
    ranges: impl IntoIterator<Item = IpNet>,
    node_ports: RangeInclusive<u16>,
) -> Services {
    let services = Services::new(ranges, node_ports, Box::new(|below| rand::rng().random_range(0..below)));
    let stored = store.range(&Query::prefix("core/services/"));
    for item in stored.iter().flat_map(|page| &page.items) {
        services.restore(&item.value.value());
    }
    services
}
