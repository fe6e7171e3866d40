//! Store lookups of authentication and authorization: RBAC objects, and objects that tokens are bound to.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::{Object, Status};
use portolan_store::{Page, Query, ReadError, Revision, Store, Watch};
use serde_json::Value;

use crate::auth::{Directory, Rules};
use crate::record::Record;

/// Key prefix of roles and bindings.
const ROLES: &str = "rbac.authorization.k8s.io/";

/// Roles and bindings could not be read, so no request can be decided.
#[derive(Debug, thiserror::Error)]
#[error("roles and bindings cannot be read from the store; the request was not decided, try again")]
pub(crate) struct AccessError(#[from] ReadError);

impl From<AccessError> for Status {
    /// 500, as upstream answers when an authorizer fails. A 403 would claim that a decision was made.
    fn from(error: AccessError) -> Self {
        let AccessError(cause) = &error;
        tracing::error!(%cause, "{error}");
        Self::internal(format!("{error}: {cause}"))
    }
}

/// The RBAC rules in force. Built from the store when first needed, and again after any role or binding changed.
pub(crate) struct Access {
    store: Store<Record>,
    current: Mutex<Option<Current>>,
}

/// Rules, and a watch that has an event once they are outdated.
struct Current {
    rules: Arc<Rules>,
    watch: Watch<Record>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    pub(crate) fn new(store: Store<Record>) -> Self {
        Self { store, current: Mutex::new(None) }
    }

    /// The rules of the newest roles and bindings; every write that was answered is included.
    ///
    /// # Errors
    /// When the store cannot be read. Nothing is cached then: the next call reads again.
    pub(crate) fn rules(&self) -> Result<Arc<Rules>, AccessError> {
        let mut current = self.current.lock();
        if let Some(current) = current.as_mut()
            && current.is_fresh()
        {
            return Ok(Arc::clone(&current.rules));
        }
        *current = None;
        let page = self.store.range(&Query::prefix(ROLES));
        let loaded = Current::load(page, |revision| self.store.watch(ROLES, revision))?;
        Ok(Arc::clone(&current.insert(loaded).rules))
    }
}

impl Current {
    fn load(
        page: Result<Page<Record>, ReadError>,
        watch: impl FnOnce(Revision) -> Result<Watch<Record>, ReadError>,
    ) -> Result<Self, AccessError> {
        let page = page?;
        let objects: Vec<Value> = page.items.iter().map(|item| item.value.value()).collect();
        Ok(Self { rules: Arc::new(Rules::build(&objects)), watch: watch(page.revision)? })
    }

    fn is_fresh(&mut self) -> bool {
        matches!(self.watch.try_next(), Ok(None))
    }
}

/// Objects of the core group, read from the store.
pub(crate) struct CoreObjects<'a>(pub(crate) &'a Store<Record>);

impl Directory for CoreObjects<'_> {
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String> {
        let item = self.0.get(&core_key(resource, namespace, name))?;
        Some(item.value.summary().uid().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    const COMPACTED: ReadError = ReadError::Compacted { asked: Revision(1), oldest: Revision(2) };

    #[test]
    fn a_store_error_is_an_error_and_not_an_empty_rule_set() {
        let store = Store::<Record>::in_memory();
        let page = store.range(&Query::prefix(ROLES)).unwrap();
        for (name, page, watch_fails) in
            [("the list fails", Err(COMPACTED), false), ("the watch fails", Ok(page), true)]
        {
            let watch = |revision| if watch_fails { Err(COMPACTED) } else { store.watch(ROLES, revision) };
            let error = Current::load(page, watch).map(|_| ()).unwrap_err();
            let status = Status::from(error);
            assert_eq!(status.code, 500, "{name}");
            assert!(status.message.contains("revision 1 was compacted"), "{name}: {}", status.message);
        }
    }

    #[test]
    fn rules_are_built_once_while_nothing_changes() {
        let access = Access::new(Store::in_memory());
        assert!(Arc::ptr_eq(&access.rules().unwrap(), &access.rules().unwrap()));
    }
}
