//! Writes the FederatedServiceStatus of a FederatedService, if its FederatedTypeConfig collects it.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::work::APPLIED;
use portolan_api::kubefed::FederatedServiceStatus;
use portolan_api::meta::condition;
use portolan_api::work::Work;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::service_status::service_status;
use portolan_runtime::client::Patch;
use portolan_runtime::{Cache, ClientError};
use serde_json::{Value, json};

use super::facts;
use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Creates the object, or brings its entries up to date. `clusters` are those of the federation.
pub(super) async fn write(
    hub: &Hub,
    statuses: &Cache<FederatedServiceStatus>,
    federated: &Object,
    binding: &ObjectKey,
    clusters: &BTreeMap<String, Arc<Cluster>>,
) -> Result<(), ClientError> {
    let works = facts::works(hub, binding);
    let ready = clusters.iter().filter(|(_, cluster)| facts::is_ready(cluster));
    let reported: BTreeMap<String, Option<Option<Value>>> = ready
        .map(|(name, _)| {
            let reported = works.get(name).filter(|work| is_in_cluster(work)).map(|work| reported(work));
            (name.clone(), reported)
        })
        .collect();
    let wanted = service_status(federated, reported);
    let (key, api) = (federated.key(), hub.client.kind::<FederatedServiceStatus>());
    let written = match statuses.get(&key) {
        Some(present) if present.cluster_status == wanted.cluster_status => return Ok(()),
        Some(_) => {
            let patch = json!({ "clusterStatus": wanted.cluster_status });
            ignore_missing(api.patch(&key, &Patch::Merge(patch)).await)?
        }
        None => Some(api.create(&wanted).await?),
    };
    if let Some(mut written) = written {
        written.metadata.managed_fields.clear();
        let version = written.metadata.resource_version.clone();
        statuses.written(key, &version, written);
    }
    Ok(())
}

fn is_in_cluster(work: &Work) -> bool {
    condition(&work.status.conditions, APPLIED).is_some_and(|applied| applied.is_true())
}

fn reported(work: &Work) -> Option<Value> {
    work.status.manifest_statuses.first()?.status.clone()
}
