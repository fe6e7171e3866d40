//! Requests over HTTP/1.1, with TLS when the URL says so. One connection for each request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::ProviderError;

/// Most octets of an answer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One HTTP server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Scheme, host and port, without a path.
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    /// For `https` URLs.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Server {
    /// Posts JSON and returns the status and the JSON of the answer; `Null` if it is not JSON.
    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<(StatusCode, Value), ProviderError> {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let (status, content) = self.send(request.body(body.to_string())).await?;
        Ok((status, json(&content)))
    }

    /// Sends a request, of which the URI has only a path and a query. Returns the status and the content of the answer.
    pub(crate) async fn send(
        &self,
        request: hyper::http::Result<Request<String>>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        let exchange = async { self.exchange(request.map_err(io::Error::other)?).await };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(ProviderError::Unreachable { server: self.url.clone(), reason: error.to_string() })
            }
            Err(_) => Err(ProviderError::Timeout { server: self.url.clone(), after: self.timeout }),
        }
    }

    async fn exchange(&self, request: Request<String>) -> io::Result<(StatusCode, Bytes)> {
        let (mut head, body) = request.into_parts();
        let uri: Uri =
            format!("{}{}", self.url.trim_end_matches('/'), head.uri).parse().map_err(io::Error::other)?;
        let stream = self.connect(&uri).await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
        let host = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        head.headers.insert(header::HOST, HeaderValue::from_str(host).map_err(io::Error::other)?);
        head.uri = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        let request = Request::from_parts(head, Full::new(Bytes::from(body)));
        let answered = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let bytes = body.map_err(io::Error::other)?.to_bytes();
            Ok((status, bytes))
        };
        // The connection ends with this future: nothing is left running.
        tokio::select! {
            biased;
            answer = answered => answer,
            ended = connection => {
                ended.map_err(io::Error::other)?;
                Err(io::Error::other("the server closed the connection"))
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> io::Result<Box<dyn Stream>> {
        let host = uri.host().ok_or_else(|| io::Error::other("the URL has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tcp = TcpStream::connect((bare.as_str(), port)).await?;
        let _ = tcp.set_nodelay(true);
        if !is_tls {
            return Ok(Box::new(tcp));
        }
        let tls = self
            .tls
            .clone()
            .ok_or_else(|| io::Error::other("the URL is https, but no CA is given or installed"))?;
        let name = ServerName::try_from(bare).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(tls).connect(name, tcp).await?))
    }
}

/// The JSON of an answer; `Null` if it is not JSON.
pub(crate) fn json(content: &[u8]) -> Value {
    serde_json::from_slice(content).unwrap_or(Value::Null)
}
