//! Objects of the hub that the control plane makes once.
//!
//! The namespace `karmada-system` is for the Secrets that Federations refer to. The namespace `kube-federation-system` has a
//! FederatedTypeConfig for every built-in kind; an annotation of the namespace says that they were made, so that those which
//! are deleted later stay deleted.

use std::sync::Arc;

use portolan_api::annotations::namespace::FEDERATED_TYPES;
use portolan_api::kubefed::{BUILT_IN, FederatedType, FederatedTypeConfig, SYSTEM_NAMESPACE, Switch};
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Patch;
use portolan_runtime::{Client, ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;

/// The namespaces; one that is deleted is made again.
const NAMESPACES: [&str; 2] = [names::SYSTEM_NAMESPACE, SYSTEM_NAMESPACE];

struct InitialObjects(Client);

/// Starts the controller. Its keys are the two namespaces.
pub(crate) fn start(hub: &Hub) {
    let queue = hub.client.metrics().queue("initial-objects", None);
    for name in NAMESPACES {
        queue.add(ObjectKey::cluster(name));
    }
    let removed = queue.clone();
    hub.namespaces.observe(move |change| {
        if change.new.is_none() && NAMESPACES.contains(&change.key.name.as_str()) {
            removed.add(change.key.clone());
        }
    });
    driver::run(Arc::new(InitialObjects(hub.client.clone())), &queue, 1, &hub.scope);
}

impl Reconciler for InitialObjects {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        self.create(key).await.into()
    }
}

impl InitialObjects {
    async fn create(&self, key: &ObjectKey) -> Result<Outcome, ClientError> {
        let namespaces = self.0.resource::<Object>(&resources::NAMESPACE.into());
        let created = namespaces.create(&namespace(&key.name)).await;
        let namespace = match created {
            Err(ClientError::AlreadyExists(_)) => namespaces.get(key).await?,
            created => created?,
        };
        if key.name == SYSTEM_NAMESPACE && namespace.annotation(FEDERATED_TYPES) != Some(labels::TRUE) {
            self.create_type_configs().await?;
            let patch = json!({ "metadata": { "annotations": { FEDERATED_TYPES: labels::TRUE } } });
            namespaces.patch(key, &Patch::Merge(patch)).await?;
        }
        Ok(Outcome::Done)
    }

    async fn create_type_configs(&self) -> Result<(), ClientError> {
        let configs = self.0.kind::<FederatedTypeConfig>();
        for built_in in BUILT_IN {
            let of = FederatedType::of(built_in.target.into());
            match configs.create(&FederatedTypeConfig::of(&of, Switch::Enabled)).await {
                Ok(_) | Err(ClientError::AlreadyExists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn namespace(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}
