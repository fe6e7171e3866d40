//! Answers to requests for a copy of a public zone: AXFR (RFC 5936) and IXFR (RFC 1995), over TCP.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dnswire::base::iana::{Class, Opcode, Rcode, Rtype};
use dnswire::base::message_builder::AnswerBuilder;
use dnswire::base::name::ParsedName;
use dnswire::base::rdata::UnknownRecordData;
use dnswire::base::{Message, MessageBuilder, Name as WireName, StreamTarget, Ttl};
use dnswire::rdata::Soa;
use dnswire::rdata::tsig::Time48;
use dnswire::tsig::{Key, ServerSequence};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::answered::{Answered, Outcome};
use crate::name::Name;
use crate::record_set::RecordSet;
use crate::request::MAX_UDP;
use crate::zone::Zone;
use crate::zones::Snapshot;

/// Octets of a message after which the next one begins.
const MESSAGE: usize = 16 << 10;

type Draft = AnswerBuilder<StreamTarget<Vec<u8>>>;

/// A request for a copy of a zone.
pub(crate) struct Request {
    message: Message<Vec<u8>>,
    name: Name,
    kind: Rtype,
    /// Serial number of the copy that the client has, in an IXFR.
    serial: Option<u32>,
}

impl Request {
    /// Reads a packet; `None` if it is another query.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        // Every query over TCP comes through here: only requests for a copy are copied.
        let message = Message::from_slice(packet).ok()?;
        let header = message.header();
        if header.qr() || header.opcode() != Opcode::QUERY || message.header_counts().qdcount() != 1 {
            return None;
        }
        let question = message.sole_question().ok()?;
        let kind = question.qtype();
        if question.qclass() != Class::IN || !matches!(kind, Rtype::AXFR | Rtype::IXFR) {
            return None;
        }
        let name = Name::parse(&question.qname().to_string())?;
        let known = message.authority().ok().and_then(|mut records| records.next()?.ok());
        let known = known.and_then(|record| record.into_record::<Soa<ParsedName<_>>>().ok().flatten());
        let serial = known.map(|record| record.data().serial().into_int());
        let message = Message::from_octets(packet.to_vec()).ok()?;
        Some(Self { message, name, kind, serial: serial.filter(|_| kind == Rtype::IXFR) })
    }

    /// Writes the copy, or why there is none.
    pub(crate) async fn serve(
        mut self,
        snapshot: &Snapshot,
        peer: IpAddr,
        out: &mut (impl AsyncWrite + Unpin),
        patience: Duration,
    ) -> io::Result<Answered> {
        let kind = self.kind.to_int();
        let Some(zone) = snapshot.public_zone(&self.name) else {
            return self.refuse(Rcode::REFUSED, out, patience).await;
        };
        let transfers = zone.transfers().filter(|_| self.name.labels() == zone.labels());
        let Some(transfers) = transfers.filter(|transfers| transfers.allows(peer)) else {
            return self.refuse(Rcode::REFUSED, out, patience).await;
        };
        let signature = match &transfers.key {
            None => None,
            Some(key) => match ServerSequence::request(&key.key(), &mut self.message, Time48::now()) {
                Ok(Some(sequence)) => Some(sequence),
                Ok(None) => return self.refuse(Rcode::REFUSED, out, patience).await,
                Err(error) => {
                    let builder =
                        MessageBuilder::from_target(StreamTarget::new_vec()).map_err(io::Error::other)?;
                    let answer = error.build_message(&self.message, builder).map_err(io::Error::other)?;
                    send(out, answer.as_target().as_stream_slice(), patience).await?;
                    return Ok(Answered { kind, outcome: Outcome::Refused });
                }
            },
        };
        if !zone.is_synced {
            return self.refuse(Rcode::SERVFAIL, out, patience).await;
        }
        let mut writer =
            Writer { request: &self.message, draft: None, is_first: true, signature, out, patience };
        self.copy(zone, &mut writer).await?;
        Ok(Answered { kind, outcome: Outcome::Data })
    }

    async fn copy(&self, zone: &Zone, writer: &mut Writer<'_, impl AsyncWrite + Unpin>) -> io::Result<()> {
        let current = zone.serial();
        let changes = match self.serial {
            // RFC 1995, section 2: the copy is up to date.
            Some(serial) if serial == current => {
                writer.sets(zone.origin(), std::slice::from_ref(zone.authority())).await?;
                return writer.end().await;
            }
            Some(serial) => zone.changes_since(serial),
            None => None,
        };
        writer.sets(zone.origin(), std::slice::from_ref(zone.authority())).await?;
        match changes {
            Some(changes) => {
                for delta in changes {
                    writer.soa(zone, delta.from).await?;
                    for (name, old, _) in &delta.names {
                        writer.sets(name, old).await?;
                    }
                    writer.soa(zone, delta.to).await?;
                    for (name, _, new) in &delta.names {
                        writer.sets(name, new).await?;
                    }
                }
            }
            None => {
                // The SOA record is there already; the other sets of the apex follow.
                writer.sets(zone.origin(), zone.apex_after_soa()).await?;
                for (name, sets) in zone.all_names() {
                    let full = [name, zone.origin()].concat();
                    writer.sets(&full, sets).await?;
                }
            }
        }
        writer.sets(zone.origin(), std::slice::from_ref(zone.authority())).await?;
        writer.end().await
    }

    async fn refuse(
        &self,
        code: Rcode,
        out: &mut (impl AsyncWrite + Unpin),
        patience: Duration,
    ) -> io::Result<Answered> {
        let builder = MessageBuilder::from_target(StreamTarget::new_vec()).map_err(io::Error::other)?;
        let mut answer = builder.start_answer(&self.message, code).map_err(io::Error::other)?.additional();
        if self.message.opt().is_some() {
            let opt = answer.opt(|opt| {
                opt.set_udp_payload_size(MAX_UDP);
                Ok(())
            });
            opt.map_err(io::Error::other)?;
        }
        send(out, answer.as_target().as_stream_slice(), patience).await?;
        let outcome = if code == Rcode::REFUSED { Outcome::Refused } else { Outcome::ServerFailure };
        Ok(Answered { kind: self.kind.to_int(), outcome })
    }
}

