//! The connection to a webhook: HTTPS to a URL or to an endpoint of a Service, one request each. Time, size of the answer
//! and number of calls are bounded.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portolan_store::{Query, Store};
use rustls::{ClientConfig as TlsConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::types::{ClientConfig, ServiceReference};
use crate::record::Record;
use crate::tree;

/// Maximum size of an answer, in bytes: that of an object with room for a review around it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Where a webhook is, and the authorities that its certificate must be of.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    tls: Arc<TlsConfig>,
}

#[derive(Debug)]
enum Place {
    Url { host: String, port: u16, path: String },
    Service(ServiceReference),
}

impl Client {
    /// Reads a `clientConfig`.
    ///
    /// # Errors
    /// Why the webhook cannot be called.
    pub(super) fn new(config: &ClientConfig) -> Result<Self, String> {
        let place = match (&config.url, &config.service) {
            (Some(url), _) => {
                let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
                let host = uri.host().ok_or_else(|| format!("{url}: no host"))?;
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Place::Url { host, port: uri.port_u16().unwrap_or(443), path: uri.path().to_owned() }
            }
            (None, Some(service)) => Place::Service(service.clone()),
            (None, None) => return Err("clientConfig has neither url nor service".to_owned()),
        };
        let pem = STANDARD.decode(&config.ca_bundle).map_err(|error| format!("caBundle: {error}"))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| format!("caBundle: {error}"))?;
            roots.add(certificate).map_err(|error| format!("caBundle: {error}"))?;
        }
        if roots.is_empty() {
            return Err("caBundle has no certificate".to_owned());
        }
        let tls = TlsConfig::builder_with_provider(portolan_net::tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { place, tls: Arc::new(tls) })
    }

    /// The URL as errors name it.
    pub(super) fn url(&self) -> String {
        match &self.place {
            Place::Url { host, port, path } => format!("https://{host}:{port}{path}"),
            Place::Service(service) => {
                format!("https://{}:{}{}", server_name(service), port(service), slashed(&service.path))
            }
        }
    }

    /// Sends a review and returns the body of the answer. The caller sets a timeout; dropping the future ends the
    /// connection.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) async fn post(
        &self,
        store: &Store<Record>,
        seconds: u32,
        review: &Value,
    ) -> Result<Bytes, String> {
        let (host, dialed, port, path) = match &self.place {
            Place::Url { host, port, path } => (host.clone(), host.clone(), *port, path.clone()),
            Place::Service(service) => {
                let (address, port) = endpoint(store, service)?;
                (server_name(service), address, port, slashed(&service.path))
            }
        };
        let stream = match dialed.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect((address, port)).await,
            Err(_) => TcpStream::connect((dialed.as_str(), port)).await,
        };
        let stream = stream.map_err(|error| format!("dial tcp {dialed}:{port}: {error}"))?;
        let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("tls: {error}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::post(format!("{path}?timeout={seconds}s"))
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(review.to_string())))
            .map_err(text)?;
        let answer = sender.send_request(request).await.map_err(text)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(text)?.to_bytes();
        if !status.is_success() {
            return Err(format!("the server answered {status}"));
        }
        Ok(body)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn server_name(service: &ServiceReference) -> String {
    format!("{}.{}.svc", service.name, service.namespace)
}

fn port(service: &ServiceReference) -> u16 {
    service.port.unwrap_or(443)
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Address and port of an endpoint of a Service: this server is not behind the Service proxy of a node.
fn endpoint(store: &Store<Record>, reference: &ServiceReference) -> Result<(String, u16), String> {
    let ServiceReference { namespace, name, .. } = reference;
    let stored = store.get(&format!("core/services/{namespace}/{name}"));
    let service = stored.ok_or_else(|| format!("service {name:?} not found"))?.value.value();
    let wanted = port(reference);
    let ports = tree::list(&service, "/spec/ports");
    let found = ports.iter().find(|entry| tree::integer(entry, "/port") == Some(i64::from(wanted)));
    if tree::str_at(&service, "/spec/type") == "ExternalName" {
        return Ok((tree::str_at(&service, "/spec/externalName").to_owned(), wanted));
    }
    let found = found.ok_or_else(|| format!("no service port {wanted} found for service {name:?}"))?;
    let port_name = tree::str_at(found, "/name");
    let prefix = format!("discovery.k8s.io/endpointslices/{namespace}/");
    let page = store.range(&Query::prefix(prefix)).map_err(text)?;
    let slices = page.items.iter().map(|item| item.value.value());
    let mut own = slices.filter(|slice| {
        tree::map(slice, "/metadata/labels")
            .and_then(|labels| labels.get("kubernetes.io/service-name"))
            .is_some_and(|label| label == name)
    });
    let address = own.find_map(|slice| ready(&slice, port_name));
    address.ok_or_else(|| format!("no endpoints available for service {name:?}"))
}

/// The first endpoint of a slice that is ready, with the port of that name.
fn ready(slice: &Value, port_name: &str) -> Option<(String, u16)> {
    let mut ports = tree::list(slice, "/ports").iter();
    let port = ports.find(|port| tree::str_at(port, "/name") == port_name)?;
    let port = u16::try_from(tree::integer(port, "/port")?).ok()?;
    let is_ready =
        |endpoint: &&Value| tree::at(endpoint, "/conditions/ready").and_then(Value::as_bool) != Some(false);
    let endpoint = tree::list(slice, "/endpoints").iter().find(is_ready)?;
    Some((tree::strings_at(endpoint, "/addresses").next()?.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_ready_endpoint_is_called_at_the_port_of_that_name() {
        let slice = json!({ "ports": [{ "name": "metrics", "port": 1 }, { "name": "https", "port": 9443 }], "endpoints": [
            { "addresses": ["10.0.0.1"], "conditions": { "ready": false } }, { "addresses": ["10.0.0.2"] }] });
        assert_eq!(ready(&slice, "https"), Some(("10.0.0.2".to_owned(), 9443)));
        assert_eq!(ready(&slice, "absent"), None);
    }
}
