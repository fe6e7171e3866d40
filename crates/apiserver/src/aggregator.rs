//! Aggregation: group versions that other API servers answer. Their APIServices name a Service and have the annotation
//! `portolan.dev/run-here`; without it, an APIService is only stored here, for the clusters that it is propagated to.
//!
//! A request is authorized here and forwarded with the identity of its user in headers, over a connection with a
//! certificate of an authority of its own ([`FrontProxy`]). Such servers find that authority in the ConfigMap
//! `kube-system/extension-apiserver-authentication`. A probe asks each server for its resources: they are merged into
//! discovery, and the condition `Available` says what it found.
//!
//! ```text
//! APIServices, Services, EndpointSlices ─► probe ─┬► routes ─► dispatch ─► forwarder ─► server
//!                                                 ├► registry (discovery)
//!                                                 └► condition Available
//! ```

mod front_proxy;
pub(crate) mod probe;
mod remote;
mod resources;
mod schedule;
mod servers;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Request, Response};
use portolan_net::Shutdown;
use portolan_object::Status;
use portolan_store::Store;

use crate::auth::User;
use crate::proxy::Forwarder;
use crate::record::Record;
use crate::respond::Body;

pub(crate) use front_proxy::{AUTHENTICATION, FrontProxy, authentication_config, authentication_reader};
pub(crate) use remote::{Remote, Routes};

/// The group versions that other servers answer.
pub(crate) struct Aggregator {
    pub(crate) front_proxy: Arc<FrontProxy>,
    routes: Arc<ArcSwap<Routes>>,
    forwarder: Forwarder,
}

impl fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("routes", &self.routes.load().len()).finish_non_exhaustive()
    }
}

impl Aggregator {
    /// Connects to the Services in `store`; streams end with `scope`.
    pub(crate) fn new(front_proxy: FrontProxy, store: Store<Record>, scope: &Shutdown) -> Self {
        let (front_proxy, routes) = (Arc::new(front_proxy), Arc::<ArcSwap<Routes>>::default());
        let servers = servers::Servers { store, routes: Arc::clone(&routes) };
        Self { front_proxy, routes, forwarder: Forwarder::new(Arc::new(servers), scope) }
    }

    /// The server that answers a path, if another one does: that of the group version in it.
    pub(crate) fn find(&self, path: &str) -> Option<Arc<Remote>> {
        let routes = self.routes.load();
        if routes.is_empty() {
            return None;
        }
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match [segments.next(), segments.next(), segments.next()] {
            [Some("apis"), Some(group), Some(version)] => routes.get(&format!("{version}.{group}")).cloned(),
            _ => None,
        }
    }

    /// Forwards a request to a server that is available.
    ///
    /// # Errors
    /// 503 when it is not available or cannot be reached, 429 when too many requests are forwarded.
    pub(crate) async fn forward(
        &self,
        remote: &Remote,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        if let Some(cause) = remote.problem() {
            let text =
                format!("service unavailable: the APIService {} is not available: {cause}", remote.name);
            return Err(Status::new(503, "ServiceUnavailable", text));
        }
        self.ask(remote, user, request).await
    }

    /// Forwards a request whether the server is known to be available or not.
    async fn ask(
        &self,
        remote: &Remote,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        self.forwarder.forward(&remote.name, &path, user, request).await
    }
}
