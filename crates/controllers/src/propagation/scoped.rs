//! Kinds that exist in a namespaced and a cluster-scoped variant with one spec: one Rust type for both.
//!
//! A key without namespace means the cluster-scoped variant everywhere in this module tree.

use std::sync::Arc;

use portolan_api::Kind;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{
    ClusterOverridePolicy, ClusterPropagationPolicy, OverridePolicy, OverrideSpec, PropagationPolicy,
    PropagationSpec,
};
use portolan_api::work::{
    ClusterResourceBinding, ResourceBinding, ResourceBindingSpec, ResourceBindingStatus,
};
use portolan_net::Shutdown;
use portolan_object::{GroupVersionKind, ObjectKey};
use portolan_runtime::cache::{Change, Content};
use portolan_runtime::events::Regarding;
use portolan_runtime::{Api, Cache, Client, Resource};
use serde::{Deserialize, Serialize};

/// PropagationPolicy or ClusterPropagationPolicy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Policy {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: PropagationSpec,
}

impl Policy {
    /// The reference to the policy in events.
    pub(crate) fn regarding(&self) -> Regarding {
        let kind = match self.metadata.namespace.as_str() {
            "" => ClusterPropagationPolicy::gvk(),
            _ => PropagationPolicy::gvk(),
        };
        Regarding { gvk: kind, key: self.metadata.key(), uid: self.metadata.uid.clone() }
    }
}

/// OverridePolicy or ClusterOverridePolicy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Override {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: OverrideSpec,
}

impl Override {
    /// The reference to the policy in events.
    pub(crate) fn regarding(&self) -> Regarding {
        let kind = match self.metadata.namespace.as_str() {
            "" => ClusterOverridePolicy::gvk(),
            _ => OverridePolicy::gvk(),
        };
        Regarding { gvk: kind, key: self.metadata.key(), uid: self.metadata.uid.clone() }
    }
}

/// ResourceBinding or ClusterResourceBinding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Binding {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: ResourceBindingSpec,
    pub(crate) status: ResourceBindingStatus,
}

impl Binding {
    /// A new ClusterResourceBinding, or ResourceBinding if the metadata have a namespace.
    pub(crate) fn new(metadata: ObjectMeta, spec: ResourceBindingSpec) -> Self {
        let gvk = match metadata.namespace.as_str() {
            "" => ClusterResourceBinding::gvk(),
            _ => ResourceBinding::gvk(),
        };
        Self { api_version: gvk.api_version(), kind: gvk.kind, metadata, spec, ..Self::default() }
    }

    /// The kind of its template.
    pub(crate) fn template_kind(&self) -> GroupVersionKind {
        let reference = &self.spec.resource;
        let version: Result<portolan_object::GroupVersion, _> = reference.api_version.parse();
        version.unwrap_or_else(|_| portolan_object::GroupVersion::new("", "")).kind(&*reference.kind)
    }

    /// The binding as the object of an Event.
    pub(crate) fn regarding(&self) -> Regarding {
        let gvk = match self.metadata.namespace.as_str() {
            "" => ClusterResourceBinding::gvk(),
            _ => ResourceBinding::gvk(),
        };
        Regarding { gvk, key: self.metadata.key(), uid: self.metadata.uid.clone() }
    }

    /// The key of its template, which is in the namespace of the binding. Another `spec.resource.namespace` does not count:
    /// a user with write access to bindings in one namespace must not reach other templates, or cluster-scoped ones.
    pub(crate) fn template_key(&self) -> ObjectKey {
        ObjectKey::namespaced(&*self.metadata.namespace, &*self.spec.resource.name)
    }
}

/// A type that stands for both variants of a kind.
pub(crate) trait Scope: Content {
    /// Whether there are many of the kind, of which a reader needs one at a time.
    const IS_COMPACT: bool;
    /// The namespaced and the cluster-scoped resource.
    fn resources() -> [Resource; 2];
    /// Metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Mutable metadata.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
}

macro_rules! scope {
    ($name:ident, $namespaced:ty, $cluster:ty, $is_compact:literal) => {
        impl Scope for $name {
            const IS_COMPACT: bool = $is_compact;
            fn resources() -> [Resource; 2] {
                [Resource::of::<$namespaced>(), Resource::of::<$cluster>()]
            }
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
scope!(Policy, PropagationPolicy, ClusterPropagationPolicy, false);
scope!(Override, OverridePolicy, ClusterOverridePolicy, false);
scope!(Binding, ResourceBinding, ClusterResourceBinding, true);

/// Name of an index, and the index keys of an object.
pub(crate) type Index<T> = (&'static str, fn(&T) -> Vec<String>);

/// Caches of both variants of a kind. Clones share state.
pub(crate) struct Scoped<T> {
    client: Client,
    pub(crate) namespaced: Cache<T>,
    pub(crate) cluster: Cache<T>,
}

impl<T> Clone for Scoped<T> {
    fn clone(&self) -> Self {
        let (namespaced, cluster) = (self.namespaced.clone(), self.cluster.clone());
        Self { client: self.client.clone(), namespaced, cluster }
    }
}

impl<T: Scope> Scoped<T> {
    /// Starts both caches, each with these indexes.
    pub(crate) fn start(client: &Client, scope: &Shutdown, indexes: &[Index<T>]) -> Self {
        let start = |resource| {
            let mut cache = Cache::of(client, resource)
                .trim(|object: &mut T| object.metadata_mut().managed_fields.clear());
            if T::IS_COMPACT {
                cache = cache.compact();
            }
            for &(name, values) in indexes {
                cache = cache.index(name, move |_, object| values(object));
            }
            cache.start(scope)
        };
        let [namespaced, cluster] = T::resources().map(start);
        Self { client: client.clone(), namespaced, cluster }
    }

    fn cache(&self, key: &ObjectKey) -> &Cache<T> {
        if key.namespace.is_empty() { &self.cluster } else { &self.namespaced }
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.cache(key).get(key)
    }

    /// Inserts the result of our own write before the watch delivers it.
    pub(crate) fn written(&self, object: T) {
        let metadata = object.metadata();
        let key = metadata.key();
        let version = metadata.resource_version.clone();
        self.cache(&key).written(key.clone(), &version, object);
    }

    /// The client of the variant of `key`.
    pub(crate) fn api(&self, key: &ObjectKey) -> Api<T> {
        self.client.resource(self.cache(key).resource())
    }

    /// Objects of both variants, namespaced first.
    pub(crate) fn by_index(&self, index: &str, value: &str) -> Vec<Arc<T>> {
        let mut found = self.namespaced.by_index(index, value);
        found.extend(self.cluster.by_index(index, value));
        found
    }

    /// Keys of objects of both variants, namespaced first.
    pub(crate) fn keys_by_index(&self, index: &str, value: &str) -> Vec<ObjectKey> {
        let mut found = self.namespaced.keys_by_index(index, value);
        found.extend(self.cluster.keys_by_index(index, value));
        found
    }

    pub(crate) fn list(&self) -> Vec<Arc<T>> {
        let mut objects = self.namespaced.list();
        objects.extend(self.cluster.list());
        objects
    }

    pub(crate) fn keys(&self) -> Vec<ObjectKey> {
        let mut keys = self.namespaced.keys();
        keys.extend(self.cluster.keys());
        keys
    }

    pub(crate) fn observe(&self, observer: impl Fn(&Change<T>) + Send + Sync + Clone + 'static) {
        self.namespaced.observe(observer.clone());
        self.cluster.observe(observer);
    }

    pub(crate) async fn synced(&self) -> bool {
        self.namespaced.synced().await && self.cluster.synced().await
    }
}
