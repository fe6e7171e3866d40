//! Signed answers about the version of a zone: secondary name servers ask for the SOA record with their key before they copy.

use dnswire::base::iana::{Class, Opcode, Rtype};
use dnswire::base::rdata::UnknownRecordData;
use dnswire::base::{Message, MessageBuilder, Name as WireName, Ttl};
use dnswire::rdata::tsig::Time48;
use dnswire::tsig::ServerTransaction;

use crate::name::Name;
use crate::request::MAX_UDP;
use crate::zones::Snapshot;

/// The answer to a question for the SOA record that the key of a public zone has signed; `None` for every other packet.
pub(crate) fn soa(snapshot: &Snapshot, packet: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_slice(packet).ok()?;
    let header = message.header();
    if header.qr() || header.opcode() != Opcode::QUERY || message.header_counts().arcount() == 0 {
        return None;
    }
    let question = message.sole_question().ok()?;
    if question.qtype() != Rtype::SOA || question.qclass() != Class::IN {
        return None;
    }
    let name = Name::parse(&question.qname().to_string())?;
    let zone = snapshot.public_zone(&name).filter(|zone| zone.is_synced && zone.labels() == name.labels())?;
    let key = zone.transfers()?.key.clone()?;
    let mut message = Message::from_octets(packet.to_vec()).ok()?;
    let transaction = ServerTransaction::request(&key.key(), &mut message, Time48::now()).ok()??;
    let mut builder = MessageBuilder::from_target(Vec::new()).ok()?;
    let header = builder.header_mut();
    header.set_id(message.header().id());
    header.set_qr(true);
    header.set_aa(true);
    header.set_rd(message.header().rd());
    let mut draft = builder.question();
    draft.push(message.sole_question().ok()?).ok()?;
    let mut draft = draft.answer();
    let set = zone.authority();
    let owner = WireName::from_slice(zone.origin()).ok()?;
    let data = UnknownRecordData::from_octets(Rtype::SOA, set.data(0)).ok()?;
    draft.push((owner, Class::IN, Ttl::from_secs(set.ttl()), data)).ok()?;
    let mut draft = draft.additional();
    // RFC 6891, section 6.1.1: a question with EDNS has an answer with EDNS.
    if message.opt().is_some() {
        draft
            .opt(|opt| {
                opt.set_udp_payload_size(MAX_UDP);
                Ok(())
            })
            .ok()?;
    }
    transaction.answer(&mut draft, Time48::now()).ok()?;
    Some(draft.finish())
}
