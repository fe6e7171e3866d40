//! CoreDNS with its `etcd` plugin: records are keys of etcd in the layout of SkyDNS.
//!
//! Every change is one transaction of etcd. It fails when anything at its names changed since they were read.
//! etcd has no list of zones: which zones are served is written in the Corefile only.

mod entry;
mod etcd;
mod transaction;

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet};

use self::entry::path_of;
use self::etcd::Etcd;
pub use self::etcd::{Credentials, TlsFiles};
use crate::error::ProviderError;
use crate::provider::{Limits, Provider};

/// Writes of one batch. Its changes are sent one after another.
const WRITES_PER_BATCH: usize = 64;

/// One etcd and where its records are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// URL of a client port of etcd: `https://etcd.example.com:2379`.
    pub url: String,
    /// The first part of every key; `path` in the Corefile. `/skydns` unless CoreDNS is told another.
    pub prefix: String,
    /// For `https` URLs, in PEM.
    pub tls: Option<TlsFiles>,
    /// For an etcd with authentication.
    pub credentials: Option<Credentials>,
    /// Time for one request.
    pub timeout: Duration,
}

impl Settings {
    /// An etcd without TLS or authentication, with the usual prefix and 10 s for a request.
    pub fn new(url: impl Into<String>) -> Self {
        let (url, prefix) = (url.into(), "/skydns".to_owned());
        Self { url, prefix, tls: None, credentials: None, timeout: Duration::from_secs(10) }
    }
}

/// A provider that writes into one etcd.
#[derive(Debug)]
pub struct SkyDns {
    etcd: Etcd,
    prefix: String,
}

impl SkyDns {
    /// A provider with these settings. Connects with the first request.
    ///
    /// # Errors
    /// [`ProviderError::Credentials`] when a certificate or a key cannot be read.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let prefix = format!("/{}", settings.prefix.trim_matches('/'));
        Ok(Self { etcd: Etcd::new(settings)?, prefix })
    }

    async fn sets(&self, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
        let path = path_of(&self.prefix, zone);
        let read = self.etcd.read(&path, zone).await?;
        let records =
            read.entries.iter().flat_map(|found| entry::records(&self.prefix, &found.key, &found.value));
        Ok(entry::sets(records.filter(|record| record.name.is_within(zone))))
    }

    async fn change(&self, zone: &DomainName, change: &Change) -> Result<(), ProviderError> {
        let mut now = transaction::Observed::default();
        for name in transaction::names(change) {
            let path = path_of(&self.prefix, name);
            let read = self.etcd.read(&path, zone).await?;
            now.add(&self.prefix, name, &path, &read);
        }
        let transaction = transaction::plan(&self.prefix, change, &now)?;
        if self.etcd.commit(&transaction).await? {
            Ok(())
        } else {
            Err(ProviderError::Changed { name: change.name.clone() })
        }
    }
}

impl Provider for SkyDns {
    fn name(&self) -> &'static str {
        "CoreDNS with etcd"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: WRITES_PER_BATCH, interval: Duration::ZERO, is_atomic: false }
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        self.sets(zone).boxed()
    }

    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move {
            let mut results = Vec::with_capacity(batch.len());
            for change in batch {
                let result = self.change(zone, change).await;
                let is_general = result.as_ref().is_err_and(|error| !error.is_of_change());
                results.push(result);
                if is_general {
                    break;
                }
            }
            results.resize(batch.len(), Err(ProviderError::NotTried));
            results
        }
        .boxed()
    }
}
