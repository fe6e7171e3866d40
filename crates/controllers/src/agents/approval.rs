//! Approves or denies the certificate requests of agents, and makes their roles before.
//!
//! The roles of a cluster that has left are deleted, so that certificates which are still valid allow nothing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::agents;
use portolan_api::agents::roles::of_agent;
use portolan_api::kubernetes::{CertificateSigningRequest, View as _};
use portolan_api::{labels, names, resources};
use portolan_net::pki::Requested;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::agents::request::{Known, Request, Subject, Verdict, decide};
use portolan_runtime::cache::drop_managed_fields;
use portolan_runtime::client::{Apply, Delete};
use portolan_runtime::{Cache, ClientError, ClusterName, Outcome, Queue, Reconciler, Resource, driver};
use serde_json::{Value, json};

use crate::MANAGER;
use crate::hub::Hub;
use crate::missing::ignore_missing;

struct Approval {
    hub: Hub,
    requests: Cache<Object>,
}

/// Deletes the roles of clusters that have left.
struct Departed(Hub);

/// Starts the controllers.
pub(super) fn start(hub: &Hub) {
    let requests =
        Cache::of_objects(&hub.client, request_resource()).trim(drop_managed_fields).start(&hub.scope);
    let queue: Queue<ObjectKey> = hub.client.metrics().queue("agent-requests", None);
    let changed = queue.clone();
    requests.observe(move |change| {
        if change.new.is_some() {
            changed.add(change.key.clone());
        }
    });
    driver::run(Arc::new(Approval { hub: hub.clone(), requests }), &queue, 1, &hub.scope);

    let departed: Queue<ClusterName> = hub.client.metrics().queue("departed-agents", None);
    let left = departed.clone();
    hub.clusters.observe(move |change| {
        if change.new.is_none() {
            left.add(ClusterName::new(change.key.name.as_str()));
        }
    });
    driver::run(Arc::new(Departed(hub.clone())), &departed, 1, &hub.scope);
}

fn request_resource() -> Resource {
    resources::CERTIFICATE_SIGNING_REQUEST.into()
}

impl Reconciler for Approval {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.hub.clusters.synced().await {
            return Outcome::Done;
        }
        let Some(object) = self.requests.get(key) else { return Outcome::Done };
        // The API server does not store one that does not fit.
        let Ok(request) = CertificateSigningRequest::read(&object) else { return Outcome::Done };
        if !request.is_pending() {
            return Outcome::Done;
        }
        self.conclude(&object, &request).await.into()
    }
}

impl Approval {
    async fn conclude(
        &self,
        object: &Object,
        request: &CertificateSigningRequest<'_>,
    ) -> Result<(), ClientError> {
        let spec = &request.spec;
        let asked = Request {
            user: spec.username,
            groups: &spec.groups,
            signer: spec.signer_name,
            usages: &spec.usages,
            subject: requested(spec.request).map(subject),
        };
        let verdict = decide(&asked, |cluster| Known {
            has_cluster: self.hub.clusters.contains(&ObjectKey::cluster(cluster)),
            is_taken: self.is_taken(cluster, spec.username),
        });
        let name = object.name();
        match verdict {
            Verdict::Foreign => Ok(()),
            Verdict::RoleMaker => {
                let message =
                    "a token that is not bound to a cluster makes the roles of a new agent".to_owned();
                self.write(object, "Approved", "AutoApproved", message).await
            }
            Verdict::Agent { cluster, is_renewal } => {
                // The agent may act as soon as it has its certificate.
                self.make_roles(&cluster).await?;
                tracing::info!(request = name, cluster, is_renewal, "certificate of an agent approved");
                let message = match is_renewal {
                    true => format!("the agent of cluster {cluster} renews its certificate"),
                    false => format!("the token registers cluster {cluster}"),
                };
                self.write(object, "Approved", "AutoApproved", message).await
            }
            Verdict::Denied(denial) => {
                let user = spec.username;
                tracing::warn!(request = name, user, cause = %denial, "certificate request of an agent denied");
                self.write(object, "Denied", denial.reason(), denial.to_string()).await
            }
        }
    }

    /// Whether another user has got a certificate for the agent of a cluster lately.
    fn is_taken(&self, cluster: &str, user: &str) -> bool {
        let wanted = agents::user(cluster);
        self.requests.list().iter().any(|other| {
            CertificateSigningRequest::read(other).is_ok_and(|other| {
                let names = |subject: Requested| subject.common_names.contains(&wanted);
                other.is("Approved")
                    && other.spec.username != user
                    && requested(other.spec.request).is_some_and(names)
            })
        })
    }

    /// Writes the execution namespace of a cluster, the roles of its agent and their bindings.
    async fn make_roles(&self, cluster: &str) -> Result<(), ClientError> {
        let client = &self.hub.client;
        for name in [names::CLUSTER_NAMESPACE.to_owned(), names::execution_namespace(cluster)] {
            let mut namespace = Object::new(&resources::NAMESPACE.gvk(), &ObjectKey::cluster(name));
            namespace.set_label(labels::SYSTEM, labels::TRUE);
            match client.resource(&resources::NAMESPACE.into()).create(&namespace).await {
                Ok(_) | Err(ClientError::AlreadyExists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let options = Apply { manager: MANAGER.to_owned(), force: true };
        for object in of_agent(cluster) {
            client.resource::<Object>(&role_resource(&object)).apply(&object, &options).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        object: &Object,
        kind: &str,
        reason: &str,
        message: String,
    ) -> Result<(), ClientError> {
        let mut decided = object.clone();
        decided.0["status"]["conditions"] =
            json!([{ "type": kind, "status": "True", "reason": reason, "message": message }]);
        let path = request_resource().object_path(&object.key(), "approval");
        self.hub.client.put::<Value>(&path, &decided.0).await.map(drop)
    }
}

/// Reads the request of a CertificateSigningRequest: base64 of its PEM text.
fn requested(request: &str) -> Option<Requested> {
    Requested::parse(&STANDARD.decode(request).ok()?)
}

fn subject(requested: Requested) -> Subject {
    let Requested { common_names, organizations, has_alternative_names } = requested;
    Subject { common_names, organizations, has_alternative_names }
}

impl Reconciler for Departed {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        if self.0.cluster(name).is_some() {
            return Outcome::Done;
        }
        self.delete_roles(name.as_str()).await.into()
    }
}

impl Departed {
    async fn delete_roles(&self, cluster: &str) -> Result<(), ClientError> {
        for object in of_agent(cluster) {
            let api = self.0.client.resource::<Object>(&role_resource(&object));
            ignore_missing(api.delete(&object.key(), &Delete::default()).await)?;
        }
        Ok(())
    }
}

fn role_resource(object: &Object) -> Resource {
    let known =
        [resources::CLUSTER_ROLE, resources::CLUSTER_ROLE_BINDING, resources::ROLE, resources::ROLE_BINDING];
    let found = known.into_iter().find(|resource| resource.is_kind_of(object));
    found.unwrap_or(resources::CLUSTER_ROLE).into()
}
