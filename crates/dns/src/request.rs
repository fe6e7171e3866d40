//! Parses a query; only its name is copied.
//!
//! [`Request::parse_common`] parses the form that almost all clients send: one question and at most an EDNS record.
//! All other packets go to [`parse_unusual`], which uses the DNS library and reports why a packet cannot be answered.

use dnswire::base::Message;
use dnswire::base::iana::{Opcode, Rcode};
use dnswire::base::opt::UnknownOptData;

use crate::client_subnet::{AskedSubnet, SUBNET_OPTION};
use crate::name::Name;

/// Maximum size of a UDP answer in octets, even if the client allows more: avoids IP fragmentation (DNS flag day 2020).
pub(crate) const MAX_UDP: u16 = 1232;
/// Octets of a message header.
pub(crate) const HEADER: usize = 12;
/// Octets of type and class after the name in a question.
const TYPE_AND_CLASS: usize = 4;
/// Octets of an OPT record (EDNS) without options.
pub(crate) const OPT: usize = 11;
const OPT_TYPE: u16 = 41;

/// Contents of the client's OPT record (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edns {
    /// Maximum size of a UDP answer, in octets.
    pub(crate) size: u16,
    pub(crate) version: u8,
    /// DO flag: the client accepts DNSSEC records. The answer repeats it; the zones are not signed.
    pub(crate) dnssec: bool,
    /// Network of the client that a resolver asks for (RFC 7871).
    pub(crate) subnet: AskedSubnet,
}

/// A query with exactly one question.
pub(crate) struct Request {
    pub(crate) name: Name,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    /// Offset of the end of the question in the packet.
    pub(crate) end: usize,
    pub(crate) edns: Option<Edns>,
}

/// Why a packet cannot be answered from the zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// A response, or not a DNS message: dropped without an answer, because answering could cause a loop.
    NotAQuery,
    /// The packet is malformed: FORMERR.
    Malformed,
    /// The opcode is not QUERY: NOTIMP.
    OtherOpcode,
}

fn read_u16(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]))
}

impl Request {
    /// Parses a packet of the common form; `None` for any other form.
    #[inline]
    pub(crate) fn parse_common(packet: &[u8]) -> Option<Self> {
        // The QR bit and the opcode must be zero.
        if packet.get(2)? & 0xF8 != 0 || packet.get(4..10)? != [0, 1, 0, 0, 0, 0] {
            return None;
        }
        let (request, additional) = (Self::question(packet)?, read_u16(packet, 10)?);
        let rest = &packet[request.end..];
        match additional {
            0 if rest.is_empty() => Some(request),
            1 => {
                let edns = Self::edns(rest)?;
                Some(Self { edns: Some(edns), ..request })
            }
            _ => None,
        }
    }

    /// Parses the first question; ignores all bytes after it.
    fn question(packet: &[u8]) -> Option<Self> {
        let name = Name::read(packet.get(HEADER..)?)?;
        let at = HEADER + name.length();
        let (kind, class) = (read_u16(packet, at)?, read_u16(packet, at + 2)?);
        Some(Self { name, kind, class, end: at + TYPE_AND_CLASS, edns: None })
    }

    /// Parses an OPT record that fills all of `bytes`. Options that are not known are ignored, but must be well formed.
    fn edns(bytes: &[u8]) -> Option<Edns> {
        let is_opt = bytes.len() >= OPT && bytes[0] == 0 && read_u16(bytes, 1)? == OPT_TYPE;
        let mut options = bytes.get(OPT..)?;
        if !is_opt || options.len() != usize::from(read_u16(bytes, 9)?) {
            return None;
        }
        let mut subnet = AskedSubnet::Absent;
        while !options.is_empty() {
            let code = read_u16(options, 0)?;
            let end = 4 + usize::from(read_u16(options, 2)?);
            let data = options.get(4..end)?;
            if code == SUBNET_OPTION {
                subnet.add(data);
            }
            options = &options[end..];
        }
        Some(Edns { size: read_u16(bytes, 3)?, version: bytes[6], dnssec: bytes[7] & 0x80 != 0, subnet })
    }
}

/// Parses a packet that does not have the common form.
///
/// # Errors
/// [`RequestError`] when the packet is not a query with one question.
pub(crate) fn parse_unusual(packet: &[u8]) -> Result<Request, RequestError> {
    let message = Message::from_slice(packet).map_err(|_| RequestError::NotAQuery)?;
    let header = message.header();
    if header.qr() {
        return Err(RequestError::NotAQuery);
    }
    if header.opcode() != Opcode::QUERY {
        return Err(RequestError::OtherOpcode);
    }
    let counts = message.header_counts();
    // A query has exactly one question (RFC 9619). Records in the answer or authority section belong to messages that
    // are not plain queries, such as IXFR (RFC 1995).
    if (counts.qdcount(), counts.ancount(), counts.nscount()) != (1, 0, 0) {
        return Err(RequestError::Malformed);
    }
    let request = Request::question(packet).ok_or(RequestError::Malformed)?;
    // Records in the additional section, such as a TSIG signature, must be well formed; OPT may appear once (RFC 6891).
    let mut edns = 0;
    for record in message.additional().map_err(|_| RequestError::Malformed)? {
        let record = record.map_err(|_| RequestError::Malformed)?;
        edns += usize::from(record.rtype().to_int() == OPT_TYPE);
    }
    match (edns, message.opt()) {
        (0, _) => Ok(request),
        (1, Some(opt)) => {
            let mut subnet = AskedSubnet::Absent;
            for option in opt.opt().iter::<UnknownOptData<&[u8]>>() {
                let option = option.map_err(|_| RequestError::Malformed)?;
                if option.code().to_int() == SUBNET_OPTION {
                    subnet.add(option.as_slice());
                }
            }
            let (size, version, dnssec) = (opt.udp_payload_size(), opt.version(), opt.dnssec_ok());
            let edns = Edns { size, version, dnssec, subnet };
            Ok(Request { edns: Some(edns), ..request })
        }
        _ => Err(RequestError::Malformed),
    }
}

