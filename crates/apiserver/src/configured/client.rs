//! The connection to a webhook: HTTPS to a URL or to an endpoint of a Service, one request each. Time, size of the answer
//! and number of calls are bounded.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portolan_store::Store;
use rustls::ClientConfig as TlsConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::types::{ClientConfig, ServiceReference};
use crate::ca_bundle;
use crate::record::Record;
use crate::service_endpoint;

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
        let tls = TlsConfig::builder_with_provider(portolan_net::tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(ca_bundle::roots(&config.ca_bundle)?)
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
                let (namespace, name) = (&service.namespace, &service.name);
                let found = service_endpoint::find(store, namespace, name, port(service));
                let (address, port) = found.map_err(text)?;
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
