//! Answer sizes, limits and malformed packets.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, ResponseCode};
use portolan_dns::server::Limits;
use portolan_object::Object;
use proptest::prelude::*;
use serde_json::json;

use crate::client::{BOTH, Over, PATIENCE, ask, exchange, query, read_framed};
use crate::world::World;

const SHOP: &str = "shop.retail.svc.clusterset.local.";
const CROWD: &str = "crowd.retail.svc.clusterset.local.";

/// A headless service with `count` endpoints.
fn crowd(endpoints: usize) -> Vec<Object> {
    let import = json!({"kind": "ServiceImport", "metadata": {"name": "crowd", "namespace": "retail",
            "labels": {"karmada.io/managed": "true", "portolan.dev/clusterset": "prod"}},
        "spec": {"type": "Headless", "ports": [{"name": "db", "port": 5432}]}});
    let addresses = (0..endpoints)
        .map(|n| json!({"addresses": [format!("10.{}.{}.{}", n / 60_000, n / 250 % 240, n % 250)]}));
    let slice = json!({"kind": "EndpointSlice", "addressType": "IPv4", "endpoints": addresses.collect::<Vec<_>>(),
        "metadata": {"name": "crowd-1", "namespace": "retail", "labels": {
            "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.portolan.dev",
            "multicluster.kubernetes.io/service-name": "crowd", "multicluster.kubernetes.io/source-cluster": "east"}}});
    vec![Object(import), Object(slice)]
}

/// Response code and number of answers, decoded by hickory.
fn outcome(answer: Option<Vec<u8>>) -> Option<(ResponseCode, usize)> {
    let answer = Message::from_vec(&answer?).expect("hickory can read it");
    Some((answer.metadata.response_code, answer.answers.len()))
}

#[test]
fn answers_fit_into_what_the_client_takes() {
    let world = World::of_vectors();
    world.import(&crowd(500));
    // Header 12, question 38, OPT 11, records of 16 octets.
    let cases = [
        ("no EDNS", Over::Udp, None, 28, true),
        ("EDNS below the least", Over::Udp, Some(100), 28, true),
        ("EDNS 1000", Over::Udp, Some(1000), 58, true),
        ("EDNS above what we send", Over::Udp, Some(65_535), 73, true),
        ("TCP", Over::Tcp, None, 500, false),
        ("TCP with EDNS", Over::Tcp, Some(512), 500, false),
    ];
    for (case, over, edns, answers, truncated) in cases {
        let packet = query(CROWD, "A", edns).to_vec().unwrap();
        let answer = exchange(world.server, over, &packet).unwrap();
        let limit = edns.map_or(512, |size| size.clamp(512, 1232));
        assert!(over == Over::Tcp || answer.len() <= usize::from(limit), "{case}: {}", answer.len());
        let answer = Message::from_vec(&answer).unwrap();
        assert_eq!((answer.answers.len(), answer.metadata.truncation), (answers, truncated), "{case}");
        assert_eq!(answer.edns.is_some(), edns.is_some(), "{case}");
    }
}

#[test]
fn ten_thousand_endpoints_are_one_message() {
    let world = World::of_vectors();
    world.import(&crowd(10_000));
    let answer = ask(world.server, Over::Tcp, &query(CROWD, "A", None));
    assert_eq!((answer.answers.len(), answer.metadata.truncation), (2000, false));
    let answer = ask(world.server, Over::Tcp, &query(CROWD, "SRV", None));
    assert!(answer.answers.len() > 500 && answer.metadata.truncation, "what fits: {}", answer.answers.len());
    let answer = ask(
        world.server,
        Over::Udp,
        &query("10-0-39-249.east.crowd.retail.svc.clusterset.local.", "A", None),
    );
    assert_eq!(answer.answers.len(), 1, "the name of each pod resolves");
}

