//! AWS Route 53 through the official SDK.
//!
//! Credentials come from a Secret or from the SDK's chain: environment, web identity, container and instance metadata.
//! A batch is one atomic request. It deletes every changed set exactly as it was read, so that a set which another
//! writer changed meanwhile makes the request fail instead of being overwritten.

mod failure;
mod record_set;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::{Credentials, Region};
use aws_sdk_route53::types::{Change as SdkChange, ChangeAction, ChangeBatch, ResourceRecordSet};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use futures::FutureExt;
use futures::future::BoxFuture;
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType, Write};
use tokio::sync::Mutex;

use crate::error::{ProviderError, Unsupported};
use crate::provider::{Limits, Provider};

/// Route 53 takes five requests per second from one account.
const INTERVAL: Duration = Duration::from_millis(220);
/// Most characters of the values of one request.
const CHARACTERS_PER_BATCH: usize = 32_000;
/// Most records of one request.
const RECORDS_PER_BATCH: usize = 1_000;
/// Most records that are read of a zone; Route 53 allows 10,000 unless asked for more.
const MAX_RECORDS: usize = 100_000;
/// Time for one request.
const REQUEST_TIME: Duration = Duration::from_secs(20);
/// Route 53 has one endpoint; its requests are signed for this region.
const REGION: &str = "us-east-1";

/// An access key.
#[derive(Clone)]
pub struct AccessKey {
    /// Id of the key.
    pub id: String,
    /// Its secret; never printed.
    pub secret: String,
    /// Of temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How to reach Route 53.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `None` for the chain of the SDK.
    pub access_key: Option<AccessKey>,
    /// Id of the hosted zone, for an account with several of the same name.
    pub zone_id: Option<String>,
    /// URL of another endpoint than AWS's.
    pub endpoint: Option<String>,
}

/// A provider that talks to Route 53.
#[derive(Debug)]
pub struct Route53 {
    client: Client,
    server: String,
    zone_id: Option<String>,
    /// Ids of the hosted zones that were found.
    zones: Mutex<HashMap<DomainName, String>>,
}

