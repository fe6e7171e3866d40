//! Opens connections to the server of a client.
//!
//! The server chooses the protocol of a connection in the TLS handshake (ALPN).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use portolan_net::dial;
use portolan_net::tunnel::TunnelStream;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// Makes the connection below TLS in another way than over TCP to the address.
pub type Dialer = Arc<dyn Fn() -> BoxFuture<'static, io::Result<TunnelStream>> + Send + Sync>;

/// Address and TLS settings of the server.
pub(super) struct Target {
    host: String,
    port: u16,
    tls: Option<Tls>,
    dialer: Option<Dialer>,
}

struct Tls {
    /// Offers HTTP/2 and HTTP/1.1.
    http_2: TlsConnector,
    /// Offers HTTP/1.1 only.
    http_1: TlsConnector,
    name: ServerName<'static>,
}

impl Target {
    /// `tls`: trust and credential, and the name that the server's certificate must have.
    pub(super) fn new(host: String, port: u16, tls: Option<(ClientConfig, ServerName<'static>)>) -> Self {
        let connector = |config: &ClientConfig, protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        let tls = tls.map(|(config, name)| Tls {
            http_2: connector(&config, &[HTTP_2, HTTP_1]),
            http_1: connector(&config, &[HTTP_1]),
            name,
        });
        Self { host, port, tls, dialer: None }
    }

    /// The same target, which `dialer` connects.
    pub(super) fn through(mut self, dialer: Option<Dialer>) -> Self {
        self.dialer = dialer;
        self
    }

    /// Whether a handshake can offer HTTP/2.
    pub(super) fn may_speak_http_2(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens a connection and offers HTTP/2.
    pub(super) async fn dial(&self) -> io::Result<Stream> {
        self.connect(|tls| &tls.http_2).await
    }

    /// Opens a connection for HTTP/1.1.
    pub(super) async fn dial_http_1(&self) -> io::Result<Stream> {
        self.connect(|tls| &tls.http_1).await
    }

    async fn connect(&self, connector: impl Fn(&Tls) -> &TlsConnector) -> io::Result<Stream> {
        let connecting = async {
            let plain = match &self.dialer {
                Some(dialer) => Plain::Right(dialer().await?),
                None => Plain::Left(dial::connect(&self.host, self.port).await?),
            };
            match &self.tls {
                Some(tls) => {
                    let stream = connector(tls).connect(tls.name.clone(), plain).await?;
                    Ok(Stream::Tls(Box::new(stream)))
                }
                None => Ok(Stream::Plain(plain)),
            }
        };
        let timed_out =
            || io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {CONNECT_TIMEOUT:?}"));
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

/// A connection below TLS: to the address, or through a tunnel.
pub(super) type Plain = Either<TcpStream, TunnelStream>;

/// An open connection. A type of our own, because hyper-util asks for a trait of its own.
pub(super) enum Stream {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

impl Stream {
    /// Whether the server chose HTTP/2.
    pub(super) fn is_http_2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_write(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_write_vectored(context, buffers),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(context, buffers),
        }
    }

    /// Vectored, so that head and body of a frame leave in one TLS record.
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
