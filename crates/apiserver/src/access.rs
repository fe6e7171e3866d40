//! What authentication and authorization need of the store: roles, and the objects that tokens are bound to.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::Object;
use portolan_store::{Query, Store, Watch};
use serde_json::Value;

use crate::auth::{Directory, Rules};
use crate::record::Record;

/// Keys of roles and bindings start with this.
const ROLES: &str = "rbac.authorization.k8s.io/";

/// The rules that are in force, always those of the newest roles and bindings.
pub(crate) struct Access {
    store: Store<Record>,
    current: Mutex<Current>,
}

/// The rules, and a watch that tells when they are out of date.
struct Current {
    rules: Arc<Rules>,
    watch: Option<Watch<Record>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    pub(crate) fn new(store: Store<Record>) -> Self {
        Self { store, current: Mutex::new(Current { rules: Arc::default(), watch: None }) }
    }

    /// The rules of the newest roles and bindings; a write that was answered is in them.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let mut current = self.current.lock();
        if !current.is_fresh() {
            *current = self.load();
        }
        Arc::clone(&current.rules)
    }

    fn load(&self) -> Current {
        let Ok(page) = self.store.range(&Query::prefix(ROLES)) else {
            return Current { rules: Arc::default(), watch: None };
        };
        let objects: Vec<Value> = page.items.iter().map(|item| item.value.value()).collect();
        let rules = Arc::new(Rules::build(&objects));
        Current { rules, watch: self.store.watch(ROLES, page.revision).ok() }
    }
}

impl Current {
    fn is_fresh(&mut self) -> bool {
        self.watch.as_mut().is_some_and(|watch| matches!(watch.try_next(), Ok(None)))
    }
}

/// Objects of the core group, straight from the store.
pub(crate) struct CoreObjects<'a>(pub(crate) &'a Store<Record>);

impl Directory for CoreObjects<'_> {
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String> {
        let item = self.0.get(&core_key(resource, namespace, name))?;
        Some(item.value.summary().uid.to_string())
    }

    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        self.0.get(&core_key(resource, namespace, name)).map(|item| Object(item.value.value()))
    }
}

fn core_key(resource: &str, namespace: &str, name: &str) -> String {
    match namespace {
        "" => format!("core/{resource}/{name}"),
        _ => format!("core/{resource}/{namespace}/{name}"),
    }
}
