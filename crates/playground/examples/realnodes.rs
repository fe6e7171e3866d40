//! scratch
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use portolan_net::{Clock, Shutdown};
use portolan_playground::network::{ClusterName, Network};
use portolan_playground::node::{NodeSetting, Nodes, Settings};
use portolan_runtime::Client;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(std::env::var("RUST_LOG").unwrap_or("info,portolan_playground=debug".into()))
        .with_writer(std::io::stderr)
        .init();
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap();
    let dir = args.next().unwrap();
    let dir = Path::new(&dir);
    let clock = Clock::system();
    let now = clock.now();
    let day = Duration::from_secs(86400 * 30);
    let authority = Authority::open(&dir.join("ca"), "test-ca", now).unwrap();
    if mode == "pki" {
        let local = "127.0.0.1".parse().unwrap();
        authority
            .issue_server(
                &ServerNames {
                    common_name: "s".into(),
                    dns: vec!["localhost".into(), "kubernetes".into()],
                    addresses: vec![local, "10.11.0.1".parse().unwrap()],
                },
                day,
                now,
            )
            .unwrap()
            .write(&dir.join("server.crt"), &dir.join("server.key"))
            .unwrap();
        authority
            .issue_client("admin", &["system:masters"], day, now)
            .unwrap()
            .write(&dir.join("admin.crt"), &dir.join("admin.key"))
            .unwrap();
        std::fs::write(dir.join("ca.crt"), authority.certificate_pem()).unwrap();
        return;
    }
    let scope = Shutdown::new();
    scope.request_on_signals().unwrap();
    let client = Client::from_kubeconfig(&dir.join("kubeconfig"), None).await.unwrap();
    let network = Network::new();
    let cluster = ClusterName::new("member1");
    network.join(&cluster, "10.10.0.0/16".parse().unwrap(), "10.11.0.0/16".parse().unwrap()).unwrap();
    let identity = authority
        .issue_server(
            &ServerNames {
                common_name: "node".into(),
                dns: vec!["localhost".into()],
                addresses: vec!["127.0.0.1".parse().unwrap()],
            },
            day,
            now,
        )
        .unwrap();
    let tls = server_config(
        ServerCertificate::new(&identity).unwrap(),
        &ClientCertificates::SignedBy(vec![authority.certificate().clone()]),
    )
    .unwrap();
    let nodes = Nodes::start(
        Settings {
            cluster,
            client,
            network,
            tls,
            clock,
            nodes: vec![NodeSetting {
                name: "member1-control-plane".into(),
                address: "172.18.0.2".parse().unwrap(),
                pod_range: "10.10.0.0/16".parse().unwrap(),
                region: "".into(),
                zone: "".into(),
                labels: BTreeMap::new(),
                taints: vec![],
            }],
        },
        &scope,
    )
    .unwrap();
    eprintln!("kubelet {}", nodes.kubelet);
    nodes.ready().await;
    eprintln!("ready");
    scope.requested().await;
    let _ = scope.drain(Duration::from_secs(5)).await;
}
