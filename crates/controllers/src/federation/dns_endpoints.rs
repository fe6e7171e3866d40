//! The provider that writes DNSEndpoints into the hub, for an ExternalDNS with the source `crd`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use portolan_api::external_dns::DNSEndpoint;
use portolan_api::labels;
use portolan_object::ObjectKey;
use portolan_plan::federation::dns::endpoint_object::{LABEL, Misfit, apply, object_name, sets};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet};
use portolan_providers::{Limits, Provider, ProviderError};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Client, ClientError};

use crate::missing::ignore_missing;

/// The server in messages.
const SERVER: &str = "the control plane";
/// Writes of one batch. Its changes are sent one after another.
const WRITES_PER_BATCH: usize = 64;

/// DNSEndpoints in one namespace of the hub.
#[derive(Debug)]
pub(super) struct DnsEndpoints {
    pub(super) hub: Client,
    pub(super) namespace: String,
}

impl DnsEndpoints {
    async fn read(&self, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
        let ours = Selection::labels(format!("{LABEL}={}", labels::TRUE));
        let selection = Selection { namespace: self.namespace.clone(), ..ours };
        let listed = self.hub.kind::<DNSEndpoint>().list(&selection).await.map_err(failure)?;
        let found = listed.items.iter().flat_map(|seen| sets(&seen.object));
        Ok(found.filter(|set| set.name.is_within(zone)).collect())
    }

    async fn change(&self, change: &Change) -> Result<(), ProviderError> {
        let api = self.hub.kind::<DNSEndpoint>();
        let key = ObjectKey::namespaced(&*self.namespace, object_name(&change.name));
        let old = ignore_missing(api.get(&key).await).map_err(failure)?;
        let name = change.name.clone();
        let new = apply(&self.namespace, old.as_ref(), change).map_err(|misfit| match misfit {
            Misfit::Changed => ProviderError::Changed { name: name.clone() },
            Misfit::Foreign => ProviderError::Rejected {
                server: SERVER.to_owned(),
                name: name.clone(),
                reason: format!(
                    "the DNSEndpoint {key} has another owner: delete it, or name another namespace"
                ),
            },
        })?;
        let written = match (old, new) {
            (None, Some(new)) => api.create(&new).await.map(drop),
            (Some(_), Some(new)) => api.replace(&new).await.map(drop),
            (Some(old), None) => {
                let options = Delete::default().uid(old.metadata.uid);
                ignore_missing(api.delete(&key, &options).await).map(drop)
            }
            (None, None) => Ok(()),
        };
        written.map_err(|error| match error {
            ClientError::Conflict(_) | ClientError::AlreadyExists(_) => ProviderError::Changed { name },
            ClientError::Invalid(status) => {
                ProviderError::Rejected { server: SERVER.to_owned(), name, reason: status.message }
            }
            error => failure(error),
        })
    }
}

fn failure(error: ClientError) -> ProviderError {
    ProviderError::ServerFailure { server: SERVER.to_owned(), reason: error.to_string() }
}

impl Provider for DnsEndpoints {
    fn name(&self) -> &'static str {
        "ExternalDNS"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: WRITES_PER_BATCH, interval: Duration::ZERO, is_atomic: false }
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        self.read(zone).boxed()
    }

    fn apply<'a>(
        &'a self,
        _zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move {
            let mut results = Vec::with_capacity(batch.len());
            for change in batch {
                results.push(self.change(change).await);
            }
            results
        }
        .boxed()
    }
}
