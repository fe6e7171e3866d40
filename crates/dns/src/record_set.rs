//! Record sets: all records of one name and type, encoded when they change.
//!
//! The owner of each record is a compression pointer to the name in the question, which has the same offset in every
//! answer, and names in the record data are not compressed. The bytes can therefore be copied to any offset of an
//! answer, starting at any record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dnswire::base::iana::{Class, Rtype};
use dnswire::base::rdata::ComposeRecordData;
use dnswire::base::{Name, RecordData, Serial, Ttl};
use dnswire::rdata::{A, Aaaa, Cname, Ns, Ptr, Soa, Srv, Txt};

/// Compression pointer to the name in the question, at offset 12.
pub(crate) const TO_QUESTION: [u8; 2] = [0xC0, 0x0C];
/// Octets of a record before its data: owner (2), type (2), class (2), TTL (4) and length (2).
const RECORD_HEAD: usize = 12;

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;

/// Offsets at which the records end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ends {
    /// All records have this length.
    Every(usize),
    At(Box<[u32]>),
}

/// All records of one name and type; never empty (RFC 2181, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordSet {
    kind: u16,
    records: Box<[u8]>,
    ends: Ends,
}

impl RecordSet {
    pub(crate) fn kind(&self) -> u16 {
        self.kind
    }

    pub(crate) fn count(&self) -> usize {
        match &self.ends {
            Ends::Every(length) => self.records.len() / length,
            Ends::At(ends) => ends.len(),
        }
    }

    /// Time to live in seconds.
    pub(crate) fn ttl(&self) -> u32 {
        // A set is never empty, and every record has its head.
        self.record(0)[6..10].iter().fold(0, |ttl, octet| ttl << 8 | u32::from(*octet))
    }

    /// One record.
    pub(crate) fn record(&self, index: usize) -> &[u8] {
        match &self.ends {
            Ends::Every(length) => &self.records[index * length..(index + 1) * length],
            Ends::At(ends) => {
                let start = if index == 0 { 0 } else { ends[index - 1] as usize };
                &self.records[start..ends[index] as usize]
            }
        }
    }

    /// The data of one record.
    pub(crate) fn data(&self, index: usize) -> &[u8] {
        &self.record(index)[RECORD_HEAD..]
    }

    /// Appends all records to `out`, starting with `first` and wrapping around, until `room` octets are used. Returns
    /// how many records were appended.
    #[inline]
    pub(crate) fn write(&self, first: usize, room: usize, out: &mut Vec<u8>) -> usize {
        if self.records.len() <= room {
            let split = match (&self.ends, first) {
                (_, 0) => 0,
                (Ends::Every(length), _) => first * length,
                (Ends::At(ends), _) => ends[first - 1] as usize,
            };
            out.extend_from_slice(&self.records[split..]);
            out.extend_from_slice(&self.records[..split]);
            return self.count();
        }
        let count = self.count();
        let mut left = room;
        for written in 0..count {
            let record = self.record((first + written) % count);
            let Some(rest) = left.checked_sub(record.len()) else { return written };
            left = rest;
            out.extend_from_slice(record);
        }
        count
    }

    /// Addresses of a set of A or AAAA records; empty for other types.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        (0..self.count()).filter_map(|index| {
            let data = self.data(index);
            match self.kind {
                A => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?))),
                AAAA => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?))),
                _ => None,
            }
        })
    }
}

/// The text is not a valid domain name, or too long for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncodeError;

fn wire_name(name: &str) -> Result<Name<Vec<u8>>, EncodeError> {
    Name::vec_from_str(name).map_err(|_| EncodeError)
}

/// Encodes the records of one set.
pub(crate) struct RecordSetBuilder {
    kind: u16,
    ttl: Ttl,
    records: Vec<u8>,
    ends: Vec<u32>,
}

impl RecordSetBuilder {
    pub(crate) fn new(kind: u16, ttl_secs: u32) -> Self {
        Self { kind, ttl: Ttl::from_secs(ttl_secs), records: Vec::new(), ends: Vec::new() }
    }

    fn push<D: ComposeRecordData + RecordData>(&mut self, data: &D) {
        debug_assert_eq!(data.rtype(), Rtype::from_int(self.kind));
        self.records.extend_from_slice(&TO_QUESTION);
        let Ok(()) = data.rtype().compose(&mut self.records);
        let Ok(()) = Class::IN.compose(&mut self.records);
        let Ok(()) = self.ttl.compose(&mut self.records);
        let Ok(()) = data.compose_len_rdata(&mut self.records);
        self.ends.push(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.push(&A::new(address)),
            IpAddr::V6(address) => self.push(&Aaaa::new(address)),
        }
    }

    /// # Errors
    /// When the target is not a valid domain name.
    pub(crate) fn server(
        &mut self,
        (priority, weight, port): (u16, u16, u16),
        target: &str,
    ) -> Result<(), EncodeError> {
        self.push(&Srv::new(priority, weight, port, wire_name(target)?));
        Ok(())
    }

    /// # Errors
    /// When the target is not a valid domain name.
    pub(crate) fn alias(&mut self, target: &str) -> Result<(), EncodeError> {
        self.push(&Cname::new(wire_name(target)?));
        Ok(())
    }

    /// # Errors
    /// When the target is not a valid domain name.
    pub(crate) fn pointer(&mut self, target: &str) -> Result<(), EncodeError> {
        self.push(&Ptr::new(wire_name(target)?));
        Ok(())
    }

    /// # Errors
    /// When the target is not a valid domain name.
    pub(crate) fn name_server(&mut self, target: &str) -> Result<(), EncodeError> {
        self.push(&Ns::new(wire_name(target)?));
        Ok(())
    }

    /// # Errors
    /// When the text does not fit into a TXT record.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        self.push(&Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).map_err(|_| EncodeError)?);
        Ok(())
    }

    /// Adds the SOA record; its minimum field, the TTL of negative answers (RFC 2308), is the TTL of the set.
    ///
    /// # Errors
    /// When one of the names is not a valid domain name.
    pub(crate) fn authority(&mut self, server: &str, mailbox: &str, serial: u32) -> Result<(), EncodeError> {
        let soa = Soa::new(
            wire_name(server)?,
            wire_name(mailbox)?,
            Serial(serial),
            Ttl::from_secs(7200),
            Ttl::from_secs(1800),
            Ttl::from_secs(86400),
            self.ttl,
        );
        self.push(&soa);
        Ok(())
    }

    /// The encoded set; `None` without any record.
    pub(crate) fn finish(self) -> Option<RecordSet> {
        let first = *self.ends.first()? as usize;
        let is_even = self.ends.iter().enumerate().all(|(index, &end)| end as usize == (index + 1) * first);
        let ends = if is_even { Ends::Every(first) } else { Ends::At(self.ends.into_boxed_slice()) };
        Some(RecordSet { kind: self.kind, records: self.records.into_boxed_slice(), ends })
    }
}
