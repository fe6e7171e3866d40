//! State that all requests share: the store, the served resources, who may do what, and settings.
//!
//! [`Server`] is the lowest layer of request handling. Above it are [`Call`](crate::call::Call), the context of one
//! request; the handlers ([`crate::read`], [`crate::watch`], [`crate::write`]), which take a `Call`; and
//! [`crate::dispatch`], which picks the handler. Nothing here knows about those.
//!
//! To give handlers something new, add a field here, a setting to [`Config`](crate::Config), and fill the field in
//! [`ApiServer::start`](crate::ApiServer::start).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use portolan_net::Shutdown;
use portolan_net::clock::Clock;
use portolan_net::server::{DistrustedPeer, PeerIdentity};
use portolan_net::telemetry;
use portolan_object::Status;
use portolan_store::Store;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, CoreObjects};
use crate::admission::{Admission, BuiltinPlugin};
use crate::aggregator::Aggregator;
use crate::allocation::Services;
use crate::audit::Audit;
use crate::auth::{Authentication, Credentials, User};
use crate::compute::Compute;
use crate::configured::sources::Configured;
use crate::fairness::Fairness;
use crate::metrics::Metrics;
use crate::mounted::Mounted;
use crate::proxy::{Forwarder, Kubelets};
use crate::quota_locks::QuotaLocks;
use crate::record::Record;
use crate::resources::Registry;
use crate::websocket;

/// State shared by all requests.
pub(crate) struct Server {
    /// All objects.
    pub(crate) store: Store<Record>,
    /// The resources that are served.
    pub(crate) registry: Registry,
    /// RBAC rules in force.
    pub(crate) access: Access,
    /// Maps credentials to users.
    pub(crate) authentication: Authentication,
    /// Allocator of addresses and ports of Services; `None` without a service range.
    pub(crate) services: Option<Services>,
    /// Client for kubelet connections; `None` for a cluster without nodes.
    pub(crate) kubelets: Option<Kubelets>,
    /// Subresources that other API servers answer.
    pub(crate) forwarder: Option<Forwarder>,
    /// Group versions that other API servers answer.
    pub(crate) aggregator: Aggregator,
    /// Paths that the embedding program answers.
    pub(crate) mounted: Option<Arc<dyn Mounted>>,
    /// The authority of the server's certificate, PEM.
    pub(crate) root_ca: Option<String>,
    /// The audit log.
    pub(crate) audit: Option<Audit>,
    /// Admission plugins, in the order in which they are called.
    pub(crate) admission: Vec<Arc<dyn Admission>>,
    /// Built-in admission plugins that are turned off.
    pub(crate) disabled_admission: BTreeSet<BuiltinPlugin>,
    /// Admission that objects configure.
    pub(crate) configured: Configured,
    /// The clock that timestamps and ages are taken from.
    pub(crate) clock: Clock,
    /// `gitVersion` at `/version`.
    pub(crate) version: String,
    /// Order of the writes that use resource quotas.
    pub(crate) quotas: QuotaLocks,
    /// Threads for requests that compute long.
    pub(crate) compute: Compute,
    /// What each user has in flight.
    pub(crate) fairness: Fairness,
    /// Figures of requests and watches.
    pub(crate) metrics: Metrics,
    /// The metrics of the process, for `/metrics`; `None` answers 404.
    pub(crate) metrics_page: Option<telemetry::Metrics>,
    /// Scope of streams that outlive the request that opened them.
    pub(crate) scope: Shutdown,
    /// Cancelled when the server stops: ends watches, and `/readyz` fails.
    pub(crate) stopping: CancellationToken,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Server {
    /// Fetches the keys that verify a token of an OpenID Connect provider, if they are not known.
    pub(crate) async fn prepare_authentication(&self, authorization: Option<Vec<u8>>) {
        if let Some(authorization) = authorization {
            self.authentication.prepare(&authorization, self.clock.now()).await;
        }
    }

    /// The user of a request that came over the network.
    ///
    /// # Errors
    /// 401 when its credentials are not valid.
    pub(crate) fn authenticate<B>(&self, request: &Request<B>) -> Result<User, Status> {
        let identity = request.extensions().get::<PeerIdentity>();
        let in_protocol = websocket::bearer(request.headers());
        let credentials = Credentials {
            certificates: identity.and_then(|PeerIdentity(chain)| chain.as_deref()).unwrap_or_default(),
            is_certificate_distrusted: request.extensions().get::<DistrustedPeer>().is_some(),
            authorization: request
                .headers()
                .get(AUTHORIZATION)
                .map(HeaderValue::as_bytes)
                .or(in_protocol.as_deref()),
            path: request.uri().path(),
        };
        self.authentication.authenticate(credentials, &CoreObjects(&self.store), self.clock.now())
    }
}