#[test]
fn edns_of_another_version() {
    let world = World::of_vectors();
    let mut message = query(SHOP, "A", None);
    let mut edns = Edns::new();
    edns.set_version(1).set_max_payload(1232).set_dnssec_ok(true);
    message.set_edns(edns);
    for over in BOTH {
        let answer = ask(world.server, over, &message);
        // 16: hickory names it BADSIG instead of BADVERS.
        assert_eq!(u16::from(answer.metadata.response_code), u16::from(ResponseCode::BADVERS));
        assert!(answer.answers.is_empty());
        let edns = answer.edns.expect("EDNS");
        assert_eq!((edns.version(), edns.flags().dnssec_ok), (0, true));
    }
}

#[test]
fn a_malformed_network_of_the_client_is_refused() {
    let world = World::of_vectors();
    let question = &query(SHOP, "A", None).to_vec().unwrap()[12..];
    let asked = |option: &[u8]| {
        let length = [u8::try_from(option.len() + 4).unwrap(), 0, 8, 0, u8::try_from(option.len()).unwrap()];
        packet(
            [1, 0],
            [1, 0, 0, 1],
            &[question, &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0], &length, option].concat(),
        )
    };
    // Response code and number of answers; 1 is FORMERR.
    let cases: [(&str, &[u8], (u8, u8)); 6] = [
        ("a network", &[0, 1, 24, 0, 192, 0, 2], (0, 1)),
        ("a client that does not want to be known", &[0, 0, 0, 0], (0, 1)),
        ("too few octets", &[0, 1, 24, 0, 192, 0], (1, 0)),
        ("an unknown family", &[0, 3, 0, 0], (1, 0)),
        ("bits beyond the known ones", &[0, 1, 20, 0, 192, 0, 2], (1, 0)),
        ("no data", &[], (1, 0)),
    ];
    for (case, option, want) in cases {
        for over in BOTH {
            let answer = exchange(world.server, over, &asked(option)).expect("an answer");
            assert_eq!((answer[3] & 0x0F, answer[7]), want, "{case} over {over:?}");
            assert_eq!(answer[10..12], [0, 1], "{case}: with EDNS, which the server knows");
            if want == (0, 1) {
                // The option is repeated, with the bits that the answer depends on: none.
                assert!(answer.ends_with(option), "{case}: {answer:?}");
            }
        }
    }
}

#[test]
fn any_gets_one_set() {
    let world = World::of_vectors();
    let answer = ask(world.server, Over::Udp, &query(SHOP, "ANY", None));
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 1));
}

/// A packet with these flags, counts and contents.
fn packet(flags: [u8; 2], counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let counts = counts.map(u16::to_be_bytes).concat();
    [&[0x12, 0x34][..], &flags, &counts, rest].concat()
}

