//! The probes of an agent: connects to the endpoints that its cluster imports, sends an HTTP request where a TrafficPolicy asks for
//! it, and writes what it sees into its Lease.
//!
//! `portolan_plan::discovery::probing` chooses the endpoints and judges the answers.
//!
//! ```text
//! imported EndpointSlices ─► targets ─► connections ─► history of each exporter ─► Lease of the agent ─► control plane
//! ```
//!
//! Bounded: at most [`PROBES_PER_ROUND`] connections in a round, each closed after [`CONNECT_TIMEOUT`], or twice that with an HTTP
//! request. Of an answer, only the first line is read.

mod abandoned;
mod lease;
mod send;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use portolan_api::probes::{ProbeReport, Sight};
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Client};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

pub use lease::LeaseName;
use lease::LeaseWriter;
use watch::Watch;

/// Time between two rounds of probes.
const INTERVAL: Duration = Duration::from_millis(500);
/// The same after every endpoint of a cluster has refused.
const SHORT_INTERVAL: Duration = Duration::from_millis(200);
/// Time for a connection, in which two requests for it are sent, and for the answer to an HTTP request.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);
/// Connections in one round, over all exporting clusters.
const PROBES_PER_ROUND: usize = 150;
/// Connections to one exporting cluster in one round.
const PROBES_PER_SOURCE: usize = 3;

/// Opens a connection from inside the cluster.
pub type Connect = Arc<dyn Fn(SocketAddr) -> BoxFuture<'static, io::Result<BoxedStream>> + Send + Sync>;

/// A connection to an endpoint.
pub type BoxedStream = Box<dyn Stream>;

/// Both directions of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects from this process.
pub fn connect_directly() -> Connect {
    Arc::new(|to| {
        Box::pin(async move { Ok(Box::new(tokio::net::TcpStream::connect(to).await?) as BoxedStream) })
    })
}

/// What the agent sees; clones share state.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    report: Arc<Mutex<ProbeReport>>,
    changed: Arc<Notify>,
}

impl Probes {
    /// Starts to probe the endpoints of `slices`, with [`Connect`], and to write the Lease.
    pub fn start(
        client: &Client,
        slices: &Cache<Object>,
        connect: Connect,
        name: LeaseName,
        clock: &Clock,
        scope: &Shutdown,
    ) -> Self {
        let probes = Self::default();
        let watch = Watch::new(slices, connect, probes.clone(), clock);
        spawn_until_stop(scope, watch.run());
        let removal = abandoned::remove_regularly(client.clone(), name.namespace.clone(), clock.clone());
        spawn_until_stop(scope, removal);
        let writer = LeaseWriter::new(client, name, probes.clone(), clock);
        spawn_until_stop(scope, writer.run());
        probes
    }

    /// The present report.
    pub fn report(&self) -> ProbeReport {
        self.report.lock().clone()
    }

    /// Replaces the report, and wakes the writer if a cluster or a service is seen in another way than before.
    fn set(&self, report: ProbeReport) {
        let before = std::mem::replace(&mut *self.report.lock(), report.clone());
        if Seen::of(&before) != Seen::of(&report) {
            self.changed.notify_one();
        }
    }
}

/// What the control plane acts on.
#[derive(PartialEq)]
struct Seen<'a> {
    /// By cluster.
    sights: BTreeMap<&'a str, Sight>,
    /// Cluster, namespace and name of services with failing endpoints.
    failing: BTreeSet<[&'a str; 3]>,
}

impl<'a> Seen<'a> {
    fn of(report: &'a ProbeReport) -> Self {
        let sights = report.sources.iter().map(|source| (source.cluster.as_str(), source.sight)).collect();
        let failing = report.sources.iter().flat_map(|source| {
            let failing = source.services.iter().filter(|service| service.is_failing);
            failing.map(|service| [&*source.cluster, &*service.namespace, &*service.name])
        });
        Self { sights, failing: failing.collect() }
    }
}
