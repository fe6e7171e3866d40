//! A tunnel: one connection that a process behind a firewall has opened, over which the other side opens connections.
//!
//! The side that accepted the connection is the HTTP/2 client on it. Each `CONNECT` request is one connection, which the side
//! that dialled makes to its one target. Bytes are passed on as they come; both ends of the inner connection authenticate
//! each other as without a tunnel.
//!
//! ```text
//! Tunnels::dial ─► CONNECT ─► (connection of the agent) ─► serve ─► TCP to the target
//! ```

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;

/// A tunnel that is half open is noticed after at most the sum of these two.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_secs(4);
/// Receive windows in bytes, as of the connections inside.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Connections in one tunnel at the same time.
const MAX_STREAMS: u32 = 2048;
/// Time for a connection to the target.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Copy buffer in each direction, in bytes.
const BUFFER: usize = 64 << 10;

/// A connection in a tunnel.
pub type TunnelStream = TokioIo<Upgraded>;

type Sender = SendRequest<Empty<Bytes>>;

/// The tunnels that are open, by the name of who opened them. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Tunnels {
    open: Arc<Mutex<HashMap<String, (u64, Sender)>>>,
    counter: Arc<AtomicU64>,
}

impl Tunnels {
    /// Uses `stream`, which `name` has opened, for the connections to it, until the stream ends. A later tunnel of the same
    /// name replaces it.
    ///
    /// # Errors
    /// When the other side does not speak HTTP/2.
    pub async fn accept<S>(&self, name: &str, stream: S) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(stream))
            .await?;
        let id = self.counter.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(name.to_owned(), (id, sender));
        tracing::info!(name, "tunnel is open");
        let ended = connection.await;
        let mut open = self.open.lock();
        if open.get(name).is_some_and(|(present, _)| *present == id) {
            open.remove(name);
            tracing::info!(name, "tunnel has ended");
        }
        ended
    }

    /// Whether `name` has a tunnel.
    pub fn has(&self, name: &str) -> bool {
        self.open.lock().contains_key(name)
    }

    /// Opens a connection through the tunnel of `name`.
    ///
    /// # Errors
    /// When there is no tunnel, or its other side does not reach the target.
    pub async fn dial(&self, name: &str) -> io::Result<TunnelStream> {
        let sender = self.open.lock().get(name).map(|(_, sender)| sender.clone());
        let missing = || {
            let text = format!(
                "the agent of cluster {name} has no connection to the control plane: check that `portolan agent --pull` \
                 runs there"
            );
            io::Error::new(io::ErrorKind::NotConnected, text)
        };
        let mut sender = sender.ok_or_else(missing)?;
        let request = Request::builder().method(Method::CONNECT).uri("target:1").body(Empty::new());
        let request = request.map_err(io::Error::other)?;
        sender.ready().await.map_err(|_| missing())?;
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            let text = format!("the agent of cluster {name} cannot reach the API server of its cluster");
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, text));
        }
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(io::Error::other)
    }
}

/// Serves a tunnel over `stream`: makes each connection that the other side opens, to `host` and `port`, until the stream
/// ends.
///
/// # Errors
/// When the stream breaks.
pub async fn serve<S>(stream: S, host: &str, port: u16) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let host: Arc<str> = host.into();
    let service = service_fn(move |request| connect(request, host.clone(), port));
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// Answers one request of the other side.
async fn connect(
    request: Request<Incoming>,
    host: Arc<str>,
    port: u16,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let answer = |code: StatusCode| {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = code;
        Ok(response)
    };
    if request.method() != Method::CONNECT {
        return answer(StatusCode::METHOD_NOT_ALLOWED);
    }
    let target = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((&*host, port))).await;
    let Ok(Ok(mut target)) = target else {
        tracing::warn!(%host, port, "the target of the tunnel does not accept a connection");
        return answer(StatusCode::BAD_GATEWAY);
    };
    if let Err(error) = target.set_nodelay(true) {
        tracing::debug!(%error, "a connection in the tunnel collects small writes");
    }
    // The task ends with either side.
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let mut upgraded = TokioIo::new(upgraded);
        if let Err(error) = copy_bidirectional_with_sizes(&mut upgraded, &mut target, BUFFER, BUFFER).await {
            tracing::debug!(%error, "a connection in the tunnel broke");
        }
    });
    answer(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_go_through_the_tunnel_until_it_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut text = [0; 4];
                    stream.read_exact(&mut text).await.unwrap();
                    stream.write_all(&text).await.unwrap();
                });
            }
        });
        let (near, far) = tokio::io::duplex(1 << 16);
        let tunnels = Tunnels::default();
        let error = tunnels.dial("eu").await.unwrap_err();
        assert!(error.to_string().contains("portolan agent --pull"), "{error}");

        let serving = tokio::spawn(async move { serve(far, "127.0.0.1", port).await });
        let accepting = tunnels.clone();
        let accepted = tokio::spawn(async move { accepting.accept("eu", near).await });
        while !tunnels.has("eu") {
            tokio::task::yield_now().await;
        }
        for word in [b"ping", b"pong"] {
            let mut stream = tunnels.dial("eu").await.unwrap();
            stream.write_all(word).await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, word);
        }
        serving.abort();
        let _ended = accepted.await.unwrap();
        assert!(!tunnels.has("eu"));
        assert!(tunnels.dial("eu").await.is_err());
    }

    #[tokio::test]
    async fn a_target_that_does_not_answer_is_an_error_of_the_connection_only() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let (near, far) = tokio::io::duplex(1 << 16);
        let tunnels = Tunnels::default();
        tokio::spawn(async move { serve(far, "127.0.0.1", port).await });
        let accepting = tunnels.clone();
        tokio::spawn(async move { accepting.accept("eu", near).await });
        while !tunnels.has("eu") {
            tokio::task::yield_now().await;
        }
        let error = tunnels.dial("eu").await.unwrap_err();
        assert!(error.to_string().contains("cannot reach the API server"), "{error}");
        assert!(tunnels.has("eu"));
    }
}
