//! Writes to a member, put into its caches at once, so that the next decision knows of them.

use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Apply, Delete};
use portolan_runtime::{Cache, ClientError, Member};

use crate::MANAGER;

/// One kind of object in one member.
pub(super) struct Writer<'a> {
    pub(super) member: &'a Member,
    pub(super) cache: &'a Cache<Object>,
}

impl Writer<'_> {
    fn api(&self) -> portolan_runtime::Api<Object> {
        self.member.client().resource(self.cache.resource())
    }

    fn note(&self, written: Object) {
        let version = written.resource_version().to_owned();
        self.cache.written(written.key(), &version, written);
    }

    /// Creates an object; one of that name that is there already is an error.
    pub(super) async fn create(&self, object: &Object) -> Result<(), ClientError> {
        self.note(self.api().create(object).await?);
        Ok(())
    }

    /// Replaces the object that the cache knows, or creates it: one request either way.
    pub(super) async fn put(&self, mut object: Object) -> Result<(), ClientError> {
        let Some(present) = self.cache.get(&object.key()) else { return self.create(&object).await };
        object.metadata_mut().insert("resourceVersion".to_owned(), present.resource_version().into());
        self.note(self.api().replace(&object).await?);
        Ok(())
    }

    /// Replaces the status of an object, at the version that it carries.
    pub(super) async fn put_status(&self, object: &Object) -> Result<(), ClientError> {
        self.note(self.api().replace_status(object).await?);
        Ok(())
    }

    /// Applies the part of a status that is ours; what others wrote beside it stays.
    pub(super) async fn apply_status(&self, object: &Object) -> Result<(), ClientError> {
        let options = Apply { manager: MANAGER.to_owned(), force: true };
        self.note(self.api().apply_status(object, &options).await?);
        Ok(())
    }

    /// Deletes the very object that the cache knows. One that is not there is deleted.
    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), ClientError> {
        let Some(present) = self.cache.get(key) else { return Ok(()) };
        match self.api().delete(key, &Delete::background().uid(present.uid())).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
