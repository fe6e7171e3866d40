//! The status of a federated Service in each cluster (kubefed pkg/controller/status/controller.go).

use std::collections::BTreeMap;

use portolan_api::kubefed::{FederatedServiceStatus, ServiceClusterStatus};
use portolan_api::meta::{ObjectMeta, OwnerReference};
use portolan_object::Object;
use serde_json::{Value, json};

/// The object of a FederatedService; `clusters` are the ready clusters, each with what it has of the Service, if it has it.
pub fn service_status(
    federated: &Object,
    clusters: BTreeMap<String, Option<Option<Value>>>,
) -> FederatedServiceStatus {
    let owner = OwnerReference {
        api_version: federated.api_version().to_owned(),
        kind: federated.kind().to_owned(),
        name: federated.name().to_owned(),
        uid: federated.uid().to_owned(),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        owner_references: vec![owner],
        ..ObjectMeta::namespaced(federated.namespace(), federated.name())
    };
    let entry = |(cluster_name, reported): (String, Option<Option<Value>>)| {
        // Every Service has this much; a Work reports only what is not empty.
        let status = reported.map(|status| status.unwrap_or_else(|| json!({ "loadBalancer": {} })));
        ServiceClusterStatus { cluster_name, status }
    };
    let cluster_status = clusters.into_iter().map(entry).collect();
    FederatedServiceStatus { metadata, cluster_status, ..FederatedServiceStatus::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_cluster_has_an_entry_as_in_kubefed() {
        let federated = Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedService",
            "metadata": { "namespace": "shop", "name": "web", "uid": "u" } }));
        let ingress = json!({ "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } });
        let clusters = BTreeMap::from([
            ("us".to_owned(), Some(Some(ingress.clone()))),
            ("asia".to_owned(), None),
            ("eu".to_owned(), Some(None)),
        ]);
        let found = json!(service_status(&federated, clusters));
        let want = json!([{ "clusterName": "asia" }, { "clusterName": "eu", "status": { "loadBalancer": {} } },
            { "clusterName": "us", "status": ingress }]);
        assert_eq!(found["clusterStatus"], want);
        assert_eq!(found["metadata"]["ownerReferences"][0]["kind"], "FederatedService");
    }
}
