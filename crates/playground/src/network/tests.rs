use portolan_dns::ZoneSettings;
use portolan_net::accept::Listener as _;
use portolan_plan::dns::{RecordSink, ServiceChange, ZoneKind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

struct Clusters {
    network: Network,
    one: ClusterName,
    two: ClusterName,
}

/// Two clusters with addresses that do not overlap.
fn clusters() -> Clusters {
    let network = Network::new();
    let (one, two) = (ClusterName::new("member1"), ClusterName::new("member2"));
    let range = |text: &str| text.parse::<Ranges>().expect("range");
    network.add_cluster(&one, range("10.10.0.0/16"), range("10.11.0.0/16")).expect("member1 is added");
    network.add_cluster(&two, range("10.12.0.0/16"), range("10.13.0.0/16")).expect("member2 is added");
    Clusters { network, one, two }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

/// Answers every connection with `text` and every datagram with `text` and the datagram.
async fn speaker(interface: &Interface, port: u16, text: &'static str) -> tokio::task::JoinHandle<()> {
    let listener = interface.listen(port).await.expect("listens");
    let datagrams = interface.bind(port).await.expect("binds");
    tokio::spawn(async move {
        let mut buffer = [0; 64];
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let mut stream = accepted.expect("accepts");
                    stream.write_all(text.as_bytes()).await.expect("writes");
                }
                received = datagrams.receive(&mut buffer) => {
                    let (length, peer) = received.expect("receives");
                    let answer = [text.as_bytes(), &buffer[..length]].concat();
                    datagrams.send(&answer, peer).await.expect("sends");
                }
            }
        }
    })
}

async fn heard(connection: Result<Connection, DialError>) -> String {
    match connection {
        Ok(mut connection) => {
            let mut text = String::new();
            let read = connection.read_to_string(&mut text);
            timeout(DEADLINE, read).await.expect("the answer ends").expect("reads");
            text
        }
        Err(error) => error.to_string(),
    }
}

async fn echoed(flow: &Flow, text: &str) -> String {
    if let Err(error) = flow.send(text.as_bytes()).await {
        return error.to_string();
    }
    let mut buffer = [0; 64];
    let received = timeout(DEADLINE, flow.receive(&mut buffer)).await.expect("an answer").expect("receives");
    String::from_utf8_lossy(&buffer[..received]).into_owned()
}

fn serve(clusters: &Clusters, spec: Value, endpoints: &[&Interface]) {
    let service =
        Object(json!({ "metadata": { "name": "derived-serve", "namespace": "default" }, "spec": spec }));
    let addresses = endpoints.iter().map(|e| json!({ "addresses": [e.address().to_string()] }));
    let slice = Object(json!({
        "metadata": { "namespace": "default", "labels": { "kubernetes.io/service-name": "derived-serve" } },
        "addressType": "IPv4",
        "endpoints": addresses.collect::<Vec<_>>(),
        "ports": [{ "name": "tcp", "port": 8080 }, { "name": "udp", "port": 8080, "protocol": "UDP" }],
    }));
    clusters.network.set_service(&clusters.two, &service, [&slice], &[]);
}

fn spec() -> Value {
    json!({ "clusterIP": "10.13.0.9",
            "ports": [{ "name": "tcp", "port": 80 }, { "name": "udp", "port": 80, "protocol": "UDP" }] })
}

#[tokio::test]
async fn a_service_of_one_cluster_forwards_to_a_pod_of_another() {
    let clusters = clusters();
    let server = clusters.network.attach_pod(&clusters.one).expect("address");
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    assert_eq!(server.address().to_string(), "10.10.0.5");
    let _speaker = speaker(&server, 8080, "hello").await;
    serve(&clusters, spec(), &[&server]);

    let frontend = address("10.13.0.9:80");
    assert_eq!(heard(client.dial(frontend, DEADLINE).await).await, "hello");
    let flow = client.flow(frontend).await.expect("a flow");
    assert_eq!(echoed(&flow, " there").await, "hello there");
    assert_eq!(heard(client.dial(address("10.10.0.5:8080"), DEADLINE).await).await, "hello", "pod to pod");
    assert_eq!(heard(server.dial(address("127.0.0.1:8080"), DEADLINE).await).await, "hello", "to itself");
    assert_eq!(
        heard(clusters.network.dial(&clusters.two, frontend, DEADLINE).await).await,
        "hello",
        "not from a pod"
    );
}

