//! DNS servers that take dynamic updates (RFC 2136) and zone transfers (RFC 5936): BIND, Knot, PowerDNS, Windows and
//! others, with messages signed by TSIG (RFC 8945).
//!
//! A zone is read by AXFR. Every change is one UPDATE message, which the server applies as a whole or not at all. Its
//! prerequisites say what the zone had when it was read, so that a writer that came between is never overwritten.

mod answer;
mod connection;
mod record_data;
mod transfer;
mod update;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dnswire::base::message_builder::AdditionalBuilder;
use dnswire::base::{Message, StreamTarget};
use dnswire::rdata::tsig::Time48;
use dnswire::tsig::{ClientTransaction, Key};
use futures::FutureExt;
use futures::future::BoxFuture;
pub use portolan_dns::{TransactionKey, TransactionKeyError};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet};

use self::connection::Connection;
use crate::error::ProviderError;
use crate::provider::{Limits, Provider};

/// A message that is being built, with the length in front that TCP needs.
type Draft = AdditionalBuilder<StreamTarget<Vec<u8>>>;

/// What verifies the answer to a signed message.
type Signature = ClientTransaction<Arc<Key>>;

/// Writes in flight on one connection. BIND's default quota of waiting updates is 100.
const WRITES_PER_BATCH: usize = 64;

/// One DNS server and how to talk to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host name or address, and port: `ns1.example.com:53`, `[2001:db8::1]:53`.
    pub server: String,
    /// Signs every message; `None` for servers that decide by address.
    pub key: Option<TransactionKey>,
    /// Time for one connection, one message or its answer.
    pub timeout: Duration,
    /// Time for signatures; [`SystemTime::now`] outside of tests.
    pub clock: fn() -> SystemTime,
}

impl Settings {
    /// A server with the usual timeout of 10 s.
    pub fn new(server: impl Into<String>, key: Option<TransactionKey>) -> Self {
        Self { server: server.into(), key, timeout: Duration::from_secs(10), clock: SystemTime::now }
    }

    fn now(&self) -> Time48 {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time48::from_u64(since.as_secs())
    }

    /// A message that breaks the protocol.
    fn bad_answer(&self, reason: impl Into<String>) -> ProviderError {
        ProviderError::Answer { server: self.server.clone(), reason: reason.into() }
    }
}

/// A provider that talks to one DNS server.
#[derive(Debug, Clone)]
pub struct Rfc2136 {
    settings: Settings,
}

impl Rfc2136 {
    /// A provider with these settings. Connects with the first request.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Sends the updates of a batch on one connection, and takes the answers in any order.
    async fn update(
        &self,
        zone: &DomainName,
        batch: &[Change],
        results: &mut [Result<(), ProviderError>],
    ) -> Result<(), ProviderError> {
        let mut connection = Connection::open(&self.settings).await?;
        let mut waiting: HashMap<u16, (usize, Option<Signature>)> = HashMap::new();
        let first: u16 = rand::random();
        for (index, change) in batch.iter().enumerate() {
            let id = first.wrapping_add(u16::try_from(index).unwrap_or_default());
            match update::message(self.name(), zone, change, id) {
                Ok(mut draft) => {
                    let transaction = self.sign(&mut draft)?;
                    connection.send(draft.as_target().as_stream_slice()).await?;
                    waiting.insert(id, (index, transaction));
                }
                Err(error) => results[index] = Err(error),
            }
        }
        while !waiting.is_empty() {
            let mut message = connection.receive().await?;
            let id = message.header().id();
            let unexpected = || self.settings.bad_answer("an answer to something that was not asked");
            let (index, transaction) = waiting.remove(&id).ok_or_else(unexpected)?;
            self.verify(&mut message, transaction.as_ref())?;
            results[index] = answer::of_update(&self.settings, zone, &batch[index].name, &message);
        }
        Ok(())
    }

    fn sign(&self, draft: &mut Draft) -> Result<Option<Signature>, ProviderError> {
        let Some(key) = &self.settings.key else { return Ok(None) };
        let signed = ClientTransaction::request(key.key(), draft, self.settings.now());
        signed.map(Some).map_err(|_| self.settings.bad_answer("the update is longer than a message may be"))
    }

    fn verify(
        &self,
        message: &mut Message<Vec<u8>>,
        transaction: Option<&Signature>,
    ) -> Result<(), ProviderError> {
        let Some(transaction) = transaction else { return Ok(()) };
        let verified = transaction.answer(message, self.settings.now());
        verified.or_else(|error| answer::of_signature(&self.settings, error, message))
    }
}

impl Provider for Rfc2136 {
    fn name(&self) -> &'static str {
        "RFC 2136"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: WRITES_PER_BATCH, interval: Duration::ZERO, is_atomic: false }
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        transfer::zone(&self.settings, zone).boxed()
    }

    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move {
            let mut results = vec![Err(ProviderError::NotTried); batch.len()];
            if let Err(error) = self.update(zone, batch, &mut results).await {
                let untried = results.iter_mut().filter(|result| **result == Err(ProviderError::NotTried));
                untried.for_each(|result| *result = Err(error.clone()));
            }
            results
        }
        .boxed()
    }
}
