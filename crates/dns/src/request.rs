//! A query, read without copying anything but its name.
//!
//! [`Request::plain`] reads what almost all clients send: one question, and at most an EDNS record. Everything else
//! goes to [`odd`], which takes the packet apart with the library and finds out whether it can be answered at all.

use dnswire::base::Message;
use dnswire::base::iana::{Opcode, Rcode};

use crate::name::Name;

/// Octets of a message's header.
pub(crate) const HEADER: usize = 12;
/// Octets of type and class behind a question's name.
const TYPE_AND_CLASS: usize = 4;
/// Octets of an EDNS record without options.
pub(crate) const OPT: usize = 11;
const OPT_TYPE: u16 = 41;

/// What a client says in an EDNS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edns {
    /// The longest answer that it takes over UDP.
    pub(crate) size: u16,
    pub(crate) version: u8,
    /// Whether it wants signatures; there are none, the flag is sent back.
    pub(crate) dnssec: bool,
}

/// A query that has one question.
pub(crate) struct Request {
    pub(crate) name: Name,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    /// Where the question ends in the packet.
    pub(crate) end: usize,
    pub(crate) edns: Option<Edns>,
}

/// Why a packet has no answer from the zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswerable {
    /// Silence: an answer to an answer, or to what is no message, makes loops.
    NoQuery,
    /// The packet cannot be understood.
    Malformed,
    /// It is no QUERY.
    OtherOpcode,
}

fn number(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]))
}

impl Request {
    /// Reads a packet of the usual form; `None` when it has another one.
    #[inline]
    pub(crate) fn plain(packet: &[u8]) -> Option<Self> {
        // Response bit and opcode are zero.
        if packet.get(2)? & 0xF8 != 0 || packet.get(4..10)? != [0, 1, 0, 0, 0, 0] {
            return None;
        }
        let (request, additional) = (Self::question(packet)?, number(packet, 10)?);
        let rest = &packet[request.end..];
        match additional {
            0 if rest.is_empty() => Some(request),
            1 => {
                let edns = Self::whole_edns(rest)?;
                Some(Self { edns: Some(edns), ..request })
            }
            _ => None,
        }
    }

    /// The first question, without what may follow it.
    fn question(packet: &[u8]) -> Option<Self> {
        let name = Name::read(packet.get(HEADER..)?)?;
        let at = HEADER + name.length();
        let (kind, class) = (number(packet, at)?, number(packet, at + 2)?);
        Some(Self { name, kind, class, end: at + TYPE_AND_CLASS, edns: None })
    }

    /// An EDNS record that is all of `bytes`; its options are not looked at, but have to be whole.
    fn whole_edns(bytes: &[u8]) -> Option<Edns> {
        let is_opt = bytes.len() >= OPT && bytes[0] == 0 && number(bytes, 1)? == OPT_TYPE;
        let mut options = bytes.get(OPT..)?;
        if !is_opt || options.len() != usize::from(number(bytes, 9)?) {
            return None;
        }
        while !options.is_empty() {
            options = options.get(4 + usize::from(number(options, 2)?)..)?;
        }
        Some(Edns { size: number(bytes, 3)?, version: bytes[6], dnssec: bytes[7] & 0x80 != 0 })
    }
}

/// Reads a packet that is not of the usual form.
///
/// # Errors
/// [`Unanswerable`] with the reason.
pub(crate) fn odd(packet: &[u8]) -> Result<Request, Unanswerable> {
    let message = Message::from_slice(packet).map_err(|_| Unanswerable::NoQuery)?;
    let header = message.header();
    if header.qr() {
        return Err(Unanswerable::NoQuery);
    }
    if header.opcode() != Opcode::QUERY {
        return Err(Unanswerable::OtherOpcode);
    }
    let counts = message.header_counts();
    // Several questions have no defined answer (RFC 9619). Answers and authority in a query mean something else than
    // a query for records.
    if (counts.qdcount(), counts.ancount(), counts.nscount()) != (1, 0, 0) {
        return Err(Unanswerable::Malformed);
    }
    let request = Request::question(packet).ok_or(Unanswerable::Malformed)?;
    // Whatever stands in the additional section, a signature for instance, has to be well formed; EDNS may stand there
    // once.
    let mut edns = 0;
    for record in message.additional().map_err(|_| Unanswerable::Malformed)? {
        let record = record.map_err(|_| Unanswerable::Malformed)?;
        edns += usize::from(record.rtype().to_int() == OPT_TYPE);
    }
    match (edns, message.opt()) {
        (0, _) => Ok(request),
        (1, Some(opt)) => {
            let edns = Edns { size: opt.udp_payload_size(), version: opt.version(), dnssec: opt.dnssec_ok() };
            Ok(Request { edns: Some(edns), ..request })
        }
        _ => Err(Unanswerable::Malformed),
    }
}

