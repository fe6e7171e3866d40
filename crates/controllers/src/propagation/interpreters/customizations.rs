//! Follows the customizations and webhook configurations of the hub.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portolan_api::Kind;
use portolan_api::config::{ResourceInterpreterCustomization, ResourceInterpreterWebhookConfiguration};
use portolan_object::{GroupVersionKind, ObjectKey};
use portolan_plan::propagation::customized::{Customized, target};
use portolan_runtime::Cache;
use portolan_runtime::cache::Change;
use portolan_runtime::events::{Regarding, Severity};

use crate::hub::Hub;

/// Interval at which caches that cannot be read are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Called with a kind for which an interpreter changes; `None` stands for any kind.
pub(super) type Observer = Box<dyn Fn(Option<&GroupVersionKind>) + Send + Sync>;

/// Clones share state.
#[derive(Clone)]
pub(super) struct Customizations(Arc<Shared>);

struct Shared {
    hub: Hub,
    customizations: Cache<ResourceInterpreterCustomization>,
    configurations: Cache<ResourceInterpreterWebhookConfiguration>,
    known: Mutex<Known>,
    current: ArcSwap<Customized>,
    observers: Mutex<Vec<Observer>>,
}

/// All objects, by name.
#[derive(Default)]
struct Known {
    customizations: BTreeMap<String, Arc<ResourceInterpreterCustomization>>,
    configurations: BTreeMap<String, Arc<ResourceInterpreterWebhookConfiguration>>,
}

impl Customizations {
    pub(super) fn start(hub: &Hub) -> Self {
        let customizations = Cache::<ResourceInterpreterCustomization>::of_kind(&hub.client)
            .trim(|object| object.metadata.managed_fields.clear())
            .start(&hub.scope);
        let configurations = Cache::<ResourceInterpreterWebhookConfiguration>::of_kind(&hub.client)
            .trim(|object| object.metadata.managed_fields.clear())
            .start(&hub.scope);
        let shared = Arc::new(Shared {
            hub: hub.clone(),
            customizations: customizations.clone(),
            configurations: configurations.clone(),
            known: Mutex::default(),
            current: ArcSwap::default(),
            observers: Mutex::default(),
        });
        let follower = Arc::downgrade(&shared);
        customizations.observe(move |change| {
            if let Some(shared) = follower.upgrade() {
                shared.customization_changed(change);
            }
        });
        let follower = Arc::downgrade(&shared);
        configurations.observe(move |change| {
            if let Some(shared) = follower.upgrade() {
                shared.configuration_changed(change);
            }
        });
        Self(shared)
    }

    pub(super) fn observe(&self, observer: Observer) {
        self.0.observers.lock().push(observer);
    }

    /// All customised interpreters. Waits until they are known; an API server without these kinds has none.
    pub(super) async fn current(&self) -> Arc<Customized> {
        while !(is_readable(&self.0.customizations) && is_readable(&self.0.configurations)) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.0.current.load_full()
    }
}

fn is_readable<T>(cache: &Cache<T>) -> bool {
    cache.is_synced() || cache.trouble().is_some_and(|trouble| trouble.is_not_served)
}

impl Shared {
    fn customization_changed(&self, change: &Change<ResourceInterpreterCustomization>) {
        self.rebuild(|known| update(&mut known.customizations, &change.key, change.new.as_ref()));
        if let Some(new) = &change.new {
            self.report_overruled(new);
        }
        for object in change.old.iter().chain(&change.new) {
            self.changed(target(object).as_ref());
        }
    }

    fn configuration_changed(&self, change: &Change<ResourceInterpreterWebhookConfiguration>) {
        self.rebuild(|known| update(&mut known.configurations, &change.key, change.new.as_ref()));
        self.changed(None);
    }

    fn rebuild(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock();
        change(&mut known);
        let customized = Customized::new(
            known.customizations.values().map(AsRef::as_ref),
            known.configurations.values().map(AsRef::as_ref),
        );
        // Within the lock, so that a later state is never replaced by an earlier one.
        self.current.store(Arc::new(customized));
    }

    fn changed(&self, kind: Option<&GroupVersionKind>) {
        self.observers.lock().iter().for_each(|observer| observer(kind));
    }

    /// Emits an event for each operation of a customization that another one has.
    fn report_overruled(&self, customization: &ResourceInterpreterCustomization) {
        let name = &customization.metadata.name;
        for overruled in self.current.load().overruled.iter().filter(|one| one.customization == *name) {
            let message = format!(
                "The script for operation {} has no effect: {} {} has one for the same kind, and its name is first. \
                 Remove one of them",
                overruled.operation,
                ResourceInterpreterCustomization::KIND,
                overruled.by
            );
            let about = Regarding::kind(customization);
            self.hub.events.record(about, Severity::Warning, "InterpreterOverruled", message);
        }
    }
}

fn update<T>(known: &mut BTreeMap<String, Arc<T>>, key: &ObjectKey, new: Option<&Arc<T>>) {
    match new {
        Some(new) => drop(known.insert(key.name.clone(), new.clone())),
        None => drop(known.remove(&key.name)),
    }
}
