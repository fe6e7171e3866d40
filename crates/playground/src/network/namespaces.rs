//! The second way to carry traffic: namespaces of the kernel in place of loopback sockets.
//!
//! `Network` keeps addresses and rules either way; in this mode they are also given to the kernel, cluster by cluster,
//! and connections are made inside of the caller's namespace. Nothing here decides where traffic goes, and nothing
//! outlives this process: namespaces are only held open by it.

pub(crate) mod kernel;
pub(crate) mod router;
mod ruleset;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::network::ClusterName;

pub use self::kernel::ToolError;
pub use self::router::dns_address;

use self::kernel::NetworkNamespace;
use self::router::{Plan, Router};

/// Programs that this mode cannot do without, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[("ip", "iproute2"), ("nft", "nftables")];

/// Why pods cannot have namespaces here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The kernel refuses.
    #[error(
        "network mode `namespaces` needs the right to make network namespaces ({reason}): run as root on a machine that gives it, or use --network loopback"
    )]
    Rights {
        /// What it says.
        reason: String,
    },
    /// A program is not installed.
    #[error(
        "network mode `namespaces` needs the program {program} (Debian package {package}): install it, or use --network loopback"
    )]
    Program {
        /// Which program.
        program: &'static str,
        /// Where it is found.
        package: &'static str,
    },
}

/// The routers of all clusters.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    routers: RwLock<BTreeMap<ClusterName, Arc<Router>>>,
    /// Clusters are built one after the other, for each is linked with those before it.
    building: tokio::sync::Mutex<Built>,
}

#[derive(Debug, Default)]
struct Built {
    clusters: u32,
    links: u32,
}

/// Checks that this mode can work here.
///
/// # Errors
/// [`Unavailable`] naming what is missing.
pub async fn check() -> Result<(), Unavailable> {
    for (program, package) in PROGRAMS {
        if find(program).is_none() {
            return Err(Unavailable::Program { program, package });
        }
    }
    let made = NetworkNamespace::create().await;
    made.map(drop).map_err(|error| Unavailable::Rights { reason: error.to_string() })
}

/// Takes as many files as this process may have: every pod needs a dozen, and the usual limit is for hundreds.
pub(crate) fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files; many pods may not start");
    }
}

/// A program by its name, as a shell finds it.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

impl Namespaces {
    pub(crate) fn router(&self, cluster: &ClusterName) -> Option<Arc<Router>> {
        self.routers.read().get(cluster).cloned()
    }

    /// Makes the network of a cluster and links it with all others.
    pub(crate) async fn build(&self, plan: Plan) -> Result<Arc<Router>, ToolError> {
        let mut built = self.building.lock().await;
        let router = Router::build(Plan { number: built.clusters, ..plan }).await?;
        let others: Vec<Arc<Router>> = self.routers.read().values().cloned().collect();
        for other in others {
            router.link(&other, built.links).await?;
            built.links += 1;
        }
        built.clusters += 1;
        let router = Arc::new(router);
        self.routers.write().insert(router.plan.cluster.clone(), router.clone());
        Ok(router)
    }

    /// Cuts two clusters apart, or joins them again.
    pub(crate) async fn cut(&self, a: &ClusterName, b: &ClusterName, is_cut: bool) -> Result<(), ToolError> {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(router) = self.router(one) {
                router.cut(other, is_cut).await?;
            }
        }
        Ok(())
    }
}