#[tokio::test]
async fn names_are_resolved_in_the_zones_of_the_cluster_of_the_pod() {
    let clusters = clusters();
    let (one, two) = (clusters.network.attach_pod(&clusters.one), clusters.network.attach_pod(&clusters.two));
    let (one, two) = (one.expect("address"), two.expect("address"));
    assert_eq!(two.resolve("derived-serve").await, None, "there are no zones yet");
    for cluster in [&clusters.one, &clusters.two] {
        let zones = Zones::new(vec![ZoneSettings::new(ZoneKind::Cluster)]).expect("a zone");
        if *cluster == clusters.two {
            let metadata = json!({ "name": "derived-serve", "namespace": "default" });
            let service = Object(json!({ "metadata": metadata, "spec": spec() }));
            let records = portolan_plan::dns::service::records(&service, &[], "cluster.local");
            zones.publish(ZoneKind::Cluster, vec![ServiceChange { service: service.key(), records }]);
        }
        zones.synced(ZoneKind::Cluster);
        clusters.network.set_dns_zones(cluster, zones);
    }
    let frontend = Some("10.13.0.9".parse().expect("address"));
    assert_eq!(two.resolve("derived-serve").await, frontend);
    assert_eq!(two.resolve("derived-serve.default.svc.cluster.local").await, frontend);
    assert_eq!(one.resolve("derived-serve").await, None, "the service exists in the other cluster only");
}

#[tokio::test]
async fn refusals_differ_from_missing_routes() {
    let clusters = clusters();
    let server = clusters.network.attach_pod(&clusters.one).expect("address");
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    serve(&clusters, spec(), &[]);
    let cases = [
        ("a service without endpoints", "10.13.0.9:80", "connection refused"),
        ("a port that the service does not have", "10.13.0.9:81", "connection refused"),
        ("an address that no service has", "10.13.0.10:80", "connection refused"),
        ("a pod that does not listen", "10.10.0.5:8080", "connection refused"),
        ("an address that no pod has", "10.10.0.6:8080", "no route to host"),
        ("the cluster address of another cluster", "10.11.0.1:443", "no route to host"),
        ("an address outside all clusters", "203.0.113.1:80", "no route to host"),
    ];
    for (name, to, want) in cases {
        assert_eq!(heard(client.dial(address(to), DEADLINE).await).await, want, "{name}");
        let flow = client.flow(address(to)).await.expect("a flow");
        assert_eq!(echoed(&flow, "x").await, want, "{name}, by datagram");
    }
    drop(server);
    assert_eq!(heard(client.dial(address("10.10.0.5:8080"), DEADLINE).await).await, "no route to host");
}

#[tokio::test]
async fn ports_and_addresses_are_freed_with_their_guards() {
    let clusters = clusters();
    let pod = clusters.network.attach_pod(&clusters.one).expect("address");
    let listener = pod.listen(80).await.expect("listens");
    assert!(matches!(pod.listen(80).await, Err(ListenError::InUse)));
    assert!(pod.bind(80).await.is_ok(), "another protocol");
    drop(listener);
    assert!(pod.listen(80).await.is_ok());

    let address = pod.address();
    let taken = clusters.network.reattach_pod(&clusters.one, address).expect_err("taken");
    assert_eq!(taken.to_string(), "cluster member1: address 10.10.0.5 is taken");
    drop(pod);
    assert!(clusters.network.reattach_pod(&clusters.one, address).is_ok());
}

#[test]
fn clusters_must_not_overlap() {
    let clusters = clusters();
    let range = |text: &str| text.parse::<Ranges>().expect("range");
    let three = ClusterName::new("member3");
    let overlap = clusters.network.add_cluster(&three, range("10.20.0.0/16"), range("10.10.128.0/17"));
    assert_eq!(
        overlap.expect_err("overlaps").to_string(),
        "10.10.128.0/17 of cluster member3 overlaps 10.10.0.0/16 of cluster member1"
    );
    let own = clusters.network.add_cluster(&three, range("10.20.0.0/16"), range("10.20.128.0/17"));
    assert_eq!(
        own.expect_err("overlaps").to_string(),
        "10.20.128.0/17 of cluster member3 overlaps 10.20.0.0/16 of cluster member3"
    );
    let taken = clusters.network.add_cluster(&clusters.one, range("10.20.0.0/16"), range("10.21.0.0/16"));
    assert_eq!(taken, Err(JoinError::Taken(clusters.one.clone())));
}

