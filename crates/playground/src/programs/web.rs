//! HTTP/1.1 for programs: a server on a port of the pod, and a client.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portolan_net::accept::{self, AcceptOptions};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::network::{Connection, DialError, Interface, ListenError, Listener};

/// Connections that a program serves at a time; more wait in the kernel.
const MAX_CONNECTIONS: usize = 256;
/// Size limit of a fetched page.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// Response of a handler.
pub(crate) type Answer = Response<Full<Bytes>>;

/// A plain text response.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer
}

/// Serves `port` until `stopping`, then finishes the responses in progress.
///
/// # Errors
/// When the port cannot be listened on.
pub(crate) async fn serve<H>(
    network: &Interface,
    port: u16,
    stopping: &CancellationToken,
    handler: H,
) -> Result<(), ListenError>
where
    H: Fn(&Parts) -> Answer + Clone + Send + 'static,
{
    let listener = network.listen(port).await?;
    let network = network.clone();
    serve_connections(listener, stopping, move |stream, stopping| {
        let (handler, network) = (handler.clone(), network.clone());
        async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = handler(&request.into_parts().0);
                network.note_answer();
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            // Ignore disconnect errors.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        }
    })
    .await;
    Ok(())
}

/// Runs `handler` for every connection of a listener until `stopping`, then waits for the handlers.
pub(crate) async fn serve_connections<S, F>(listener: Listener, stopping: &CancellationToken, handler: S)
where
    S: Fn(TcpStream, CancellationToken) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let options = AcceptOptions { listener: "program of a pod", max_connections: MAX_CONNECTIONS };
    accept::serve(listener, options, stopping.cancelled(), |stream| handler(stream, stopping.clone())).await;
}

/// A fetched page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why a page was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0:?} is not an http address")]
    NotHttp(String),
    #[error("lookup {0}: no such host")]
    NoSuchHost(String),
    #[error("dial tcp {to}: connect: {source}")]
    Dial { to: SocketAddr, source: DialError },
    #[error("no answer in time")]
    TimedOut,
    #[error("{0}")]
    Broken(#[source] hyper::Error),
    #[error("the page is longer than {MAX_PAGE_BYTES} bytes, or incomplete")]
    Body,
}

/// Fetches `http://host[:port]/path`, without following redirects.
pub(crate) async fn fetch(
    network: &Interface,
    address: &str,
    headers: &[(header::HeaderName, &str)],
    connect: Duration,
    total: Duration,
) -> Result<Page, FetchError> {
    let (to, request) = request(network, address, headers).await?;
    let exchange = async {
        let dialled = network.dial(to, connect).await;
        let connection = dialled.map_err(|source| FetchError::Dial { to, source })?;
        exchange(connection, request).await
    };
    timeout(total, exchange).await.map_err(|_| FetchError::TimedOut)?
}

async fn request(
    network: &Interface,
    address: &str,
    headers: &[(header::HeaderName, &str)],
) -> Result<(SocketAddr, Request<Empty<Bytes>>), FetchError> {
    let wrong = || FetchError::NotHttp(address.to_owned());
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
    let host = authority.host();
    let found = network.resolve(host.trim_start_matches('[').trim_end_matches(']')).await;
    let found = found.ok_or_else(|| FetchError::NoSuchHost(host.to_owned()))?;
    let to = SocketAddr::new(found, authority.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .uri(path)
        .header(header::HOST, authority.as_str())
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    Ok((to, request.body(Empty::new()).map_err(|_| wrong())?))
}

async fn exchange(connection: Connection, request: Request<Empty<Bytes>>) -> Result<Page, FetchError> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
    let (mut sender, driver) = handshake.map_err(FetchError::Broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(FetchError::Broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_PAGE_BYTES).collect().await.map_err(|_| FetchError::Body)?;
        Ok(Page { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    tokio::pin!(answer);
    tokio::select! {
        page = answer.as_mut() => page,
        // The driver ends with the connection; the response may already be buffered.
        _ = driver => answer.await,
    }
}
