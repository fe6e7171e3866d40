//! A connection to one estimator: unary calls of gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
//!
//! Three calls without streams need no gRPC framework: a request is one framed message, and the answer one framed message
//! and a status.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Uri};
use prost::Message;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// Largest answer, in bytes. The messages are a few bytes long.
const MAX_ANSWER: usize = 64 << 10;
/// Bytes before each message: a flag for compression, and the length.
const FRAME_HEAD: usize = 5;
/// Path of the service (karmada pkg/estimator/service/service.proto).
const SERVICE: &str = "/github.com.karmada_io.karmada.pkg.estimator.service.Estimator";

/// A call of an estimator failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// No connection, or it broke.
    #[error("{address} cannot be reached: {source}; check the Service and the port of the estimator")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The estimator answered with an error.
    #[error("{address} refuses the call: gRPC status {status}: {message}")]
    Refused {
        /// Host and port.
        address: String,
        /// The number of the gRPC status.
        status: String,
        /// Its text.
        message: String,
    },
    /// The answer is not a message of the protocol.
    #[error("{address} does not answer as an estimator: {problem}")]
    Malformed {
        /// Host and port.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// No answer in time.
    #[error("{address} does not answer within {timeout:?}")]
    Timeout {
        /// Host and port.
        address: String,
        /// The time that it had.
        timeout: Duration,
    },
}

/// An estimator. The connection is opened with the first call, and again after it broke.
pub(super) struct Channel {
    /// Hosts and ports, the first to be tried first.
    targets: Vec<(String, u16)>,
    tls: Option<TlsConnector>,
    sender: Mutex<Option<SendRequest<Bytes>>>,
}

impl Channel {
    pub(super) fn new(targets: Vec<(String, u16)>, tls: Option<Arc<rustls::ClientConfig>>) -> Self {
        Self { targets, tls: tls.map(TlsConnector::from), sender: Mutex::default() }
    }

    fn address(&self) -> String {
        self.targets.first().map(|(host, port)| format!("{host}:{port}")).unwrap_or_default()
    }

    /// Calls a method of the service.
    pub(super) async fn call<Answer: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let address = self.address();
        let answer = tokio::time::timeout(timeout, self.call_once(method, request)).await;
        let answer = answer.unwrap_or_else(|_| Err(CallError::Timeout { address, timeout }));
        if matches!(answer, Err(CallError::Unreachable { .. } | CallError::Timeout { .. })) {
            // The next call opens another connection.
            *self.sender.lock().await = None;
        }
        answer
    }

    async fn call_once<Answer: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<Answer, CallError> {
        let unreachable = |error: h2::Error| CallError::Unreachable {
            address: self.address(),
            source: io::Error::other(error),
        };
        let mut sender = self.sender().await?.ready().await.map_err(unreachable)?;
        let head = self.head(method)?;
        let (response, mut body) = sender.send_request(head, false).map_err(unreachable)?;
        body.send_data(framed(request), true).map_err(unreachable)?;
        let response = response.await.map_err(unreachable)?;
        let (head, mut body) = response.into_parts();
        let mut received = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(unreachable)?;
            // Fails only if more is released than was received.
            let _ = body.flow_control().release_capacity(data.len());
            if received.len() + data.len() > MAX_ANSWER {
                return Err(self.malformed("the answer is too long"));
            }
            received.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.map_err(unreachable)?;
        // An answer without a message has its status in the head.
        self.check_status(trailers.as_ref().unwrap_or(&head.headers))?;
        self.unframed(received.freeze())
    }

    /// The open connection, or a new one.
    async fn sender(&self) -> Result<SendRequest<Bytes>, CallError> {
        let mut sender = self.sender.lock().await;
        if let Some(open) = &*sender {
            return Ok(open.clone());
        }
        let opened = self.open().await;
        let opened = opened.map_err(|source| CallError::Unreachable { address: self.address(), source })?;
        *sender = Some(opened.clone());
        Ok(opened)
    }

    async fn open(&self) -> io::Result<SendRequest<Bytes>> {
        let mut failure = io::Error::other("it has no address");
        for (host, port) in &self.targets {
            match self.open_target(host, *port).await {
                Ok(sender) => return Ok(sender),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn open_target(&self, host: &str, port: u16) -> io::Result<SendRequest<Bytes>> {
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return handshake(tcp).await };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        handshake(tls.connect(name, tcp).await?).await
    }

    fn head(&self, method: &str) -> Result<Request<()>, CallError> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(self.address());
        let uri = uri.path_and_query(format!("{SERVICE}/{method}")).build();
        let uri = uri.map_err(|error| self.malformed(&error.to_string()))?;
        let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
        request.body(()).map_err(|error| self.malformed(&error.to_string()))
    }

    fn check_status(&self, trailers: &HeaderMap) -> Result<(), CallError> {
        let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match text("grpc-status") {
            "0" => Ok(()),
            "" => Err(self.malformed("no gRPC status")),
            status => Err(CallError::Refused {
                address: self.address(),
                status: status.to_owned(),
                message: text("grpc-message").to_owned(),
            }),
        }
    }

    fn unframed<Answer: Message + Default>(&self, mut frame: Bytes) -> Result<Answer, CallError> {
        if frame.len() < FRAME_HEAD {
            return Err(self.malformed("no message"));
        }
        if frame.get_u8() != 0 {
            return Err(self.malformed("the message is compressed"));
        }
        let length = usize::try_from(frame.get_u32()).unwrap_or(usize::MAX);
        if frame.len() != length {
            return Err(self.malformed("a message with a wrong length"));
        }
        Answer::decode(frame).map_err(|error| self.malformed(&error.to_string()))
    }

    fn malformed(&self, problem: &str) -> CallError {
        CallError::Malformed { address: self.address(), problem: problem.to_owned() }
    }
}

/// Starts HTTP/2, and a task that drives the connection until it ends.
async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> io::Result<SendRequest<Bytes>> {
    let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to an estimator broke");
        }
    });
    Ok(sender)
}

/// A message with its head.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // A BytesMut grows, so that encoding does not run out of room.
    let _ = message.encode(&mut frame);
    frame.freeze()
}
