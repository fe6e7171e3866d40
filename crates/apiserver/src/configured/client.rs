//! The connection to a webhook: HTTPS to a URL or to an endpoint of a Service, one request each. Time, size of the answer
//! and number of calls are bounded.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::Full;
use portolan_store::Store;
use serde_json::Value;

use super::types::{ClientConfig, ServiceReference};
use crate::ca_bundle;
use crate::https::HttpsClient;
use crate::record::Record;
use crate::service_endpoint;

/// Maximum size of an answer, in bytes: that of an object with room for a review around it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Where a webhook is, and the authorities that its certificate must be of.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    https: HttpsClient,
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
        let https = HttpsClient::trusting(ca_bundle::roots(&config.ca_bundle)?).map_err(text)?;
        Ok(Self { place, https })
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
        let request = Request::post(format!("{path}?timeout={seconds}s"))
            .header(HOST, &host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(review.to_string())))
            .map_err(text)?;
        self.https.send((&dialed, port), &host, request, MAX_ANSWER).await.map_err(text)
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
