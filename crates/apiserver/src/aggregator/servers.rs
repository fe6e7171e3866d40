//! Where the server of an APIService is, and the headers that name the user there.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portolan_object::Status;
use portolan_store::Store;

use super::remote::Routes;
use crate::auth::User;
use crate::proxy::{Backend, Backends, Locating, tcp};
use crate::record::Record;
use crate::service_endpoint;

/// Bytes that a key of `extra` cannot have in the name of a header: all but letters, digits and these.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The servers of the routes.
pub(super) struct Servers {
    pub(super) store: Store<Record>,
    pub(super) routes: Arc<ArcSwap<Routes>>,
}

impl Backends for Servers {
    /// No subresource: whole group versions are forwarded.
    fn answers(&self, _: &str, _: &str, _: &str) -> bool {
        false
    }

    fn locate<'a>(&'a self, name: &'a str, user: &'a User) -> Locating<'a> {
        Box::pin(async move { self.backend(name, user) })
    }
}

impl Servers {
    fn backend(&self, name: &str, user: &User) -> Result<Backend, Status> {
        let unavailable =
            |cause: String| Status::new(503, "ServiceUnavailable", format!("service unavailable: {cause}"));
        let remote = self.routes.load().get(name).cloned();
        let remote = remote.ok_or_else(|| unavailable(format!("the APIService {name} is gone")))?;
        let tls = remote.tls.clone().map_err(unavailable)?;
        let (namespace, service) = &remote.service;
        let found = service_endpoint::find(&self.store, namespace, service, remote.port);
        let (address, port) = found.map_err(|error| unavailable(error.to_string()))?;
        let dial = move || {
            let address = address.clone();
            let connected = async move { tcp(&address, port).await };
            Box::pin(connected) as crate::proxy::Dialing<'static>
        };
        Ok(Backend {
            host: remote.host(),
            port: remote.port,
            prefix: String::new(),
            tls: Some(tls),
            identity: identity(user)?,
            dialer: Some(Arc::new(dial)),
        })
    }
}

/// The headers that name the user (kubernetes staging/src/k8s.io/client-go/transport/round_trippers.go
/// `SetAuthProxyHeaders`).
pub(super) fn identity(user: &User) -> Result<HeaderMap, Status> {
    let malformed = || Status::bad_request("the name of the user cannot be sent in a header");
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).map_err(|_| malformed());
    let mut headers = HeaderMap::new();
    headers.append("x-remote-user", value(&user.name)?);
    if !user.uid.is_empty() {
        headers.append("x-remote-uid", value(&user.uid)?);
    }
    for group in &user.groups {
        headers.append("x-remote-group", value(group)?);
    }
    for (key, values) in &user.extra {
        let name = format!("x-remote-extra-{}", utf8_percent_encode(key, &ESCAPED)).to_ascii_lowercase();
        let name = HeaderName::try_from(name).map_err(|_| malformed())?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    Ok(headers)
}
