//! Writes to one member, with each result put into the cache, so that the next pass sees it before the watch delivers it.

use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Apply, Delete};
use portolan_runtime::{Cache, ClientError, Member};

use crate::MANAGER;
use crate::missing::ignore_missing;

/// Writer for the objects of one cache of a member.
pub(super) struct MemberWriter<'a> {
    pub(super) member: &'a Member,
    pub(super) cache: &'a Cache<Object>,
}

impl MemberWriter<'_> {
    fn api(&self) -> portolan_runtime::Api<Object> {
        self.member.client().resource(self.cache.resource())
    }

    fn insert(&self, written: Object) {
        let version = written.resource_version().to_owned();
        self.cache.written(written.key(), &version, written);
    }

    /// Creates an object. An existing object of that name is an error.
    pub(super) async fn create(&self, object: &Object) -> Result<(), ClientError> {
        self.insert(self.api().create(object).await?);
        Ok(())
    }

    /// Replaces the cached object, or creates it if the cache has none. Sends one request.
    pub(super) async fn put(&self, mut object: Object) -> Result<(), ClientError> {
        let Some(present) = self.cache.get(&object.key()) else { return self.create(&object).await };
        object.metadata_mut().insert("resourceVersion".to_owned(), present.resource_version().into());
        self.insert(self.api().replace(&object).await?);
        Ok(())
    }

    /// Replaces the status of an object; fails with a conflict if its resource version is outdated.
    pub(super) async fn put_status(&self, object: &Object) -> Result<(), ClientError> {
        self.insert(self.api().replace_status(object).await?);
        Ok(())
    }

    /// Applies status fields with server-side apply. Fields of other managers stay.
    pub(super) async fn apply_status(&self, object: &Object) -> Result<(), ClientError> {
        let options = Apply { manager: MANAGER.to_owned(), force: true };
        self.insert(self.api().apply_status(object, &options).await?);
        Ok(())
    }

    /// Deletes the cached object, with its uid and version as preconditions: one that another client has changed since, such as
    /// a Service that a migration has marked, is decided on again. A missing object is not an error.
    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), ClientError> {
        let Some(present) = self.cache.get(key) else { return Ok(()) };
        let resource_version = Some(present.resource_version().to_owned());
        let options = Delete { resource_version, ..Delete::background().uid(present.uid()) };
        ignore_missing(self.api().delete(key, &options).await)?;
        Ok(())
    }
}
