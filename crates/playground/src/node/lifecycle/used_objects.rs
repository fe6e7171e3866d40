//! ConfigMaps and Secrets of pods: a change of one queues the pods that use it.
//!
//! Their metadata alone is watched. The data is read when a volume or an environment is made of it.

use std::collections::BTreeMap;

use portolan_api::resources::{self, StaticResource};
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::{Cache, Client, Queue};

use crate::node::environment;
use crate::node::pod_spec::PodSpec;
use crate::node::volumes;

/// Indices of the cache of pods: the ConfigMaps and Secrets that each names, as `namespace/name`.
const BY_CONFIG_MAP: &str = "config maps";
const BY_SECRET: &str = "secrets";

/// Metadata of all ConfigMaps and Secrets.
pub(super) struct UsedObjects {
    config_maps: Cache<Object>,
    secrets: Cache<Object>,
}

/// What the files of a pod's volumes were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VolumeInputs {
    /// Resource versions by kind and name; none of an object that does not exist.
    versions: BTreeMap<(&'static str, String), Option<String>>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl UsedObjects {
    /// Starts the caches, which queue the `pods` that use a changed object.
    pub(super) fn start(
        client: &Client,
        pods: &Cache<Object>,
        queue: &Queue<ObjectKey>,
        scope: &Shutdown,
    ) -> Self {
        pods.add_index(BY_CONFIG_MAP, |key, pod| names(key, pod).0);
        pods.add_index(BY_SECRET, |key, pod| names(key, pod).1);
        let watch = |resource: StaticResource, index: &'static str| {
            let cache = Cache::of(client, resource.into()).metadata_only().start(scope);
            let (pods, queue) = (pods.clone(), queue.clone());
            cache.observe(move |change| {
                let key = &change.key;
                let using = pods.keys_by_index(index, &index_value(&key.namespace, &key.name));
                using.into_iter().for_each(|pod| queue.add(pod));
            });
            cache
        };
        Self {
            config_maps: watch(resources::CONFIG_MAP, BY_CONFIG_MAP),
            secrets: watch(resources::SECRET, BY_SECRET),
        }
    }

    /// What the volumes of a pod are made of now.
    pub(super) fn inputs(&self, pod: &Object, spec: &PodSpec) -> VolumeInputs {
        let needs = volumes::needs(spec);
        let mut versions = BTreeMap::new();
        for (kind, names, cache) in
            [("ConfigMap", needs.config_maps, &self.config_maps), ("Secret", needs.secrets, &self.secrets)]
        {
            for name in names {
                let found = cache.get(&ObjectKey::namespaced(pod.namespace(), &name));
                versions.insert((kind, name), found.map(|object| object.resource_version().to_owned()));
            }
        }
        VolumeInputs { versions, labels: pod.labels(), annotations: pod.annotations() }
    }
}

/// The ConfigMaps and the Secrets of a pod, as values of the indices.
fn names(key: &ObjectKey, pod: &Object) -> (Vec<String>, Vec<String>) {
    let Ok(spec) = PodSpec::of(pod) else { return Default::default() };
    let needs = volumes::needs(&spec);
    let (config_maps, secrets) = environment::references(&spec);
    let value = |name: String| index_value(&key.namespace, &name);
    (
        needs.config_maps.into_iter().chain(config_maps).map(value).collect(),
        needs.secrets.into_iter().chain(secrets).map(value).collect(),
    )
}

fn index_value(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}
