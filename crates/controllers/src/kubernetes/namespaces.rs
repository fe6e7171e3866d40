//! Creates the default content of namespaces and deletes the content of terminating ones.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::namespace::{
    FINALIZER, ROOT_CA, Remaining, conditions, content, is_restored, is_terminating,
};
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::{Api, Cache, Client, ClientError, Outcome, Queue, Reconciler, Resource, driver};
use serde_json::json;

use super::WORKERS;
use crate::collections::Collections;
use crate::missing::ignore_missing;

/// Interval at which a terminating namespace is checked: pods end after their grace period.
const RECHECK: Duration = Duration::from_millis(500);

struct Namespaces {
    client: Client,
    api: Api<Object>,
    everything: Collections,
    /// The ConfigMaps with the CA, whole: other caches keep no content.
    root_cas: Cache<Object>,
    ca_pem: String,
    clock: Clock,
}

pub(super) fn start(
    client: &Client,
    everything: &Collections,
    ca_pem: &str,
    clock: &Clock,
    scope: &Shutdown,
) {
    let queue = Queue::new("namespaces");
    let adder = queue.clone();
    everything.observe(move |resource, change| {
        if resources::NAMESPACE.is_kind(&resource.gvk) {
            adder.add(change.key.name.clone());
        } else if change.new.is_none() && !change.key.namespace.is_empty() {
            // The deleted object may be the last one, or one that every namespace must have.
            adder.add(change.key.namespace.clone());
        }
    });
    let root_cas = Cache::of_objects(client, Resource::from(resources::CONFIG_MAP))
        .select(Selection::fields(format!("metadata.name={ROOT_CA}")))
        .start(scope);
    let adder = queue.clone();
    root_cas.observe(move |change| adder.add(change.key.namespace.clone()));
    let controller = Namespaces {
        client: client.clone(),
        api: client.resource(&resources::NAMESPACE.into()),
        everything: everything.clone(),
        root_cas,
        ca_pem: ca_pem.to_owned(),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Namespaces {
    type Key = String;

    async fn reconcile(&self, name: &String) -> Outcome {
        if !self.everything.synced().await {
            return Outcome::Done;
        }
        let namespaces = resources::NAMESPACE.gvk().group_kind();
        let Some(namespaces) = self.everything.of_kind(&namespaces) else { return Outcome::Done };
        match namespaces.get(&ObjectKey::cluster(name)) {
            Some(namespace) if is_terminating(&namespace) => self.delete_content(&namespace).await.into(),
            Some(_) => self.keep_content(name).await.into(),
            None => Outcome::Done,
        }
    }
}

impl Namespaces {
    async fn keep_content(&self, namespace: &str) -> Result<(), ClientError> {
        for object in content(namespace, &self.ca_pem) {
            let is_config_map = resources::CONFIG_MAP.is_kind_of(&object);
            let resource = if is_config_map { resources::CONFIG_MAP } else { resources::SERVICE_ACCOUNT };
            let resource = Resource::from(resource);
            let edited = self.root_cas.get(&object.key()).filter(|_| is_config_map);
            let known = self.everything.get(&resource);
            // One of the two caches may be behind the other.
            if edited.is_some() || known.is_some_and(|cache| cache.contains(&object.key())) {
                if edited.is_some_and(|edited| is_restored(&edited, &object)) {
                    let patch =
                        Patch::Json(json!([{ "op": "add", "path": "/data", "value": object.0["data"] }]));
                    let api = self.client.resource::<Object>(&resource);
                    ignore_missing(api.patch(&object.key(), &patch).await)?;
                }
                continue;
            }
            match self.client.resource::<Object>(&resource).create(&object).await {
                // The namespace may be terminating, or another writer was faster.
                Err(ClientError::AlreadyExists(_) | ClientError::Forbidden(_) | ClientError::NotFound(_))
                | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn delete_content(&self, namespace: &Object) -> Result<Outcome, ClientError> {
        let mut remaining = Remaining::default();
        let mut failure = None;
        let caches = self.everything.all().into_iter().filter(|cache| cache.resource().namespaced);
        let (pods, others): (Vec<_>, Vec<_>) =
            caches.partition(|cache| resources::POD.is_kind(&cache.resource().gvk));
        // Pods go first: what they use stays until the last one has ended (KEP-5080).
        for stage in [&pods, &others] {
            for cache in stage {
                self.delete_objects(cache, namespace.name(), &mut remaining, &mut failure).await;
            }
            if !remaining.is_empty() {
                break;
            }
            if !self.are_empty(stage, namespace.name()).await? {
                // The caches are behind.
                return Ok(Outcome::RequeueAfter(RECHECK));
            }
        }
        if remaining.is_empty() {
            self.finalize(namespace).await?;
            return Ok(Outcome::Done);
        }
        self.report(namespace, &remaining, failure.as_deref()).await?;
        Ok(Outcome::RequeueAfter(RECHECK))
    }

    /// Whether the API server has no object of some kinds in a namespace. A cache may not have seen one yet that was created just
    /// before the namespace was deleted: a pod would lose what it uses, and another object would be left behind in a namespace
    /// that does not exist.
    async fn are_empty(&self, kinds: &[Cache<Object>], namespace: &str) -> Result<bool, ClientError> {
        for cache in kinds {
            let is_empty = self.client.resource::<Object>(cache.resource()).is_empty(namespace).await;
            // The kind may have gone since.
            if ignore_missing(is_empty)? == Some(false) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes the objects of one kind, and counts them.
    async fn delete_objects(
        &self,
        cache: &Cache<Object>,
        namespace: &str,
        remaining: &mut Remaining,
        failure: &mut Option<String>,
    ) {
        let (resource, objects) = (cache.resource(), cache.list_namespace(namespace));
        if objects.is_empty() {
            return;
        }
        let name = match resource.gvk.group.as_str() {
            "" => resource.plural.clone(),
            group => format!("{}.{group}", resource.plural),
        };
        remaining.objects.insert(name.clone(), objects.len());
        for object in objects {
            for finalizer in object.finalizers() {
                *remaining.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            }
            if let Err(error) = self.delete(resource, &object).await {
                *failure = Some(format!("{name}: {error}"));
            }
        }
    }

    async fn delete(&self, resource: &Resource, object: &Object) -> Result<(), ClientError> {
        if object.is_deleting() {
            return Ok(());
        }
        let options = Delete::background().uid(object.uid());
        ignore_missing(self.client.resource::<Object>(resource).delete(&object.key(), &options).await)
            .map(drop)
    }

    /// Removes the finalizer from `spec`; the API server then removes the namespace.
    async fn finalize(&self, namespace: &Object) -> Result<(), ClientError> {
        let mut freed = namespace.clone();
        let kept: Vec<_> = freed.0["spec"]["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|finalizer| *finalizer != FINALIZER)
            .cloned()
            .collect();
        freed.0["spec"]["finalizers"] = json!(kept);
        let path = self.api.resource().object_path(&namespace.key(), "finalize");
        ignore_missing(self.client.put::<Object>(&path, &freed.0).await).map(drop)
    }

    async fn report(
        &self,
        namespace: &Object,
        remaining: &Remaining,
        failure: Option<&str>,
    ) -> Result<(), ClientError> {
        let now = crate::time::rfc3339(&self.clock);
        let conditions = conditions(namespace, remaining, failure, &now);
        if namespace.at(&["status", "conditions"]) == Some(&conditions) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "status": { "conditions": conditions } }));
        ignore_missing(self.api.patch_status(&namespace.key(), &patch).await).map(drop)
    }
}