#[test]
fn unusual_and_malformed_packets() {
    let question = &query(SHOP, "A", None).to_vec().unwrap()[12..];
    let many: Vec<u8> = question.repeat(300);
    let chaos = [&question[..question.len() - 2], &[0, 3]].concat();
    let any_class = [&question[..question.len() - 2], &[0, 255]].concat();
    let long_label = [&[64], &[b'a'; 64][..], &[0, 0, 1, 0, 1]].concat();
    let too_long = [&[&[63][..], &[b'a'; 63]].concat().repeat(5)[..], &[0, 0, 1, 0, 1]].concat();
    let huge = vec![0u8; 65_000];
    let (format, refused) = (Some((ResponseCode::FormErr, 0)), Some((ResponseCode::Refused, 0)));
    type Case = (&'static str, Vec<u8>, Option<(ResponseCode, usize)>);
    let cases: Vec<Case> = vec![
        ("the name points to itself", packet([1, 0], [1, 0, 0, 0], &[0xC0, 0x0C, 0, 1, 0, 1]), format),
        ("the name points to the header", packet([1, 0], [1, 0, 0, 0], &[0xC0, 0, 0, 1, 0, 1]), format),
        (
            "two pointers in a circle",
            packet([1, 0], [1, 0, 0, 0], &[0xC0, 0x0E, 0xC0, 0x0C, 0, 1, 0, 1]),
            format,
        ),
        (
            "an additional record points to itself",
            packet([1, 0], [1, 0, 0, 1], &[question, &[0xC0, 50, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]].concat()),
            format,
        ),
        ("a label of 64 octets", packet([1, 0], [1, 0, 0, 0], &long_label), format),
        ("a name of 320 octets", packet([1, 0], [1, 0, 0, 0], &too_long), format),
        ("300 questions", packet([1, 0], [300, 0, 0, 0], &many), format),
        ("one question and no bytes", packet([1, 0], [1, 0, 0, 0], &[]), format),
        ("a cut question", packet([1, 0], [1, 0, 0, 0], &question[..20]), format),
        ("records in the answer section", packet([1, 0], [1, 1, 0, 0], question), format),
        ("65535 records announced", packet([1, 0], [1, 0, 0, 65_535], question), format),
        (
            "bytes behind the question",
            packet([1, 0], [1, 0, 0, 0], &[question, &[1, 2, 3]].concat()),
            Some((ResponseCode::NoError, 1)),
        ),
        ("the class CH", packet([1, 0], [1, 0, 0, 0], &chaos), refused),
        ("any class", packet([1, 0], [1, 0, 0, 0], &any_class), Some((ResponseCode::NoError, 1))),
        ("a notification", packet([0x20, 0], [1, 0, 0, 0], question), Some((ResponseCode::NotImp, 0))),
        ("an update", packet([0x28, 0], [1, 0, 0, 0], question), Some((ResponseCode::NotImp, 0))),
        ("zeros", huge[..512].to_vec(), format),
    ];
    let world = World::of_vectors();
    for (case, packet, want) in cases {
        for over in BOTH {
            assert_eq!(outcome(exchange(world.server, over, &packet)), want, "{case} over {over:?}");
        }
    }
    assert_eq!(outcome(exchange(world.server, Over::Tcp, &huge)), format, "64 KiB over TCP");
    assert_eq!(outcome(exchange(world.server, Over::Udp, &huge)), format, "64 KiB over UDP");
}

#[test]
fn packets_without_an_answer() {
    let world = World::of_vectors();
    let mut reply = query(SHOP, "A", None).to_vec().unwrap();
    reply[2] |= 0x80;
    for silent in [&reply[..], b"", b"x", &[0; 11]] {
        assert_eq!(exchange(world.server, Over::Tcp, silent), None, "the connection is closed");
        // Over UDP the next received answer belongs to the next query.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(world.server).unwrap();
        socket.send(silent).unwrap();
        let mut asked = query(SHOP, "A", None);
        asked.metadata.id = 99;
        socket.send(&asked.to_vec().unwrap()).unwrap();
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).unwrap();
        assert_eq!(Message::from_vec(&answer[..length]).unwrap().metadata.id, 99);
    }
    assert!(world.statistics.ignored() >= 6);
}