/// The answer to a packet that cannot be understood: its identity and a code, nothing of its content.
pub(crate) fn refusal(packet: &[u8], reason: Unanswerable, out: &mut Vec<u8>) -> Option<Rcode> {
    let rcode = match reason {
        Unanswerable::NoQuery => return None,
        Unanswerable::Malformed => Rcode::FORMERR,
        Unanswerable::OtherOpcode => Rcode::NOTIMP,
    };
    let asked = dnswire::base::Header::for_message_slice(packet.get(..HEADER)?);
    out.clear();
    out.extend_from_slice(&[0; HEADER]);
    let header = dnswire::base::Header::for_message_slice_mut(out);
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_rcode(rcode);
    Some(rcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(counts: [u8; 8], rest: &[u8]) -> Vec<u8> {
        [&[0, 7, 1, 0], &counts[..], rest].concat()
    }

    #[test]
    fn forms() {
        let question = b"\x03web\x05local\x00\x00\x01\x00\x01";
        let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
        let with_cookie = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08abcdefgh";
        let cut_option = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x08ab";
        let tsig_like = b"\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00";
        let (one, with_one, with_two) =
            ([0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0, 0, 2]);
        // The last is the size that EDNS gives, if any.
        type Case = (&'static str, Vec<u8>, bool, Result<Option<u16>, Unanswerable>);
        let cases: Vec<Case> = vec![
            ("a question", query(one, question), true, Ok(None)),
            ("with EDNS", query(with_one, &[&question[..], opt].concat()), true, Ok(Some(1232))),
            ("with a cookie", query(with_one, &[&question[..], with_cookie].concat()), true, Ok(Some(1232))),
            (
                "with an option that is cut",
                query(with_one, &[&question[..], cut_option].concat()),
                false,
                Err(Unanswerable::Malformed),
            ),
            ("with another record", query(with_one, &[&question[..], tsig_like].concat()), false, Ok(None)),
            ("with both", query(with_two, &[&question[..], tsig_like, opt].concat()), false, Ok(Some(1232))),
            (
                "with EDNS twice",
                query(with_two, &[&question[..], opt, opt].concat()),
                false,
                Err(Unanswerable::Malformed),
            ),
            (
                "without the record it announces",
                query(with_one, question),
                false,
                Err(Unanswerable::Malformed),
            ),
            ("without a question", query([0; 8], b""), false, Err(Unanswerable::Malformed)),
            (
                "two questions",
                query([0, 2, 0, 0, 0, 0, 0, 0], &question.repeat(2)),
                false,
                Err(Unanswerable::Malformed),
            ),
            ("a cut question", query(one, &question[..8]), false, Err(Unanswerable::Malformed)),
            ("a cut header", vec![0, 7, 1], false, Err(Unanswerable::NoQuery)),
            ("an answer", [&[0, 7, 0x81, 0][..], &one, question].concat(), false, Err(Unanswerable::NoQuery)),
            (
                "an update",
                [&[0, 7, 0x28, 0][..], &one, question].concat(),
                false,
                Err(Unanswerable::OtherOpcode),
            ),
        ];
        for (case, packet, is_plain, want) in cases {
            let plain = Request::plain(&packet);
            assert_eq!(plain.is_some(), is_plain, "{case}");
            let size = |request: Request| request.edns.map(|edns| edns.size);
            if let Some(plain) = plain {
                assert_eq!(Ok(size(plain)), want, "{case}");
            }
            assert_eq!(odd(&packet).map(size), want, "{case}: both ways of reading agree");
        }
    }
}
