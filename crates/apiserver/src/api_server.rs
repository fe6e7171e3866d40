//! The API server as the embedding program sees it: [`ApiServer::start`], services, [`ApiServer::stop`].

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use portolan_net::pki::PkiError;
use portolan_net::priority;
use portolan_net::shutdown::{DrainError, Shutdown};
use portolan_object::Status;
use portolan_object::time::format_time;
use portolan_store::{Query, ReadError, Store};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::aggregator::{Aggregator, FrontProxy};
use crate::allocation::Services;
use crate::auth::{User, user};
use crate::bootstrap::{self, BootstrapError};
use crate::compute::Compute;
use crate::config::Config;
use crate::configured::sources::Configured;
use crate::crd::lifecycle::Lifecycle;
use crate::fairness::Fairness;
use crate::metrics::Metrics;
use crate::proxy::Forwarder;
use crate::quota_locks::QuotaLocks;
use crate::quotas;
use crate::record::Record;
use crate::resources::Registry;
use crate::server::Server;
use crate::service::{LocalService, RemoteService};
use crate::{account_secrets, aggregation, aggregator, cluster_info, event_expiry, packing};

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Custom resource definitions in the store cannot be read.
    #[error("custom resource definitions cannot be read")]
    Definitions {
        /// Cause.
        #[source]
        source: Status,
    },
    /// The stored Services cannot be read, so their addresses are not known.
    #[error("stored Services cannot be read")]
    Services {
        /// Cause.
        #[source]
        source: ReadError,
    },
    /// The identity for other API servers cannot be made.
    #[error("the certificate for aggregated API servers cannot be made")]
    FrontProxy {
        /// Cause.
        #[source]
        source: PkiError,
    },
    /// A thread cannot be started.
    #[error("a thread cannot be started: raise the limit of processes of this user (ulimit -u)")]
    Thread {
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// An object that every cluster has cannot be written.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

/// Time for the last audit events when the server stops.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A running API server. Clones share state; dropping them does not stop it: call [`ApiServer::stop`].
#[derive(Debug, Clone)]
pub struct ApiServer {
    server: Arc<Server>,
    tasks: Shutdown,
}

impl ApiServer {
    /// Starts an API server over a store, and writes the objects that every cluster has.
    ///
    /// When this returns, the custom resources of all stored definitions are served.
    ///
    /// # Errors
    /// [`StartError`] when the store was not written by an API server, or does not accept writes.
    pub async fn start(config: Config, store: Store<Record>) -> Result<Self, StartError> {
        let ranges = [config.service_cidr, config.second_service_cidr].into_iter().flatten().collect();
        let services = match config.service_cidr {
            Some(range) => {
                let ranges = std::iter::once(range).chain(config.second_service_cidr);
                Some(restore_services(&store, ranges, config.node_ports)?)
            }
            None => None,
        };
        let (metrics, compute, fairness) = (Metrics::default(), Compute::default(), Fairness::default());
        if let Some(page) = &config.metrics {
            page.register(|registry| {
                metrics.register(registry);
                compute.register(registry);
                fairness.register(registry);
                store.register_metrics(registry);
            });
        }
        let tasks = Shutdown::new();
        let announced = config.forwarder.as_ref().map(Forwarder::announced).unwrap_or_default();
        let front_proxy = FrontProxy::create(config.front_proxy.as_ref(), config.clock.now())
            .map_err(|source| StartError::FrontProxy { source })?;
        let front_proxy_authority = front_proxy.authority.clone();
        let aggregator = Aggregator::new(front_proxy, store.clone(), &tasks);
        let server = Arc::new(Server {
            scope: tasks.clone(),
            compute,
            fairness,
            metrics,
            metrics_page: config.metrics,
            services,
            kubelets: config.kubelets,
            forwarder: config.forwarder,
            aggregator,
            mounted: config.mounted,
            root_ca: config.root_ca.clone(),
            access: Access::new(store.clone()),
            configured: Configured::new(store.clone()),
            quotas: QuotaLocks::default(),
            store,
            registry: Registry::new(announced),
            authentication: config.authentication,
            audit: config.audit,
            admission: config.admission,
            disabled_admission: config.disabled_admission,
            clock: config.clock,
            version: config.version,
            stopping: CancellationToken::new(),
        });
        let mut lifecycle = Lifecycle::new(Arc::clone(&server), tasks.clone());
        lifecycle.load().await.map_err(|source| StartError::Definitions { source })?;
        // Large definitions are compared, decoded and encoded there.
        let lifecycle = priority::on_own_thread("definitions", lifecycle.run());
        tasks.spawn(lifecycle.map_err(|source| StartError::Thread { source })?);
        let started = Self { server, tasks };
        let published = bootstrap::Published {
            address: config.kubernetes_address,
            endpoint: config.endpoint,
            ranges,
            now: format_time(started.server.clock.now()),
            cluster_info: config.cluster_info,
            front_proxy_authority,
            client_authority: config.root_ca,
        };
        bootstrap::write(started.local(User::new("system:apiserver", [user::MASTERS])), published).await?;
        started.tasks.spawn(aggregation::run(Arc::clone(&started.server)));
        started.tasks.spawn(aggregator::probe::run(Arc::clone(&started.server)));
        started.tasks.spawn(account_secrets::run(Arc::clone(&started.server)));
        started.tasks.spawn(cluster_info::run(Arc::clone(&started.server)));
        // Counting decodes all pods of a namespace.
        let quotas = priority::on_own_thread("quotas", quotas::recount::run(Arc::clone(&started.server)));
        started.tasks.spawn(quotas.map_err(|source| StartError::Thread { source })?);
        started.tasks.spawn(event_expiry::run(Arc::clone(&started.server)));
        let (waiting, compressing) = packing::tasks(&started.server);
        started.tasks.spawn(waiting);
        let compressing = priority::on_own_thread("packing", compressing);
        started.tasks.spawn(compressing.map_err(|source| StartError::Thread { source })?);
        Ok(started)
    }

    /// A service for callers in this process, which acts as one user.
    pub fn local(&self, user: User) -> LocalService {
        LocalService::new(Arc::clone(&self.server), user)
    }

    /// A service for listeners; each request is authenticated by its client certificate or token.
    pub fn service(&self) -> RemoteService {
        RemoteService::new(Arc::clone(&self.server))
    }

    /// Makes `/readyz` fail and ends all watches. Other requests are still answered.
    pub fn drain(&self) {
        self.server.stopping.cancel();
    }

    /// Drains, stops the background tasks, and waits until the audit log is written.
    ///
    /// # Errors
    /// When a task did not stop before the deadline and was aborted.
    pub async fn stop(&self, deadline: Duration) -> Result<(), DrainError> {
        self.drain();
        let drained = self.tasks.drain(deadline).await;
        if let Some(audit) = &self.server.audit {
            audit.finish(AUDIT_TIMEOUT).await;
        }
        drained
    }
}

/// The allocator of Service addresses and ports, with those of the stored Services taken.
///
/// # Errors
/// When the stored Services cannot be read: without them, addresses would be given out twice.
fn restore_services(
    store: &Store<Record>,
    ranges: impl IntoIterator<Item = IpNet>,
    node_ports: RangeInclusive<u16>,
) -> Result<Services, StartError> {
    let services = Services::new(ranges, node_ports, Box::new(|below| rand::rng().random_range(0..below)));
    let stored = store.range(&Query::prefix("core/services/"));
    for item in stored.map_err(|source| StartError::Services { source })?.items {
        services.restore(&item.value.value());
    }
    Ok(services)
}
