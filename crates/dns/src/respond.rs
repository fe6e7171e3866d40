//! Answers one packet.
//!
//! ```text
//! packet ─► Request ─► lookup in the snapshot ─► header, question as received, encoded records, OPT record
//! ```
//!
//! Nothing blocks here, and nothing is allocated for packets of the common form, except in zones with regions of clients.

use std::net::IpAddr;

use dnswire::base::iana::Rcode;

use crate::answered::{Answered, Outcome};
use crate::client_subnet::{AskedSubnet, Subnet};
use crate::lookup::Lookup;
use crate::name::Name;
use crate::public::nearness::Place;
use crate::public::signed;
use crate::record_set::{A, AAAA, CNAME, RecordSet, SOA};
use crate::request::{self, Edns, HEADER, MAX_UDP, OPT, Request};
use crate::service::set_of;
use crate::zone::Zone;
use crate::zones::{Snapshot, ZoneLookup};

/// Maximum size of a UDP answer in octets without EDNS (RFC 1035).
const PLAIN_UDP: u16 = 512;
const MAX_TCP: usize = 65_535;
/// Maximum length of a CNAME chain in one answer.
const MAX_ALIASES: usize = 8;

const ANY: u16 = 255;
const IN: u16 = 1;
const ANY_CLASS: u16 = 255;
/// Range of query meta types such as TKEY, IXFR and AXFR (RFC 6895), without ANY.
const FIRST_META: u16 = 249;
const LAST_META: u16 = 254;

const AUTHORITATIVE: u8 = 0x04;
const TRUNCATED: u8 = 0x02;

/// Transport that delivered the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// Writes the answer to `packet` into `out`. Returns `None` if the packet must not be answered; in that case the
/// contents of `out` are unspecified.
///
/// `turn` selects the first record of sets with several records. The caller increments it for each query, to spread
/// clients that use the first address. `peer` is the client, or the resolver that asks for one.
pub(crate) fn respond(
    snapshot: &Snapshot,
    packet: &[u8],
    peer: IpAddr,
    transport: Transport,
    turn: usize,
    out: &mut Vec<u8>,
) -> Option<Answered> {
    let common = Request::parse_common(packet);
    if common.is_none()
        && let Some(answer) = signed::soa(snapshot, packet)
    {
        *out = answer;
        return Some(Answered { kind: SOA, outcome: Outcome::Data });
    }
    let request = match common.map_or_else(|| request::parse_unusual(packet), Ok) {
        Ok(request) => request,
        Err(reason) => {
            let rcode = request::write_error(packet, reason, out)?;
            let outcome = if rcode == Rcode::NOTIMP { Outcome::NotImplemented } else { Outcome::FormatError };
            return Some(Answered { kind: 0, outcome });
        }
    };
    let limit = match (transport, request.edns) {
        (Transport::Tcp, _) => MAX_TCP,
        (Transport::Udp, Some(edns)) => usize::from(edns.size.clamp(PLAIN_UDP, MAX_UDP)),
        (Transport::Udp, None) => usize::from(PLAIN_UDP),
    };
    out.clear();
    out.extend_from_slice(&packet[..request.end]);
    let subnet = request.edns.and_then(|edns| edns.subnet.given());
    let option = subnet.map_or(0, |subnet| subnet.length());
    let room = limit - option - if request.edns.is_some() { OPT } else { 0 };
    let place = match subnet {
        Some(Subnet { address, source, .. }) => Place { address, known: source },
        None => Place { address: peer, known: if peer.is_ipv4() { 32 } else { 128 } },
    };
    let mut writer =
        AnswerWriter { out, room, turn, place, scope: 0, answers: 0, authority: 0, is_truncated: false };
    let outcome = writer.answer(snapshot, &request);
    writer.finish(packet, &request, outcome);
    Some(Answered { kind: request.kind, outcome })
}

/// Appends records to an answer that already has its header and question.
struct AnswerWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Maximum size of header, question and records together, in octets.
    room: usize,
    turn: usize,
    /// The client.
    place: Place,
    /// Bits of its address that the answer depends on.
    scope: u8,
    answers: usize,
    authority: u16,
    is_truncated: bool,
}

