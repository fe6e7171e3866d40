//! Serves an empty cluster over TLS, for trying clients by hand.
//!
//! ```text
//! cargo run -p portolan-apiserver --example serve -- DIRECTORY
//! kubectl --kubeconfig DIRECTORY/config get namespaces
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use portolan_apiserver::{ApiServer, Config};
use portolan_net::clock::Clock;
use portolan_net::kubeconfig::{Cluster, Kubeconfig, User};
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::server::{Server, listen};
use portolan_net::shutdown::Shutdown;
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use portolan_store::Store;

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("usage: serve DIRECTORY")?);
    let now = Clock::system().now();
    let authority = Authority::create("serve", now)?;
    let names = ServerNames {
        common_name: "serve".to_owned(),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        ..ServerNames::default()
    };
    let identity = authority.issue_server(&names, LIFETIME, now)?;
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;

    let config = Config { service_cidr: Some("10.96.0.0/16".parse()?), ..Config::default() };
    let api_server = ApiServer::start(config, Store::in_memory()).await?;
    let shutdown = Shutdown::new();
    let clients = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
    let tls = server_config(ServerCertificate::new(&identity)?, &clients)?;
    Server::tls(listener, tls).spawn(api_server.service(), &shutdown);

    let admin = authority.issue_client("admin", &["system:masters"], LIFETIME, now)?;
    let user = User::certificate(admin.certificate_pem(), admin.key_pem());
    let cluster = Cluster::new(format!("https://{address}"), authority.certificate_pem());
    Kubeconfig::new().with_context("serve", cluster, user).write(&directory.join("config"))?;
    println!("serving at {address}");

    shutdown.request_on_signals()?;
    shutdown.requested().await;
    api_server.drain();
    shutdown.drain(Duration::from_secs(5)).await?;
    Ok(api_server.stop(Duration::from_secs(5)).await?)
}