/// Writes the answer to a packet that was not parsed: a header with the packet's id and an error code.
pub(crate) fn write_error(packet: &[u8], reason: RequestError, out: &mut Vec<u8>) -> Option<Rcode> {
    let rcode = match reason {
        RequestError::NotAQuery => return None,
        RequestError::Malformed => Rcode::FORMERR,
        RequestError::OtherOpcode => Rcode::NOTIMP,
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
    fn both_parsers_read_the_network_of_the_client() {
        let question = b"\x03web\x05local\x00\x00\x01\x00\x01";
        let asked = |option: &[u8]| {
            let length = u8::try_from(option.len() + 4).expect("a short option");
            let data = u8::try_from(option.len()).expect("a short option");
            let opt = [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length, 0, 8, 0, data], option].concat();
            let packet = query([0, 1, 0, 0, 0, 0, 0, 1], &[&question[..], &opt].concat());
            let common = Request::parse_common(&packet).expect("the common form");
            let unusual = parse_unusual(&packet).expect("a query");
            let [common, unusual] = [common, unusual].map(|request| request.edns.expect("EDNS").subnet);
            assert_eq!(common, unusual, "{option:?}");
            common
        };
        let given = asked(&[0, 1, 24, 0, 192, 0, 2]).given().expect("a network");
        assert_eq!((given.address.to_string().as_str(), given.source), ("192.0.2.0", 24));
        assert_eq!(asked(&[0, 1, 24, 0, 192, 0]), AskedSubnet::Malformed);
        assert_eq!(asked(&[]), AskedSubnet::Malformed);
    }

    #[test]
    fn packets_are_parsed_or_refused() {
        let question = b"\x03web\x05local\x00\x00\x01\x00\x01";
        let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
        let with_cookie = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08abcdefgh";
        let cut_option = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x08ab";
        let tsig_like = b"\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00";
        let (one, with_one, with_two) =
            ([0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0, 0, 2]);
        // The last field is the UDP size in the OPT record, if any.
        type Case = (&'static str, Vec<u8>, bool, Result<Option<u16>, RequestError>);
        let cases: Vec<Case> = vec![
            ("a question", query(one, question), true, Ok(None)),
            ("with EDNS", query(with_one, &[&question[..], opt].concat()), true, Ok(Some(1232))),
            ("with a cookie", query(with_one, &[&question[..], with_cookie].concat()), true, Ok(Some(1232))),
            (
                "with an option that is cut",
                query(with_one, &[&question[..], cut_option].concat()),
                false,
                Err(RequestError::Malformed),
            ),
            ("with another record", query(with_one, &[&question[..], tsig_like].concat()), false, Ok(None)),
            ("with both", query(with_two, &[&question[..], tsig_like, opt].concat()), false, Ok(Some(1232))),
            (
                "with EDNS twice",
                query(with_two, &[&question[..], opt, opt].concat()),
                false,
                Err(RequestError::Malformed),
            ),
            (
                "without the record it announces",
                query(with_one, question),
                false,
                Err(RequestError::Malformed),
            ),
            ("without a question", query([0; 8], b""), false, Err(RequestError::Malformed)),
            (
                "two questions",
                query([0, 2, 0, 0, 0, 0, 0, 0], &question.repeat(2)),
                false,
                Err(RequestError::Malformed),
            ),
            ("a cut question", query(one, &question[..8]), false, Err(RequestError::Malformed)),
            ("a cut header", vec![0, 7, 1], false, Err(RequestError::NotAQuery)),
            (
                "an answer",
                [&[0, 7, 0x81, 0][..], &one, question].concat(),
                false,
                Err(RequestError::NotAQuery),
            ),
            (
                "an update",
                [&[0, 7, 0x28, 0][..], &one, question].concat(),
                false,
                Err(RequestError::OtherOpcode),
            ),
        ];
        for (case, packet, is_common, want) in cases {
            let common = Request::parse_common(&packet);
            assert_eq!(common.is_some(), is_common, "{case}");
            let size = |request: Request| request.edns.map(|edns| edns.size);
            if let Some(common) = common {
                assert_eq!(Ok(size(common)), want, "{case}");
            }
            assert_eq!(parse_unusual(&packet).map(size), want, "{case}: both parsers agree");
        }
    }
}