impl Route53 {
    /// A provider with these settings. Reads the environment of the SDK; sends no request to Route 53.
    pub async fn new(settings: Settings) -> Self {
        let ring = tls::Provider::Rustls(CryptoMode::Ring);
        let timeouts = TimeoutConfig::builder().operation_timeout(REQUEST_TIME).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().tls_provider(ring).build_https())
            .region(Region::new(REGION))
            .timeout_config(timeouts)
            // The publisher retries.
            .retry_config(RetryConfig::disabled());
        if let Some(AccessKey { id, secret, session_token }) = settings.access_key {
            loader = loader.credentials_provider(Credentials::new(id, secret, session_token, None, "Secret"));
        }
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let client = Client::new(&loader.load().await);
        let server = settings.endpoint.unwrap_or_else(|| "Route 53".to_owned());
        Self { client, server, zone_id: settings.zone_id, zones: Mutex::default() }
    }

    /// Id of the hosted zone.
    async fn zone_id(&self, zone: &DomainName) -> Result<String, ProviderError> {
        if let Some(id) = &self.zone_id {
            return Ok(id.clone());
        }
        if let Some(id) = self.zones.lock().await.get(zone) {
            return Ok(id.clone());
        }
        let request = self.client.list_hosted_zones_by_name().dns_name(zone.as_str()).max_items(100);
        let answer = request.send().await.map_err(|error| failure::of(&self.server, zone, zone, error))?;
        let is_it = |name: &str| DomainName::parse(name).is_ok_and(|name| name == *zone);
        let found = answer.hosted_zones().iter().filter(|candidate| is_it(candidate.name()));
        let ids: Vec<&str> =
            found.map(|candidate| candidate.id().trim_start_matches("/hostedzone/")).collect();
        let server = self.server.clone();
        match ids[..] {
            [] => Err(ProviderError::NoZone { server, zone: zone.clone() }),
            [id] => {
                self.zones.lock().await.insert(zone.clone(), id.to_owned());
                Ok(id.to_owned())
            }
            _ => Err(ProviderError::AmbiguousZone { server, zone: zone.clone(), count: ids.len() }),
        }
    }

    async fn sets(&self, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
        let id = self.zone_id(zone).await?;
        let (mut sets, mut records) = (Vec::new(), 0);
        let mut request = self.client.list_resource_record_sets().hosted_zone_id(&id);
        loop {
            let page = request.send().await.map_err(|error| failure::of(&self.server, zone, zone, error))?;
            for set in page.resource_record_sets() {
                records += set.resource_records().len().max(1);
                sets.extend(record_set::read(set));
            }
            if records > MAX_RECORDS {
                return Err(ProviderError::TooLarge { zone: zone.clone(), limit: MAX_RECORDS });
            }
            if !page.is_truncated() {
                return Ok(sets);
            }
            request = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(&id)
                .set_start_record_name(page.next_record_name().map(str::to_owned))
                .set_start_record_type(page.next_record_type().cloned())
                .set_start_record_identifier(page.next_record_identifier().map(str::to_owned));
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn send(&self, zone: &DomainName, batch: &[Change]) -> Result<(), ProviderError> {
        let name = batch.first().map_or(zone, |change| &change.name);
        let bad = |reason: String| ProviderError::Rejected {
            server: self.server.clone(),
            name: name.clone(),
            reason,
        };
        let mut changes = ChangeBatch::builder();
        for write in batch.iter().flat_map(|change| &change.writes) {
            for (action, set) in actions(write) {
                let set: ResourceRecordSet =
                    record_set::write(set).map_err(|error| bad(error.to_string()))?;
                let change = SdkChange::builder().action(action).resource_record_set(set).build();
                changes = changes.changes(change.map_err(|error| bad(error.to_string()))?);
            }
        }
        let changes = changes.build().map_err(|error| bad(error.to_string()))?;
        let id = self.zone_id(zone).await?;
        let request = self.client.change_resource_record_sets().hosted_zone_id(id).change_batch(changes);
        request.send().await.map(|_| ()).map_err(|error| failure::of(&self.server, zone, name, error))
    }
}

/// The actions for one write. `UPSERT` would overwrite what another writer wrote since the zone was read.
fn actions(write: &Write) -> Vec<(ChangeAction, &RecordSet)> {
    match write {
        Write::Put { set, before: None } => vec![(ChangeAction::Create, set)],
        Write::Put { set, before: Some(before) } => {
            vec![(ChangeAction::Delete, before), (ChangeAction::Create, set)]
        }
        Write::Delete(set) => vec![(ChangeAction::Delete, set)],
    }
}

impl Provider for Route53 {
    fn name(&self) -> &'static str {
        "Route 53"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: CHARACTERS_PER_BATCH, interval: INTERVAL, is_atomic: true }
    }

    /// In characters. A record counts as many as keep a batch below the most records.
    fn size(&self, change: &Change) -> usize {
        let least = CHARACTERS_PER_BATCH / RECORDS_PER_BATCH;
        let sets = change.writes.iter().flat_map(actions);
        let targets = sets.flat_map(|(_, set)| &set.targets);
        // Two quotes of text.
        targets.map(|target| (target.len() + 2).max(least)).sum()
    }

    fn check(&self, change: &Change) -> Result<(), ProviderError> {
        let other = change.writes.iter().map(|write| &write.set().kind);
        match other.into_iter().find(|kind| matches!(kind, RecordType::Other(_))) {
            Some(kind) => {
                let what = Unsupported::Type(kind.clone());
                Err(ProviderError::Unsupported { provider: self.name(), what })
            }
            None => Ok(()),
        }
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        self.sets(zone).boxed()
    }

    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move { vec![self.send(zone, batch).await; batch.len()] }.boxed()
    }
}
