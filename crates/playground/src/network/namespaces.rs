//! Namespaces mode: the kernel carries the traffic, in one network namespace per cluster and per pod.
//!
//! `Network` keeps addresses and rules in either mode; in this mode they are also given to the kernel, and connections
//! are made inside the caller's namespace. Namespaces end with this process, which holds them open.

pub(crate) mod kernel;
pub(crate) mod router;
mod ruleset;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, io};

use parking_lot::RwLock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::network::address::ClusterName;

pub use self::kernel::ToolError;
pub use self::router::dns_address;

use self::kernel::NetworkNamespace;
use self::router::{NetworkPlan, Router};

/// Programs that this mode needs, with their Debian packages.
const REQUIRED_PROGRAMS: &[(&str, &str)] = &[("ip", "iproute2"), ("nft", "nftables")];

/// Why namespaces mode is not available on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The process may not create network namespaces.
    #[error(
        "network mode `namespaces` needs the right to make network namespaces ({reason}): run as root on a machine that gives it, or use --network loopback"
    )]
    Rights {
        /// Error of the kernel.
        reason: String,
    },
    /// A program is not installed.
    #[error(
        "network mode `namespaces` needs the program {program} (Debian package {package}): install it, or use --network loopback"
    )]
    Program {
        /// Name of the program.
        program: &'static str,
        /// Its Debian package.
        package: &'static str,
    },
}

/// The namespace of a cluster, for sockets of this process inside it.
#[derive(Debug, Clone)]
pub struct ClusterNamespace(Arc<Router>);

impl ClusterNamespace {
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self(router)
    }

    /// Listens on an address of a machine of the cluster, or on [`dns_address`].
    ///
    /// # Errors
    /// When the address is in use, or is not one of the cluster's.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        router::listen(&self.0.namespace, address).await
    }

    /// Receives datagrams on such an address.
    ///
    /// # Errors
    /// See [`ClusterNamespace::listen`].
    pub async fn bind(&self, address: SocketAddr) -> io::Result<std::net::UdpSocket> {
        router::bind(&self.0.namespace, address).await
    }
}

/// The routers of all clusters.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    routers: RwLock<BTreeMap<ClusterName, Arc<Router>>>,
    /// Held while a cluster is created: each is linked with those before it.
    created: tokio::sync::Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    clusters: u32,
    links: u32,
}

/// Checks that this mode is available.
///
/// # Errors
/// [`Unavailable`] naming what is missing.
pub async fn check() -> Result<(), Unavailable> {
    for (program, package) in REQUIRED_PROGRAMS {
        if find(program).is_none() {
            return Err(Unavailable::Program { program, package });
        }
    }
    let made = NetworkNamespace::create().await;
    made.map(drop).map_err(|error| Unavailable::Rights { reason: error.to_string() })
}

/// Raises the soft limit of open files to the hard limit: every pod needs about a dozen descriptors.
pub(crate) fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files; many pods may not start");
    }
}

/// Path of a program, found in `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

impl Namespaces {
    pub(crate) fn router(&self, cluster: &ClusterName) -> Option<Arc<Router>> {
        self.routers.read().get(cluster).cloned()
    }

    /// Creates the network of a cluster and links it with all others.
    pub(crate) async fn create(&self, plan: NetworkPlan) -> Result<(), ToolError> {
        let mut created = self.created.lock().await;
        let router = Router::build(NetworkPlan { number: created.clusters, ..plan }).await?;
        let others: Vec<Arc<Router>> = self.routers.read().values().cloned().collect();
        for other in others {
            router.link(&other, created.links).await?;
            created.links += 1;
        }
        created.clusters += 1;
        self.routers.write().insert(router.plan.cluster.clone(), Arc::new(router));
        Ok(())
    }

    /// Drops the traffic between two clusters, or stops dropping it.
    pub(crate) async fn cut(&self, a: &ClusterName, b: &ClusterName, is_cut: bool) -> Result<(), ToolError> {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(router) = self.router(one) {
                router.cut(other, is_cut).await?;
            }
        }
        Ok(())
    }
}
