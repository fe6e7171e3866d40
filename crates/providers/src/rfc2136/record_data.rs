//! Data of records: the text form of the plan and the wire form of DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dnswire::base::iana::Rtype;
use dnswire::base::name::{ParsedName, ToName};
use dnswire::base::rdata::{ComposeRecordData, UnknownRecordData};
use dnswire::base::{Name, ParsedRecord};
use dnswire::rdata::{A, Aaaa, AllRecordData, Cname, Txt};
use portolan_plan::federation::dns::record::{DomainName, RecordType};

use crate::error::Unsupported;

/// Most octets of one string of a TXT record.
const STRING_LIMIT: usize = 255;

/// Data in wire form with its type.
pub(super) type Data = UnknownRecordData<Vec<u8>>;

/// The code of a type that Portolan writes.
pub(super) fn code(kind: &RecordType) -> Result<Rtype, Unsupported> {
    Ok(match kind {
        RecordType::A => Rtype::A,
        RecordType::Aaaa => Rtype::AAAA,
        RecordType::Cname => Rtype::CNAME,
        RecordType::Txt => Rtype::TXT,
        RecordType::Other(_) => return Err(Unsupported::Type(kind.clone())),
    })
}

/// Encodes one target of a record set.
pub(super) fn encode(kind: &RecordType, target: &str) -> Result<Data, Unsupported> {
    let bad = || Unsupported::Data(target.to_owned());
    let code = code(kind)?;
    let mut bytes = Vec::new();
    let done = match kind {
        RecordType::A => {
            let address: Ipv4Addr = target.parse().map_err(|_| bad())?;
            A::new(address).compose_rdata(&mut bytes)
        }
        RecordType::Aaaa => {
            let address: Ipv6Addr = target.parse().map_err(|_| bad())?;
            Aaaa::new(address).compose_rdata(&mut bytes)
        }
        RecordType::Cname => Cname::new(wire_name(target).ok_or_else(bad)?).compose_rdata(&mut bytes),
        _ => {
            let text = target.as_bytes();
            let strings = if text.is_empty() { vec![text] } else { text.chunks(STRING_LIMIT).collect() };
            for string in strings {
                bytes.push(u8::try_from(string.len()).map_err(|_| bad())?);
                bytes.extend_from_slice(string);
            }
            Ok(())
        }
    };
    let Ok(()) = done;
    UnknownRecordData::from_octets(code, bytes).map_err(|_| bad())
}

/// A name in wire form.
pub(super) fn wire_name(text: &str) -> Option<Name<Vec<u8>>> {
    Name::vec_from_str(text).ok()
}

/// Type and text of a record that a server sent; `None` for one that cannot be read.
pub(super) fn decode(record: &ParsedRecord<'_, Vec<u8>>) -> Option<(RecordType, String)> {
    let parsed = record.to_any_record::<AllRecordData<_, ParsedName<_>>>().ok()?;
    Some(match parsed.data() {
        AllRecordData::A(data) => (RecordType::A, IpAddr::V4(data.addr()).to_string()),
        AllRecordData::Aaaa(data) => (RecordType::Aaaa, IpAddr::V6(data.addr()).to_string()),
        AllRecordData::Cname(data) => (RecordType::Cname, absolute(data.cname())),
        AllRecordData::Txt(data) => (RecordType::Txt, text(data)),
        other => (RecordType::of(&record.rtype().to_string()), other.to_string()),
    })
}

fn absolute(name: &impl ToName) -> String {
    let text = name.to_vec().fmt_with_dot().to_string();
    DomainName::parse(&text).map_or(text, |name| name.as_str().to_owned())
}

fn text(data: &Txt<impl AsRef<[u8]>>) -> String {
    let bytes: Vec<u8> = data.iter_charstrs().flat_map(|string| string.as_slice()).copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
