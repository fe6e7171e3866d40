//! Connections to other servers: over TCP, and with TLS. Those to kubelets have mutual TLS.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use portolan_net::pki::Identity;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A byte stream to the port of a kubelet.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Future of a connection.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send + 'a>>;

/// Opens connections to nodes. Clusters without a real node network have their own implementation.
pub trait KubeletDialer: Send + Sync + 'static {
    /// Connects to the port of a kubelet, without TLS. The caller sets a timeout.
    fn dial<'a>(&'a self, address: &'a KubeletAddress) -> Dialing<'a>;
}

/// Where a kubelet listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletAddress {
    /// Name of the node.
    pub node: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl KubeletAddress {
    /// `host:port`, with brackets where the host needs them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the address is valid in a URL and as a TLS server name.
    pub(super) fn is_valid(&self) -> bool {
        self.port != 0 && server_name(&self.host).is_ok()
    }
}

/// The name that the certificate of a host must have.
fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let problem = |_| io::Error::new(io::ErrorKind::InvalidInput, "the host is not a valid host name");
    ServerName::try_from(host.to_owned()).map_err(problem)
}

/// Connects over the network of this machine.
pub(crate) async fn tcp(host: &str, port: u16) -> io::Result<Box<dyn Connection>> {
    let stream = match host.parse::<IpAddr>() {
        Ok(address) => TcpStream::connect((address, port)).await?,
        Err(_) => TcpStream::connect((host, port)).await?,
    };
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Begins TLS on a connection to `host`.
pub(super) async fn secure(
    plain: Box<dyn Connection>,
    host: &str,
    tls: &Arc<ClientConfig>,
) -> io::Result<TlsStream<Box<dyn Connection>>> {
    TlsConnector::from(Arc::clone(tls)).connect(server_name(host)?, plain).await
}

/// Dials nodes over the network of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectDialer;

impl KubeletDialer for DirectDialer {
    fn dial<'a>(&'a self, address: &'a KubeletAddress) -> Dialing<'a> {
        Box::pin(tcp(&address.host, address.port))
    }
}

/// TLS settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate of an authority is invalid.
    #[error("an authority of kubelets cannot be used")]
    Authority(#[source] rustls::Error),
    /// The client certificate does not fit its key.
    #[error("the client certificate for kubelets cannot be used")]
    Identity(#[source] rustls::Error),
    /// The protocol versions are not available.
    #[error("no TLS version is available")]
    Versions(#[source] rustls::Error),
}

/// TLS settings for kubelets: trusts certificates of the authorities, and authenticates with `identity`.
///
/// # Errors
/// When a certificate is invalid.
pub fn client_config(
    authorities: &[CertificateDer<'static>],
    identity: &Identity,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(TlsError::Authority)?;
    }
    let builder = ClientConfig::builder_with_provider(portolan_net::tls::provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Versions)?;
    let config = builder
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.chain().to_vec(), identity.key().clone_key())
        .map_err(TlsError::Identity)?;
    Ok(Arc::new(config))
}

/// A secured connection to a kubelet.
pub(super) async fn connect(
    dialer: &dyn KubeletDialer,
    tls: &Arc<ClientConfig>,
    address: &KubeletAddress,
) -> io::Result<TlsStream<Box<dyn Connection>>> {
    let plain = dialer.dial(address).await?;
    secure(plain, &address.host, tls).await
}
