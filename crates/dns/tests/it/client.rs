//! A DNS client over UDP and TCP that decodes answers with hickory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

/// Timeout of one query; generous for loaded machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Udp,
    Tcp,
}

pub(crate) const BOTH: [Over; 2] = [Over::Udp, Over::Tcp];

/// A query as resolvers send it: recursion desired, with EDNS of this size or without.
pub(crate) fn query(name: &str, kind: &str, edns: Option<u16>) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let kind: RecordType = kind.parse().expect("a type");
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    if let Some(size) = edns {
        let mut edns = Edns::new();
        edns.set_max_payload(size).set_version(0);
        message.set_edns(edns);
    }
    message
}

/// Sends a packet and returns the answer; `None` if the server closes the connection.
pub(crate) fn exchange(server: SocketAddr, over: Over, packet: &[u8]) -> Option<Vec<u8>> {
    match over {
        Over::Udp => {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            socket.connect(server).expect("a connection");
            socket.send(packet).expect("sent");
            let mut answer = vec![0; 65_535];
            let length = socket.recv(&mut answer).expect("an answer");
            answer.truncate(length);
            Some(answer)
        }
        Over::Tcp => {
            let mut stream = TcpStream::connect(server).expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream.write_all(&u16::try_from(packet.len()).expect("a message").to_be_bytes()).expect("sent");
            stream.write_all(packet).expect("sent");
            read_framed(&mut stream)
        }
    }
}

/// The next answer on a TCP connection.
pub(crate) fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("neither an answer nor an end")
        }
        Err(_) => return None,
    }
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).expect("a whole answer");
    Some(answer)
}

/// Sends a query and decodes the answer.
pub(crate) fn ask(server: SocketAddr, over: Over, query: &Message) -> Message {
    let answer = exchange(server, over, &query.to_vec().expect("a query")).expect("an answer");
    let answer = Message::from_vec(&answer).expect("hickory can read it");
    assert_eq!(answer.metadata.id, query.metadata.id);
    assert_eq!(answer.metadata.message_type, MessageType::Response);
    answer
}

/// The records of a section as text, in order.
pub(crate) fn lines(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    let mut lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}
