//! FederatedResourceQuotas, and what the bindings of each namespace use.
//!
//! `propagation` notes every binding here and asks before it writes one that uses more; the admission of an embedded API
//! server asks for writes of others. Two decisions at the same time do not use the same rest of a quota: what was allowed
//! counts from then on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_api::policy::{FederatedResourceQuota, ResourceList};
use portolan_api::work::ResourceBindingSpec;
use portolan_net::Shutdown;
use portolan_object::ObjectKey;
use portolan_plan::quota::{Exceeded, Limit, Usage, check, overall_used};
use portolan_runtime::{Cache, Client, Queue};

/// The quotas; clones share state.
#[derive(Clone)]
pub struct Quotas {
    pub(crate) cache: Cache<FederatedResourceQuota>,
    /// Quotas to be reconciled.
    pub(crate) queue: Queue<ObjectKey>,
    namespaces: Arc<Mutex<HashMap<String, NamespaceUsage>>>,
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas").field("namespaces", &self.namespaces.lock().len()).finish_non_exhaustive()
    }
}

/// What the bindings of a namespace use.
#[derive(Default)]
struct NamespaceUsage {
    bindings: HashMap<String, Usage>,
    total: Usage,
}

impl NamespaceUsage {
    /// True if the usage of the binding has changed.
    fn set(&mut self, binding: &str, usage: Usage) -> bool {
        let old = self.bindings.get(binding).cloned().unwrap_or_default();
        if old == usage {
            return false;
        }
        self.total.subtract(&old);
        self.total.add(&usage);
        if usage.is_empty() {
            self.bindings.remove(binding);
        } else {
            self.bindings.insert(binding.to_owned(), usage);
        }
        true
    }

    fn others(&self, binding: &str) -> Usage {
        let mut others = self.total.clone();
        if let Some(own) = self.bindings.get(binding) {
            others.subtract(own);
        }
        others
    }
}

impl Quotas {
    pub(super) fn new(client: &Client, scope: &Shutdown) -> Self {
        let cache = Cache::<FederatedResourceQuota>::of_kind(client)
            .trim(|quota| quota.metadata.managed_fields.clear())
            .start(scope);
        let queue = client.metrics().queue("quotas", None);
        Self { cache, queue, namespaces: Arc::default() }
    }

    /// Takes note of a binding as it is now; `None` when it is gone.
    pub(crate) fn note(&self, key: &ObjectKey, spec: Option<&ResourceBindingSpec>) {
        if key.namespace.is_empty() {
            return;
        }
        let usage = spec.map(Usage::of_binding).unwrap_or_default();
        let has_changed = {
            let mut namespaces = self.namespaces.lock();
            let namespace = namespaces.entry(key.namespace.clone()).or_default();
            let has_changed = namespace.set(&key.name, usage);
            if namespace.bindings.is_empty() {
                namespaces.remove(&key.namespace);
            }
            has_changed
        };
        if has_changed {
            self.queue_namespace(&key.namespace);
        }
    }

    /// Allows a binding to become `new`, and counts it so. When it is not written, [`Quotas::note`] the binding as it is.
    ///
    /// # Errors
    /// When a quota does not allow it.
    pub(crate) fn admit(
        &self,
        key: &ObjectKey,
        old: Option<&ResourceBindingSpec>,
        new: &ResourceBindingSpec,
    ) -> Result<(), Exceeded> {
        if key.namespace.is_empty() {
            return Ok(());
        }
        let has_changed = {
            let mut namespaces = self.namespaces.lock();
            self.check_locked(&namespaces, key, old, new)?;
            let namespace = namespaces.entry(key.namespace.clone()).or_default();
            namespace.set(&key.name, Usage::of_binding(new))
        };
        if has_changed {
            self.queue_namespace(&key.namespace);
        }
        Ok(())
    }

    /// Whether there are quotas in a namespace.
    pub fn are_in(&self, namespace: &str) -> bool {
        !self.cache.list_namespace(namespace).is_empty()
    }

    /// Whether the quotas allow a write of a binding.
    ///
    /// # Errors
    /// When one does not.
    pub fn check(
        &self,
        key: &ObjectKey,
        old: Option<&ResourceBindingSpec>,
        new: &ResourceBindingSpec,
    ) -> Result<(), Exceeded> {
        self.check_locked(&self.namespaces.lock(), key, old, new)
    }

    fn check_locked(
        &self,
        namespaces: &HashMap<String, NamespaceUsage>,
        key: &ObjectKey,
        old: Option<&ResourceBindingSpec>,
        new: &ResourceBindingSpec,
    ) -> Result<(), Exceeded> {
        if key.namespace.is_empty() {
            return Ok(());
        }
        let quotas = self.cache.list_namespace(&key.namespace);
        if quotas.is_empty() {
            return Ok(());
        }
        let keys: Vec<ObjectKey> = quotas.iter().map(|quota| quota.metadata.key()).collect();
        let limits = quotas.iter().zip(&keys);
        let limits = limits.map(|(quota, key)| Limit { quota: key, overall: &quota.spec.overall });
        let others = namespaces.get(&key.namespace).map(|namespace| namespace.others(&key.name));
        let old = old.map(Usage::of_binding).unwrap_or_default();
        check(limits, &others.unwrap_or_default(), &old, &Usage::of_binding(new))
    }

    /// What the bindings of a namespace use of `overall`.
    pub(crate) fn used(&self, namespace: &str, overall: &ResourceList) -> ResourceList {
        let namespaces = self.namespaces.lock();
        let none = Usage::default();
        overall_used(overall, namespaces.get(namespace).map_or(&none, |namespace| &namespace.total))
    }

    fn queue_namespace(&self, namespace: &str) {
        self.cache.list_namespace(namespace).iter().for_each(|quota| self.queue.add(quota.metadata.key()));
    }
}
