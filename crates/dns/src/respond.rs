//! From a packet to its answer.
//!
//! ```text
//! packet ─► Request ─► name in the snapshot ─► header, question as it was spelt, encoded records, EDNS
//! ```
//!
//! Nothing waits and nothing is allocated here, except in the rare forms.

use dnswire::base::iana::Rcode;

use crate::name::Name;
use crate::record_set::{CNAME, RecordSet};
use crate::request::{self, Edns, HEADER, OPT, Request};
use crate::service::set_of;
use crate::zone::{Found, Zone};
use crate::zones::{Place, Snapshot};

/// The longest UDP answer, whatever the client allows: what passes every network in one piece.
pub(crate) const MAX_UDP: u16 = 1232;
/// The longest UDP answer for a client that says nothing (RFC 1035).
const PLAIN_UDP: u16 = 512;
const MAX_TCP: usize = 65_535;
/// Aliases that are followed for one answer.
const MAX_ALIASES: usize = 8;

const ANY: u16 = 255;
const IN: u16 = 1;
const ANY_CLASS: u16 = 255;
/// Types that ask for more than records: transfers and the like.
const FIRST_META: u16 = 249;
const LAST_META: u16 = 254;

const AUTHORITATIVE: u8 = 0x04;
const TRUNCATED: u8 = 0x02;

/// How the packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What was asked and answered, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The type asked for; zero when there was none.
    pub(crate) kind: u16,
    pub(crate) outcome: Outcome,
}

/// How a query was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Data,
    NoData,
    NoName,
    FormatError,
    ServerFailure,
    NotImplemented,
    Refused,
    BadVersion,
}

impl Outcome {
    fn rcode(self) -> u8 {
        match self {
            Self::Data | Self::NoData | Self::BadVersion => 0,
            Self::FormatError => 1,
            Self::ServerFailure => 2,
            Self::NoName => 3,
            Self::NotImplemented => 4,
            Self::Refused => 5,
        }
    }
}

/// Writes the answer to `packet` into `out`. `None` when it gets none; `out` is of no meaning then.
///
/// `turn` says at which record sets of several begin; a caller counts it up, so that clients which take the first
/// address spread.
pub(crate) fn respond(
    snapshot: &Snapshot,
    packet: &[u8],
    transport: Transport,
    turn: usize,
    out: &mut Vec<u8>,
) -> Option<Answered> {
    let request = match Request::plain(packet).map_or_else(|| request::odd(packet), Ok) {
        Ok(request) => request,
        Err(reason) => {
            let rcode = request::refusal(packet, reason, out)?;
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
    let room = limit - if request.edns.is_some() { OPT } else { 0 };
    let mut writer = Writer { out, room, turn, answers: 0, authority: 0, is_truncated: false };
    let outcome = writer.answer(snapshot, &request);
    writer.finish(packet, &request, outcome, transport);
    Some(Answered { kind: request.kind, outcome })
}

/// An answer in the making: header and question are there, the records follow.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Octets that header, question and records may have together.
    room: usize,
    turn: usize,
    answers: usize,
    authority: u16,
    is_truncated: bool,
}

impl Writer<'_> {
    #[inline]
    fn answer(&mut self, snapshot: &Snapshot, request: &Request) -> Outcome {
        if request.edns.is_some_and(|edns| edns.version != 0) {
            return Outcome::BadVersion;
        }
        if !matches!(request.class, IN | ANY_CLASS) || (FIRST_META..=LAST_META).contains(&request.kind) {
            return Outcome::Refused;
        }
        match snapshot.find(&request.name) {
            Place::Foreign => Outcome::Refused,
            Place::Unknown => Outcome::ServerFailure,
            Place::In(zone, Found::Missing) => {
                self.deny(zone, &request.name);
                Outcome::NoName
            }
            Place::In(zone, Found::Sets(sets)) => match matching(sets, request.kind) {
                Some(set) => {
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

    /// Adds the records of the question's name.
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

    /// Adds an alias and, as far as they are ours, the names that it leads to.
    fn follow(&mut self, snapshot: &Snapshot, alias: &RecordSet, kind: u16) -> Outcome {
        self.put(alias);
        let mut target = alias.data(0);
        for _ in 0..MAX_ALIASES {
            let Some(name) = Name::read(target) else { return Outcome::Data };
            let Place::In(zone, found) = snapshot.find(&name) else { return Outcome::Data };
            let Found::Sets(sets) = found else {
                self.deny_elsewhere(zone);
                // The code is about the last name (RFC 6604).
                return Outcome::NoName;
            };
            match (matching(sets, kind), set_of(sets, CNAME)) {
                (Some(set), _) => {
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

    /// Adds the records of another name than the question's.
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

    /// Adds the start of authority, which lets resolvers keep that there is nothing. Its owner is the end of the
    /// question's name.
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

    fn deny_elsewhere(&mut self, zone: &Zone) {
        let soa = &zone.authority().record(0)[2..];
        if self.out.len() + zone.origin().len() + soa.len() <= self.room {
            self.out.extend_from_slice(zone.origin());
            self.out.extend_from_slice(soa);
            self.authority += 1;
        }
    }

    /// Completes the header and adds EDNS.
    #[inline]
    fn finish(self, packet: &[u8], request: &Request, outcome: Outcome, transport: Transport) {
        let is_ours = matches!(outcome, Outcome::Data | Outcome::NoData | Outcome::NoName);
        // Over TCP there is no better way to ask again: what fits is the answer.
        let is_truncated = self.is_truncated && transport == Transport::Udp;
        let flags = 0x80
            | packet[2] & 0x01
            | if is_ours { AUTHORITATIVE } else { 0 }
            | if is_truncated { TRUNCATED } else { 0 };
        let answers = u16::try_from(self.answers).unwrap_or(u16::MAX).to_be_bytes();
        let authority = self.authority.to_be_bytes();
        let additional = u8::from(request.edns.is_some());
        // Of the second half, only the "checking disabled" flag is the client's to set (RFC 4035).
        let header = [flags, packet[3] & 0x10 | outcome.rcode(), 0, 1, answers[0], answers[1]];
        self.out[2..8].copy_from_slice(&header);
        self.out[8..HEADER].copy_from_slice(&[authority[0], authority[1], 0, additional]);
        if let Some(Edns { dnssec, .. }) = request.edns {
            let [size_high, size_low] = MAX_UDP.to_be_bytes();
            let high_rcode = u8::from(outcome == Outcome::BadVersion);
            let dnssec = if dnssec { 0x80 } else { 0 };
            self.out.extend_from_slice(&[0, 0, 41, size_high, size_low, high_rcode, 0, dnssec, 0, 0, 0]);
        }
    }
}

/// The set that answers a question for `kind`; for ANY, one of them (RFC 8482).
#[inline]
fn matching(sets: &[RecordSet], kind: u16) -> Option<&RecordSet> {
    if kind == ANY { sets.first() } else { set_of(sets, kind) }
}