impl AnswerWriter<'_> {
    #[inline]
    fn answer(&mut self, snapshot: &Snapshot, request: &Request) -> Outcome {
        if request.edns.is_some_and(|edns| edns.version != 0) {
            return Outcome::BadVersion;
        }
        if request.edns.is_some_and(|edns| edns.subnet == AskedSubnet::Malformed) {
            return Outcome::FormatError;
        }
        if !matches!(request.class, IN | ANY_CLASS) || (FIRST_META..=LAST_META).contains(&request.kind) {
            return Outcome::Refused;
        }
        match snapshot.find(&request.name) {
            ZoneLookup::NotServed => Outcome::Refused,
            ZoneLookup::NotSynced => Outcome::ServerFailure,
            ZoneLookup::Served(zone, Lookup::NoName) => {
                self.deny(zone, &request.name);
                Outcome::NoName
            }
            ZoneLookup::Served(zone, Lookup::Exists(sets)) => match matching(sets, request.kind) {
                Some(set) => {
                    let set = self.nearest(zone, &request.name, set);
                    self.put(set);
                    Outcome::Data
                }
                None => match set_of(sets, CNAME) {
                    Some(alias) => self.follow(snapshot, alias, request.kind),
                    None => {
                        self.deny(zone, &request.name);
                        Outcome::NoData
                    }
                },
            },
        }
    }

    /// The set with the addresses in the region of the client, if the name has some there; `set` otherwise.
    #[inline]
    fn nearest<'b>(&mut self, zone: &'b Zone, name: &Name, set: &'b RecordSet) -> &'b RecordSet {
        if !zone.has_places() || !matches!(set.kind(), A | AAAA) {
            return set;
        }
        let (near, bits) = zone.near(name, self.place, set.kind());
        self.scope = self.scope.max(bits);
        near.unwrap_or(set)
    }

    /// Adds records with the name in the question as owner.
    #[inline]
    fn put(&mut self, set: &RecordSet) {
        let first = match set.count() {
            1 => 0,
            count => self.turn % count,
        };
        let written = set.write(first, self.room.saturating_sub(self.out.len()), self.out);
        self.answers += written;
        self.is_truncated |= written < set.count();
    }

    /// Adds a CNAME record and follows it through the names of our zones.
    fn follow(&mut self, snapshot: &Snapshot, alias: &RecordSet, kind: u16) -> Outcome {
        self.put(alias);
        let mut target = alias.data(0);
        for _ in 0..MAX_ALIASES {
            let Some(name) = Name::read(target) else { return Outcome::Data };
            let ZoneLookup::Served(zone, found) = snapshot.find(&name) else { return Outcome::Data };
            let Lookup::Exists(sets) = found else {
                self.deny_elsewhere(zone);
                // The response code applies to the last name of the chain (RFC 6604).
                return Outcome::NoName;
            };
            match (matching(sets, kind), set_of(sets, CNAME)) {
                (Some(set), _) => {
                    let set = self.nearest(zone, &name, set);
                    self.put_elsewhere(target, set);
                    return Outcome::Data;
                }
                (None, Some(next)) => {
                    self.put_elsewhere(target, next);
                    target = next.data(0);
                }
                (None, None) => {
                    self.deny_elsewhere(zone);
                    return Outcome::Data;
                }
            }
        }
        Outcome::Data
    }

    /// Adds records with another owner than the name in the question.
    fn put_elsewhere(&mut self, owner: &[u8], set: &RecordSet) {
        for index in 0..set.count() {
            let record = &set.record((self.turn + index) % set.count())[2..];
            if self.out.len() + owner.len() + record.len() > self.room {
                self.is_truncated = true;
                return;
            }
            self.out.extend_from_slice(owner);
            self.out.extend_from_slice(record);
            self.answers += 1;
        }
    }

    /// Adds the SOA record, so that resolvers can cache the negative answer (RFC 2308). Its owner is a pointer into the
    /// name in the question.
    fn deny(&mut self, zone: &Zone, name: &Name) {
        let soa = &zone.authority().record(0)[2..];
        if self.out.len() + 2 + soa.len() > self.room {
            return;
        }
        let place = HEADER + name.start(name.labels() - zone.labels());
        let pointer = 0xC000 | u16::try_from(place).unwrap_or(0);
        self.out.extend_from_slice(&pointer.to_be_bytes());
        self.out.extend_from_slice(soa);
        self.authority += 1;
    }

    /// Adds the SOA record with its full owner name.
    fn deny_elsewhere(&mut self, zone: &Zone) {
        let soa = &zone.authority().record(0)[2..];
        if self.out.len() + zone.origin().len() + soa.len() <= self.room {
            self.out.extend_from_slice(zone.origin());
            self.out.extend_from_slice(soa);
            self.authority += 1;
        }
    }

    /// Completes the header and adds the OPT record.
    #[inline]
    fn finish(self, packet: &[u8], request: &Request, outcome: Outcome) {
        let is_ours = matches!(outcome, Outcome::Data | Outcome::NoData | Outcome::NoName);
        let flags = 0x80
            | packet[2] & 0x01
            | if is_ours { AUTHORITATIVE } else { 0 }
            // Also over TCP, where it says that a message cannot hold all records.
            | if self.is_truncated { TRUNCATED } else { 0 };
        let answers = u16::try_from(self.answers).unwrap_or(u16::MAX).to_be_bytes();
        let authority = self.authority.to_be_bytes();
        let additional = u8::from(request.edns.is_some());
        // Of the client's second flag octet, only CD (checking disabled) is copied (RFC 4035).
        let header = [flags, packet[3] & 0x10 | outcome.rcode(), 0, 1, answers[0], answers[1]];
        self.out[2..8].copy_from_slice(&header);
        self.out[8..HEADER].copy_from_slice(&[authority[0], authority[1], 0, additional]);
        if let Some(Edns { dnssec, subnet, .. }) = request.edns {
            let [size_high, size_low] = MAX_UDP.to_be_bytes();
            let high_rcode = u8::from(outcome == Outcome::BadVersion);
            let dnssec = if dnssec { 0x80 } else { 0 };
            let subnet = subnet.given();
            let options = subnet.map_or(0, |subnet| subnet.length());
            let [options_high, options_low] = u16::try_from(options).unwrap_or(0).to_be_bytes();
            let opt = [0, 0, 41, size_high, size_low, high_rcode, 0, dnssec, 0, options_high, options_low];
            self.out.extend_from_slice(&opt);
            if let Some(subnet) = subnet {
                subnet.write(self.scope, self.out);
            }
        }
    }
}

/// The record set that answers a query for `kind`; for ANY the first one (RFC 8482).
#[inline]
fn matching(sets: &[RecordSet], kind: u16) -> Option<&RecordSet> {
    if kind == ANY { sets.first() } else { set_of(sets, kind) }
}
