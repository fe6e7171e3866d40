//! Tells secondary name servers that a zone has changed (RFC 1996).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dnswire::base::iana::{Opcode, Rcode, Rtype};
use dnswire::base::{Message, MessageBuilder, Name};
use dnswire::rdata::tsig::Time48;
use dnswire::tsig::ClientTransaction;
use portolan_plan::federation::dns::record::DomainName;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::transaction_key::TransactionKey;

/// Times that a message is sent, and how long each waits for an answer.
const ATTEMPTS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// Most octets of an answer.
const ANSWER: usize = 4096;

/// A secondary name server did not take the message. It asks for changes by itself after the refresh time of the zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// It does not answer.
    #[error("{0} does not answer to NOTIFY: check the address, and that it listens there")]
    NoAnswer(SocketAddr),
    /// It refuses the message.
    #[error(
        "{secondary} answers {code} to NOTIFY: allow it from this server (allow-notify of BIND, acl of Knot)"
    )]
    Refused {
        /// The server.
        secondary: SocketAddr,
        /// Its answer.
        code: Rcode,
    },
    /// The message cannot be sent.
    #[error("cannot send NOTIFY to {secondary}: {source}")]
    Send {
        /// The server.
        secondary: SocketAddr,
        /// Cause.
        source: io::Error,
    },
}

/// Sends NOTIFY, and waits for the answer.
///
/// # Errors
/// The last failure after several attempts.
pub async fn notify(
    zone: &DomainName,
    secondary: SocketAddr,
    key: Option<&TransactionKey>,
) -> Result<(), NotifyError> {
    let failed = |source| NotifyError::Send { secondary, source };
    let any: IpAddr =
        if secondary.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(secondary).await.map_err(failed)?;
    let mut last = NotifyError::NoAnswer(secondary);
    for (attempt, patience) in ATTEMPTS.into_iter().enumerate() {
        // The kernel chose the port at random; the number tells late answers apart.
        let id = socket.local_addr().map_or(0, |address| address.port()).rotate_left(5)
            ^ u16::try_from(attempt).unwrap_or(0);
        let message = message(zone, id, key).map_err(failed)?;
        match timeout(patience, ask(&socket, &message, id)).await {
            Ok(Ok(Rcode::NOERROR)) => return Ok(()),
            Ok(Ok(code)) => return Err(NotifyError::Refused { secondary, code }),
            Ok(Err(source)) => {
                last = failed(source);
                tokio::time::sleep(patience).await;
            }
            Err(_) => last = NotifyError::NoAnswer(secondary),
        }
    }
    Err(last)
}

fn message(zone: &DomainName, id: u16, key: Option<&TransactionKey>) -> io::Result<Vec<u8>> {
    let mut builder = MessageBuilder::from_target(Vec::new()).map_err(io::Error::other)?;
    let header = builder.header_mut();
    header.set_id(id);
    header.set_opcode(Opcode::NOTIFY);
    header.set_aa(true);
    let mut question = builder.question();
    let name = Name::<Vec<u8>>::vec_from_str(zone.as_str()).map_err(io::Error::other)?;
    question.push((name, Rtype::SOA)).map_err(io::Error::other)?;
    let mut draft = question.additional();
    if let Some(key) = key {
        ClientTransaction::request(key.key(), &mut draft, Time48::now()).map_err(io::Error::other)?;
    }
    Ok(draft.finish())
}

/// The response code of the answer.
async fn ask(socket: &UdpSocket, message: &[u8], id: u16) -> io::Result<Rcode> {
    socket.send(message).await?;
    let mut buffer = [0; ANSWER];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let Ok(answer) = Message::from_slice(&buffer[..length]) else { continue };
        if answer.header().qr() && answer.header().id() == id {
            return Ok(answer.header().rcode());
        }
    }
}
