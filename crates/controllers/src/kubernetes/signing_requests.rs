//! Signs approved certificate requests of clients, and deletes old requests.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::kubernetes::{CertificateSigningRequest, View as _};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::signing_request::{Step, step};
use portolan_runtime::cache::drop_managed_fields;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, Cache, Client, ClientError, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use crate::missing::ignore_missing;

/// Signs a request (PEM) for a life: the certificate as PEM, or why it cannot be signed.
pub type Sign = Arc<dyn Fn(&str, Duration) -> Result<String, String> + Send + Sync>;

struct Signer {
    api: Api<Object>,
    requests: Cache<Object>,
    sign: Sign,
    clock: Clock,
}

pub(super) fn start(client: &Client, sign: Sign, clock: &Clock, scope: &Shutdown) {
    let resource = resources::CERTIFICATE_SIGNING_REQUEST;
    let requests = Cache::of_objects(client, resource.into()).trim(drop_managed_fields).start(scope);
    let queue: Queue<ObjectKey> = Queue::new("signing-requests");
    let changed = queue.clone();
    requests.observe(move |change| changed.add(change.key.clone()));
    let signer = Signer { api: client.resource(&resource.into()), requests, sign, clock: clock.clone() };
    driver::run(Arc::new(signer), &queue, 1, scope);
}

impl Reconciler for Signer {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(object) = self.requests.get(key) else { return Outcome::Done };
        // The API server does not store one that does not fit.
        let Ok(request) = CertificateSigningRequest::read(&object) else { return Outcome::Done };
        let created = object.str_at(&["metadata", "creationTimestamp"]);
        match step(&request, created, self.clock.now()) {
            Step::Sign(life) => self.answer(&object, &request, life).await.into(),
            Step::Fail(reason) => self.fail(&object, &reason).await.into(),
            Step::Delete => {
                let deleted = self.api.delete(key, &Delete::default().uid(object.uid())).await;
                ignore_missing(deleted).map(drop).into()
            }
            Step::Wait(delay) => Outcome::RequeueAfter(delay),
        }
    }
}

impl Signer {
    async fn answer(
        &self,
        object: &Object,
        request: &CertificateSigningRequest<'_>,
        life: Duration,
    ) -> Result<(), ClientError> {
        let pem = STANDARD.decode(request.spec.request).unwrap_or_default();
        let certificate = match (self.sign)(&String::from_utf8_lossy(&pem), life) {
            Ok(certificate) => certificate,
            Err(reason) => return self.fail(object, &reason).await,
        };
        let name = object.name();
        tracing::info!(request = name, user = request.spec.username, "certificate signed");
        let patch = json!({ "metadata": { "resourceVersion": object.resource_version() },
            "status": { "certificate": STANDARD.encode(certificate) } });
        self.api.patch_status(&object.key(), &Patch::Merge(patch)).await.map(drop)
    }

    /// Says for good that a request cannot be signed.
    async fn fail(&self, object: &Object, reason: &str) -> Result<(), ClientError> {
        let mut failed = object.clone();
        let condition = json!({ "type": "Failed", "status": "True", "reason": "SignerValidationFailure",
            "message": reason });
        match failed.0.pointer_mut("/status/conditions").and_then(serde_json::Value::as_array_mut) {
            Some(conditions) => conditions.push(condition),
            None => failed.0["status"]["conditions"] = json!([condition]),
        }
        self.api.replace_status(&failed).await.map(drop)
    }
}
