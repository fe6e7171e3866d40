//! Opens the connection of a tunnel to a control plane: an HTTP/1.1 request that is upgraded.
//!
//! `portolan_net::tunnel` is what runs on it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use portolan_api::cluster::Cluster;
use portolan_net::dial;
use portolan_object::ObjectKey;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::client::{Address, BoxError, Endpoint, http_1_config};
use crate::resource::Resource;

/// The protocol to which the request is upgraded.
pub const PROTOCOL: &str = "portolan-tunnel";

/// Time for the connection and the answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Asks the control plane at `hub` to use a connection as the tunnel of `cluster`.
///
/// # Errors
/// When it cannot be reached or does not accept the tunnel; the text has its answer.
pub async fn open(hub: &Endpoint, cluster: &str) -> Result<TokioIo<Upgraded>, BoxError> {
    let opening = async {
        let address = Address::parse(&hub.url)?;
        let tcp = dial::connect(&address.host, address.port).await?;
        if !address.is_tls {
            return upgrade(tcp, &address, cluster).await;
        }
        let name = ServerName::try_from(address.host.clone())?;
        let connector = TlsConnector::from(Arc::new(http_1_config(hub)?));
        upgrade(connector.connect(name, tcp).await?, &address, cluster).await
    };
    tokio::time::timeout(TIMEOUT, opening).await.map_err(|_| format!("no answer within {TIMEOUT:?}"))?
}

async fn upgrade<S>(stream: S, address: &Address, cluster: &str) -> Result<TokioIo<Upgraded>, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let resource = Resource::of::<Cluster>();
    let path = resource.object_path(&ObjectKey::cluster(cluster), "tunnel");
    let request = Request::get(format!("{}{path}", address.prefix))
        .header(header::HOST, &address.host)
        .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(header::UPGRADE, HeaderValue::from_static(PROTOCOL))
        .body(Empty::<bytes::Bytes>::new())?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The task ends with the connection.
    tokio::spawn(async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%error, "the connection of the tunnel ended");
        }
    });
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("the control plane answers {path} with {}", answer.status()).into());
    }
    Ok(TokioIo::new(hyper::upgrade::on(answer).await?))
}
