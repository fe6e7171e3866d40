//! The kinds that have a federated form of KubeFed, and the settings of KubeFed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use portolan_api::kubefed::{
    CONFIG_NAME, FederatedType, FederatedTypeConfig, KubeFedConfig, SYSTEM_NAMESPACE,
};
use portolan_api::{names, resources};
use portolan_net::Shutdown;
use portolan_object::{GroupKind, GroupVersionKind, ObjectKey};
use portolan_plan::kubefed::config::{Settings, settings};
use portolan_plan::kubefed::type_config::{Configured, read};
use portolan_runtime::cache::Content;
use portolan_runtime::{Cache, Client};

/// Time between two looks whether a cache is told that its kind is not served.
const TROUBLE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The types of the FederatedTypeConfigs. Clones share state.
#[derive(Clone)]
pub(crate) struct FederatedTypes {
    /// The FederatedTypeConfigs.
    pub(crate) configs: Cache<FederatedTypeConfig>,
    /// The KubeFedConfigs, of which one counts.
    pub(crate) settings: Cache<KubeFedConfig>,
    /// Types by the name of their FederatedTypeConfig.
    types: Arc<RwLock<BTreeMap<String, Arc<Configured>>>>,
}

impl FederatedTypes {
    /// Starts the caches.
    pub(crate) fn start(client: &Client, scope: &Shutdown) -> Self {
        let configs = Cache::<FederatedTypeConfig>::of_kind(client)
            .trim(|config| config.metadata.managed_fields.clear())
            .start(scope);
        let settings = Cache::<KubeFedConfig>::of_kind(client)
            .trim(|config| config.metadata.managed_fields.clear())
            .start(scope);
        let types: Arc<RwLock<BTreeMap<String, Arc<Configured>>>> = Arc::default();
        let changed = types.clone();
        configs.observe(move |change| {
            if change.key.namespace != SYSTEM_NAMESPACE {
                return;
            }
            let configured = change.new.as_ref().and_then(|config| read(config).ok());
            let mut types = changed.write();
            match configured {
                Some(configured) => drop(types.insert(change.key.name.clone(), Arc::new(configured))),
                None => drop(types.remove(&change.key.name)),
            }
        });
        Self { configs, settings, types }
    }

    /// Waits until the caches are read, or their kinds are known not to be served: the definitions of an API server that is
    /// not Portolan's can be those of an earlier release.
    pub(crate) async fn synced(&self) -> bool {
        read_if_served(&self.configs).await && read_if_served(&self.settings).await
    }

    /// All types.
    pub(crate) fn list(&self) -> Vec<Arc<Configured>> {
        self.types.read().values().cloned().collect()
    }

    /// The type with this federated kind.
    pub(crate) fn of_federated(&self, kind: &GroupKind) -> Option<Arc<Configured>> {
        self.types.read().values().find(|configured| configured.of.federates(kind)).cloned()
    }

    /// The type of the federated object with this binding, which has made an object of the kind and name in members;
    /// `None` if none could have.
    pub(crate) fn of_binding(
        &self,
        binding: &ObjectKey,
        target: &GroupKind,
        name: &str,
    ) -> Option<Arc<Configured>> {
        let is_it = |configured: &&Arc<Configured>| {
            configured.of.target.gvk.group_kind() == *target
                && names::binding(&configured.of.federated.gvk.kind, name) == binding.name
        };
        self.types.read().values().find(is_it).cloned()
    }

    /// The kind of FederatedNamespaces.
    pub(crate) fn namespace_kind(&self) -> GroupVersionKind {
        FederatedType::of(resources::NAMESPACE.into()).federated.gvk
    }

    /// The settings of the KubeFedConfig.
    pub(crate) fn settings(&self) -> Settings {
        let config = self.settings.get(&ObjectKey::namespaced(SYSTEM_NAMESPACE, CONFIG_NAME));
        settings(config.as_ref().map(|config| &config.spec))
    }
}

async fn read_if_served<T: Content>(cache: &Cache<T>) -> bool {
    loop {
        tokio::select! {
            synced = cache.synced() => return synced,
            () = tokio::time::sleep(TROUBLE_POLL_INTERVAL) => {}
        }
        if cache.trouble().is_some_and(|trouble| trouble.is_not_served) {
            let kind = &cache.resource().gvk;
            tracing::warn!(%kind, "the API server does not serve the kind: apply the manifests of deploy/crds");
            return true;
        }
    }
}
