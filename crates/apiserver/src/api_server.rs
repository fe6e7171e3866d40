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
use crate::quotas::{self, Quotas};
use crate::record::Record;
use crate::resources::Registry;
use crate::server::Server;
use crate::service::{LocalService, RemoteService};
use crate::{account_secrets, aggregation, aggregator, cluster_info, event_expiry};

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
