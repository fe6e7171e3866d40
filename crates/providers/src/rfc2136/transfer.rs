//! Reads a whole zone by AXFR (RFC 5936).

use std::collections::BTreeMap;

use dnswire::base::iana::{Rcode, Rtype};
use dnswire::base::{Message, MessageBuilder, StreamTarget};
use dnswire::tsig::ClientSequence;
use portolan_plan::federation::dns::record::{DomainName, RecordKey, RecordSet};

use super::connection::Connection;
use super::record_data::{decode, wire_name};
use super::{Settings, answer};
use crate::error::ProviderError;

/// Most records of a zone.
const MAX_RECORDS: usize = 500_000;

/// Every record set of a zone, without its SOA record.
pub(super) async fn zone(settings: &Settings, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
    let too_long = || settings.bad_answer("the name of the zone does not fit into a message");
    let mut builder = MessageBuilder::from_target(StreamTarget::new_vec()).map_err(|_| too_long())?;
    builder.header_mut().set_id(rand::random());
    let id = builder.header().id();
    let mut question = builder.question();
    let name = wire_name(zone.as_str()).ok_or_else(too_long)?;
    question.push((name, Rtype::AXFR)).map_err(|_| too_long())?;
    let mut draft = question.additional();
    let mut sequence = match &settings.key {
        Some(key) => {
            let signed = ClientSequence::request(key.key(), &mut draft, settings.now());
            Some(signed.map_err(|_| too_long())?)
        }
        None => None,
    };
    let mut connection = Connection::open(settings).await?;
    connection.send(draft.as_target().as_stream_slice()).await?;
    let mut collected = Collected::default();
    while !collected.is_complete() {
        let mut message = connection.receive().await?;
        if message.header().id() != id {
            return Err(settings.bad_answer("an answer to something that was not asked"));
        }
        if let Some(sequence) = &mut sequence {
            let verified = sequence.answer(&mut message, settings.now());
            verified.or_else(|error| answer::of_signature(settings, error, &message))?;
        }
        collected.add(settings, zone, &message)?;
    }
    // The last message must be signed, or records could have been added after the last signature.
    let done = sequence.map_or(Ok(()), ClientSequence::done);
    done.map_err(|_| settings.bad_answer("the end of the transfer is not signed"))?;
    Ok(collected.sets.into_values().collect())
}

/// The records that were received so far.
#[derive(Default)]
struct Collected {
    /// SOA records: the first record of the transfer, and its last.
    ends: usize,
    records: usize,
    sets: BTreeMap<RecordKey, RecordSet>,
}

impl Collected {
    fn is_complete(&self) -> bool {
        self.ends == 2
    }

    fn add(
        &mut self,
        settings: &Settings,
        zone: &DomainName,
        message: &Message<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        match message.header().rcode() {
            Rcode::NOERROR => {}
            Rcode::REFUSED => {
                return Err(ProviderError::Refused {
                    server: settings.server.clone(),
                    what: "the zone transfer (allow-transfer of BIND, acl of Knot)",
                    zone: zone.clone(),
                });
            }
            code => return Err(answer::of_code(settings, zone, code)),
        }
        let malformed = |_| settings.bad_answer("a record of the transfer is malformed");
        let before = self.records;
        for record in message.answer().map_err(malformed)? {
            let record = record.map_err(malformed)?;
            self.records += 1;
            if record.rtype() == Rtype::SOA {
                self.ends += 1;
                continue;
            }
            if self.ends != 1 {
                return Err(settings.bad_answer("the transfer does not begin with the SOA record"));
            }
            if self.records > MAX_RECORDS {
                return Err(ProviderError::TooLarge { zone: zone.clone(), limit: MAX_RECORDS });
            }
            // A name that Portolan cannot have is of no interest.
            let Ok(name) = DomainName::parse(&record.owner().to_string()) else { continue };
            let Some((kind, target)) = decode(&record) else { continue };
            let set = RecordSet::new(name, kind, record.ttl().as_secs(), [target]);
            let targets = set.targets.clone();
            self.sets.entry(set.key()).or_insert(set).targets.extend(targets);
        }
        if self.records == before {
            return Err(settings.bad_answer("a message of the transfer has no records"));
        }
        Ok(())
    }
}