async fn send(out: &mut (impl AsyncWrite + Unpin), framed: &[u8], patience: Duration) -> io::Result<()> {
    timeout(patience, out.write_all(framed)).await?
}

/// Writes records into as many messages as they need.
struct Writer<'a, W> {
    request: &'a Message<Vec<u8>>,
    draft: Option<Draft>,
    is_first: bool,
    signature: Option<ServerSequence<Arc<Key>>>,
    out: &'a mut W,
    patience: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<'_, W> {
    async fn sets(&mut self, name: &[u8], sets: &[RecordSet]) -> io::Result<()> {
        for set in sets {
            for index in 0..set.count() {
                self.record(name, set, index).await?;
            }
        }
        Ok(())
    }

    async fn soa(&mut self, zone: &Zone, serial: u32) -> io::Result<()> {
        match zone.soa(serial) {
            Some(soa) => self.record(zone.origin(), &soa, 0).await,
            None => Err(io::Error::other("the SOA record cannot be encoded")),
        }
    }

    async fn record(&mut self, name: &[u8], set: &RecordSet, index: usize) -> io::Result<()> {
        let is_full = |draft: &Draft| draft.as_target().as_dgram_slice().len() > MESSAGE;
        if self.draft.as_ref().is_some_and(is_full) {
            self.end().await?;
        }
        let mut draft = match self.draft.take() {
            Some(draft) => draft,
            None => self.begin()?,
        };
        let owner = WireName::from_slice(name).map_err(io::Error::other)?;
        let kind = Rtype::from_int(set.kind());
        let data = UnknownRecordData::from_octets(kind, set.data(index)).map_err(io::Error::other)?;
        let ttl = Ttl::from_secs(set.ttl());
        draft.push((owner, Class::IN, ttl, data)).map_err(io::Error::other)?;
        self.draft = Some(draft);
        Ok(())
    }

    /// A message; only the first repeats the question.
    fn begin(&mut self) -> io::Result<Draft> {
        let mut builder = MessageBuilder::from_target(StreamTarget::new_vec()).map_err(io::Error::other)?;
        let header = builder.header_mut();
        header.set_id(self.request.header().id());
        header.set_qr(true);
        header.set_aa(true);
        let mut question = builder.question();
        if std::mem::take(&mut self.is_first) {
            let asked = self.request.sole_question().map_err(io::Error::other)?;
            question.push(asked).map_err(io::Error::other)?;
        }
        Ok(question.answer())
    }

    /// Signs and sends the message.
    async fn end(&mut self) -> io::Result<()> {
        let Some(draft) = self.draft.take() else { return Ok(()) };
        let mut message = draft.additional();
        if let Some(signature) = &mut self.signature {
            signature.answer(&mut message, Time48::now()).map_err(io::Error::other)?;
        }
        send(self.out, message.as_target().as_stream_slice(), self.patience).await
    }
}