#[tokio::test]
async fn a_cut_link_stalls_connections_until_it_is_restored() {
    let clusters = clusters();
    let server = clusters.network.attach_pod(&clusters.one).expect("address");
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    let listener = server.listen(8080).await.expect("listens");
    let to = SocketAddr::new(server.address(), 8080);
    let (dialled, accepted) = tokio::join!(client.dial(to, DEADLINE), listener.accept());
    let (mut near, mut far) = (dialled.expect("connects"), accepted.expect("accepts"));

    clusters.network.set_link(&clusters.one, &clusters.two, Link::Silent);
    far.write_all(b"late").await.expect("the far side does not notice");
    let mut buffer = [0; 4];
    {
        let mut read = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            near.read_exact(&mut buffer).await.expect("reads");
            buffer
        }));
        let silent = client.dial(to, Duration::from_millis(20)).await;
        assert_eq!(silent.expect_err("cut").to_string(), "connection timed out");
        assert!(!read.is_finished(), "nothing passes a cut link");
        clusters.network.set_link(&clusters.two, &clusters.one, Link::Unreachable);
        assert_eq!(client.dial(to, DEADLINE).await.expect_err("down").to_string(), "no route to host");
        assert!(!read.is_finished(), "nothing passes a link that is down");

        clusters.network.set_link(&clusters.two, &clusters.one, Link::Up);
        let got = timeout(DEADLINE, &mut read).await.expect("continues").expect("no panic");
        assert_eq!(&got, b"late");
    }
    assert!(server.dial(to, DEADLINE).await.is_ok(), "traffic inside a cluster is never cut");
}

#[tokio::test]
async fn an_isolated_cluster_is_silent_to_all_others_and_its_cut_links_stay_cut() {
    let clusters = clusters();
    let server = clusters.network.attach_pod(&clusters.one).expect("address");
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    let _speaker = speaker(&server, 8080, "hello").await;
    let to = SocketAddr::new(server.address(), 8080);
    let dial = async || client.dial(to, Duration::from_millis(20)).await.map(drop).map_err(|e| e.to_string());
    let timed_out = Err("connection timed out".to_owned());
    for cluster in [&clusters.one, &clusters.two] {
        clusters.network.isolate(cluster, true).await.expect("isolated");
        assert_eq!(dial().await, timed_out);
        assert!(server.dial(to, DEADLINE).await.is_ok(), "traffic inside a cluster goes on");
        clusters.network.isolate(cluster, false).await.expect("back");
        assert_eq!(dial().await, Ok(()));
    }
    clusters.network.set_link(&clusters.one, &clusters.two, Link::Silent);
    clusters.network.isolate(&clusters.one, true).await.expect("isolated");
    clusters.network.isolate(&clusters.one, false).await.expect("back");
    assert_eq!(dial().await, timed_out);
}

#[tokio::test]
async fn a_dial_over_a_silent_link_succeeds_when_it_is_back_in_time() {
    let clusters = clusters();
    let server = clusters.network.attach_pod(&clusters.one).expect("address");
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    let _speaker = speaker(&server, 8080, "hello").await;
    clusters.network.set_link(&clusters.one, &clusters.two, Link::Silent);
    let dial = client.dial(SocketAddr::new(server.address(), 8080), DEADLINE);
    let restore = async {
        tokio::task::yield_now().await;
        clusters.network.set_link(&clusters.one, &clusters.two, Link::Up);
    };
    let (connection, ()) = tokio::join!(dial, restore);
    assert_eq!(heard(connection).await, "hello");
}

#[tokio::test]
async fn a_flow_keeps_its_endpoint_until_it_leaves() {
    let clusters = clusters();
    let client = clusters.network.attach_pod(&clusters.two).expect("address");
    let [first, second] = [0, 1].map(|_| clusters.network.attach_pod(&clusters.one).expect("address"));
    let _first = speaker(&first, 8080, "first").await;
    let _second = speaker(&second, 8080, "second").await;
    serve(&clusters, spec(), &[&first, &second]);
    let flow = client.flow(address("10.13.0.9:80")).await.expect("a flow");
    assert_eq!([echoed(&flow, "!").await, echoed(&flow, "?").await], ["first!", "first?"]);
    serve(&clusters, spec(), &[&second]);
    assert_eq!(echoed(&flow, "!").await, "second!");
    serve(&clusters, spec(), &[]);
    assert_eq!(echoed(&flow, "!").await, "connection refused");
}