#[test]
fn one_connection_carries_many_queries() {
    let world = World::of_vectors();
    let mut stream = TcpStream::connect(world.server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sent = Vec::new();
    for id in 0..100 {
        let mut message = query(SHOP, "A", None);
        message.metadata.id = id;
        let bytes = message.to_vec().unwrap();
        sent.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
        sent.extend_from_slice(&bytes);
    }
    // In two writes, the first of which ends in the middle of a query.
    let (first, second) = sent.split_at(sent.len() / 2 + 7);
    stream.write_all(first).unwrap();
    stream.write_all(second).unwrap();
    for id in 0..100 {
        let answer = Message::from_vec(&read_framed(&mut stream).expect("an answer")).unwrap();
        assert_eq!((answer.metadata.id, answer.answers.len()), (id, 1));
    }
}

/// A TCP connection from this loopback address.
fn connection_from(source: &str, server: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let source: std::net::IpAddr = source.parse().expect("an address");
    bind(&socket, &SocketAddr::new(source, 0)).expect("a loopback address");
    connect(&socket, &server).expect("a connection");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends a query and reads the answer; `None` if the connection is closed.
fn ask_again(stream: &mut TcpStream) -> Option<ResponseCode> {
    let packet = query(SHOP, "A", None).to_vec().expect("a query");
    let framed = [&u16::try_from(packet.len()).expect("a short query").to_be_bytes(), &packet[..]].concat();
    stream.write_all(&framed).ok()?;
    outcome(read_framed(stream)).map(|(code, _)| code)
}

#[test]
fn polite_connections_of_one_client_do_not_lock_out_another() {
    // Fewer than the default, so that the test needs few file descriptors.
    let limits = Limits { connections: 64, ..Limits::default() };
    let world = World::of_vectors_limited(limits);
    let mut polite: Vec<TcpStream> = (0..64).map(|_| connection_from("127.0.0.2", world.server)).collect();
    for stream in &mut polite {
        assert_eq!(ask_again(stream), Some(ResponseCode::NoError));
    }
    let mut others: Vec<TcpStream> = (0..10).map(|_| connection_from("127.0.0.3", world.server)).collect();
    for stream in &mut others {
        assert_eq!(ask_again(stream), Some(ResponseCode::NoError), "another client is answered");
    }
    let closed = polite.iter_mut().filter_map(|stream| ask_again(stream).is_none().then_some(())).count();
    assert_eq!(closed, 10, "the first client has ten connections less");
    for stream in &mut others {
        assert_eq!(ask_again(stream), Some(ResponseCode::NoError), "the other client keeps its connections");
    }
    assert_eq!((world.statistics.tcp_connections(), world.statistics.evicted_tcp_connections()), (64, 10));
}

#[test]
fn a_stopped_server_leaves_its_port() {
    let world = World::of_vectors();
    ask(world.server, Over::Tcp, &query(SHOP, "A", None));
    let (zones, server) = (world.zones.clone(), world.server);
    let taken = portolan_dns::Server::bind(zones.clone(), world.server, 1).expect_err("the port is taken");
    let message = taken.to_string();
    assert!(message.contains(&world.server.to_string()) && message.contains("port is taken"), "{message}");
    world.stop();
    // Another test may use the port for its own socket for a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = portolan_dns::Server::bind(zones.clone(), server, 1) {
        assert!(Instant::now() < deadline, "the port is free: {error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Checks that hickory can decode the answer and that it belongs to the query.
fn is_sound(server: SocketAddr, packet: &[u8]) -> Result<(), TestCaseError> {
    let Some(answer) = exchange(server, Over::Tcp, packet) else { return Ok(()) };
    let read = Message::from_vec(&answer);
    prop_assert!(read.is_ok(), "{read:?} of {answer:02x?}");
    prop_assert_eq!(&answer[..2], &packet[..2]);
    prop_assert_eq!(answer[2] & 0x80, 0x80);
    Ok(())
}

/// A query with some octets changed.
fn mutated_query() -> impl Strategy<Value = Vec<u8>> {
    let names = prop_oneof![
        Just(SHOP),
        Just("ledger.retail.svc.clusterset.local."),
        Just("clusterset.local."),
        Just(".")
    ];
    let kinds = prop_oneof![Just("A"), Just("SRV"), Just("SOA"), Just("ANY"), Just("TXT")];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (names, kinds, proptest::option::of(any::<u16>()), changes, any::<prop::sample::Index>(), any::<bool>())
        .prop_map(|(name, kind, edns, changes, cut, is_cut)| {
            let mut packet = query(name, kind, edns).to_vec().expect("a query");
            for (at, value) in changes {
                let at = at.index(packet.len());
                packet[at] = value;
            }
            if is_cut {
                packet.truncate(cut.index(packet.len()));
            }
            packet
        })
}

#[test]
fn arbitrary_packets_get_sound_answers_or_none() {
    let world = World::of_vectors();
    let server = world.server;
    proptest!(ProptestConfig::with_cases(2000), |(packet in mutated_query())| is_sound(server, &packet)?);
    proptest!(ProptestConfig::with_cases(500), |(packet in proptest::collection::vec(any::<u8>(), 0..600))| {
        is_sound(server, &packet)?;
    });
    // The server still answers.
    ask(server, Over::Udp, &query(SHOP, "A", None));
}
