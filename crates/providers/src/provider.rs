//! What every DNS provider does.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType};

use crate::error::{ProviderError, Unsupported};

/// How much a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most that one batch holds, in the unit of [`Provider::size`]. A change with more is a batch of its own.
    pub size_per_batch: usize,
    /// Least time between two requests.
    pub interval: Duration,
    /// Whether one rejected change makes the provider reject its whole batch.
    pub is_atomic: bool,
}

/// One DNS service with its credentials. It does one request at a time and never retries: [`Publisher`] does.
///
/// [`Publisher`]: crate::Publisher
pub trait Provider: fmt::Debug + Send + Sync {
    /// Name for messages, such as `RFC 2136`.
    fn name(&self) -> &'static str;

    /// How much it takes.
    fn limits(&self) -> Limits;

    /// How much of a batch a change takes: by default its writes, those of marks included.
    fn size(&self, change: &Change) -> usize {
        change.writes.len()
    }

    /// Whether the provider has a form for the change. By default it has none for routing policies, and none for types
    /// that Portolan does not write.
    ///
    /// # Errors
    /// [`ProviderError::Unsupported`].
    fn check(&self, change: &Change) -> Result<(), ProviderError> {
        let refuse = |what| Err(ProviderError::Unsupported { provider: self.name(), what });
        for set in change.writes.iter().map(|write| write.set()) {
            match &set.kind {
                RecordType::Other(_) => return refuse(Unsupported::Type(set.kind.clone())),
                _ if set.routing.is_some() => return refuse(Unsupported::Routing),
                _ => {}
            }
        }
        Ok(())
    }

    /// Every record set of a zone.
    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>>;

    /// Applies changes to a zone. Returns one result for each change, in order. A provider that is atomic returns the
    /// same error for all of them.
    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>>;

    /// Called when every wanted record of a zone is written. With `is_cleared` no records are wanted there any more. Does nothing
    /// by default.
    fn complete(&self, _zone: &DomainName, _is_cleared: bool) {}
}
