//! The verbs on objects of one resource.
//!
//! Content is any serde type: the untyped `Object`, or a typed kind. Name and namespace are read from the content, so an
//! object cannot be sent to the path of another one. Watches and the answers to writes come without `managedFields`; reads
//! have all fields.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use portolan_object::{Object, ObjectKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::decode::{self, Envelope, ManagedFields, Seen};
use crate::client::error::ClientError;
use crate::client::options::{Apply, Delete, Patch, Selection};
use crate::client::transport::Body;
use crate::client::watch::{WatchBounds, WatchStream};
use crate::client::{Client, unreadable};
use crate::limits::{Excess, Write};
use crate::resource::{Resource, push_query};

const JSON: &str = "application/json";
/// Requests the metadata of objects only.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// The same for collections.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// Objects per page of a list, as client-go's pager.
const PAGE_SIZE: u32 = 500;
/// Time after which the server ends a watch, in seconds; client-go uses five to ten minutes.
const WATCH_TIMEOUT_SECS: u32 = 290;
/// Longest time without data on a watch. A healthy server sends a bookmark each minute and ends the watch in time.
const WATCH_SILENCE_TIMEOUT: Duration = Duration::from_secs(WATCH_TIMEOUT_SECS as u64 + 10);

/// The verbs on one resource of one server.
#[derive(Debug)]
pub struct Api<T> {
    client: Client,
    resource: Resource,
    /// Whether collections are read as metadata only.
    is_metadata: bool,
    /// Whether writes are not stored.
    is_dry_run: bool,
    /// Objects per page of a list; 0 for one answer with all.
    page_size: u32,
    /// What watches and answers to writes keep.
    managed_fields: ManagedFields,
    content: PhantomData<fn() -> T>,
}

// Derived, it would need `T: Clone`.
impl<T> Clone for Api<T> {
    fn clone(&self) -> Self {
        let (client, resource) = (self.client.clone(), self.resource.clone());
        let Self { is_metadata, is_dry_run, page_size, managed_fields, .. } = *self;
        Self { client, resource, is_metadata, is_dry_run, page_size, managed_fields, content: PhantomData }
    }
}

/// A whole collection.
#[derive(Debug)]
pub struct List<T> {
    /// The objects, in the server's order.
    pub items: Vec<Seen<T>>,
    /// The version to watch from.
    pub resource_version: String,
}

/// How a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// In pages of limited size.
    Many,
    /// In one answer, however large.
    One,
}

/// Where a watch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchStart<'a> {
    /// With the present objects, closed by a bookmark (a streaming list).
    Now,
    /// After a version.
    After(&'a str),
}

impl<T> Api<T> {
    pub(super) fn new(client: Client, resource: Resource) -> Self {
        let (is_metadata, is_dry_run, page_size) = (false, false, PAGE_SIZE);
        let managed_fields = ManagedFields::Dropped;
        Self { client, resource, is_metadata, is_dry_run, page_size, managed_fields, content: PhantomData }
    }

    /// The same resource; objects come with their `managedFields` in watches and in the answers to writes, too.
    #[must_use]
    pub fn with_managed_fields(self) -> Self {
        Self { managed_fields: ManagedFields::Kept, ..self }
    }

    /// The same resource; lists are read in pages of `size` objects, or with 0 in one answer.
    #[must_use]
    pub fn with_page_size(self, size: u32) -> Self {
        Self { page_size: size, ..self }
    }

    /// The same resource; lists and watches return objects of the kind `PartialObjectMetadata`.
    pub(crate) fn metadata_only(self) -> Self {
        Self { is_metadata: true, ..self }
    }

    /// The same resource; creations and updates get defaults and validation, and are not stored (`dryRun=All`).
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { is_dry_run: true, ..self }
    }

    /// The resource.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The client below.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Deletes one object. `Ok` also if finalizers keep it.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] if it does not exist, [`ClientError::Conflict`] if a precondition fails.
    pub async fn delete(&self, key: &ObjectKey, options: &Delete) -> Result<(), ClientError> {
        let path = self.resource.object_path(key, "");
        let body = Bytes::from(options.body().to_string());
        self.client.exchange(self.client.request(Method::DELETE, &path, Some(JSON), body)?).await?;
        Ok(())
    }

    /// Reads the scale of an object (autoscaling/v1 Scale).
    ///
    /// # Errors
    /// [`ClientError::NotFound`] if it does not exist, or its kind has no scale subresource.
    pub async fn scale(&self, key: &ObjectKey) -> Result<Object, ClientError> {
        self.client.json(&self.resource.object_path(key, "scale")).await
    }

    /// Replaces the scale of an object. Its `resourceVersion`, if set, must be the current one.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if it is not.
    pub async fn replace_scale(&self, key: &ObjectKey, scale: &Object) -> Result<(), ClientError> {
        let path = self.resource.object_path(key, "scale");
        let body = Bytes::from(scale.0.to_string());
        self.client.exchange(self.client.request(Method::PUT, &path, Some(JSON), body)?).await?;
        Ok(())
    }
}

impl<T: Serialize + DeserializeOwned> Api<T> {
    /// Reads one object.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] if it does not exist.
    pub async fn get(&self, key: &ObjectKey) -> Result<T, ClientError> {
        self.client.json(&self.resource.object_path(key, "")).await
    }

    /// Reads a whole collection, in pages.
    ///
    /// # Errors
    /// [`ClientError::Expired`] if the server compacted its history between two pages; list again.
    pub async fn list(&self, selection: &Selection) -> Result<List<T>, ClientError>
    where
        T: Send,
    {
        let mut items = Vec::new();
        let mut room = self.client.limits.list_bytes;
        let keep = |seen: Seen<T>, bytes: usize| {
            let excess = Excess::List { bytes: self.client.limits.list_bytes };
            room = room.checked_sub(bytes).ok_or(excess)?;
            items.push(seen);
            Ok(())
        };
        let resource_version = self.read_list(selection, Pages::Many, keep).await?;
        Ok(List { items, resource_version })
    }

    /// Reads a whole collection in pages, or in one answer, and returns its version. Each object goes to `keep` with its
    /// size as text.
    pub(crate) async fn read_list(
        &self,
        selection: &Selection,
        pages: Pages,
        mut keep: impl FnMut(Seen<T>, usize) -> Result<(), Excess> + Send,
    ) -> Result<String, ClientError> {
        let (limits, started) = (self.client.limits, Instant::now());
        let excessive = |excess| self.client.transport.excessive(excess);
        let mut token = String::new();
        for _ in 0..limits.pages {
            let mut path = self.resource.collection_path(&selection.namespace);
            selection.push_to(&mut path);
            if pages == Pages::Many && self.page_size > 0 {
                push_query(&mut path, "limit", &self.page_size.to_string());
            }
            if !token.is_empty() {
                push_query(&mut path, "continue", &token);
            }
            let accept = if self.is_metadata { METADATA_LIST } else { JSON };
            let body = self.client.exchange_page(self.read(&path, accept)?).await?;
            let unreadable = |source| unreadable(&Method::GET, &path, source);
            let page = decode::page(&body).map_err(unreadable)?;
            for item in page.items {
                let item = item.get();
                if item.len() > limits.object_bytes {
                    return Err(excessive(Excess::Object { bytes: limits.object_bytes }));
                }
                let seen = decode::object(item, &self.resource).map_err(unreadable)?;
                keep(seen, item.len()).map_err(excessive)?;
                // A long page must not keep the thread from other tasks.
                tokio::task::consume_budget().await;
            }
            if page.continue_token.is_empty() {
                return Ok(page.resource_version);
            }
            if page.continue_token == token {
                return Err(excessive(Excess::RepeatedPage));
            }
            if started.elapsed() > limits.list_time {
                return Err(excessive(Excess::ListTime { limit: limits.list_time }));
            }
            token = page.continue_token;
        }
        Err(excessive(Excess::Pages { pages: limits.pages }))
    }

    /// The version of the collection at this moment.
    pub(crate) async fn version(&self, namespace: &str) -> Result<String, ClientError> {
        self.first_page(namespace, |page| page.resource_version).await
    }

    /// Whether a namespace has no object of this resource. Only one object is listed.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] if the type does not exist.
    pub async fn is_empty(&self, namespace: &str) -> Result<bool, ClientError> {
        self.first_page(namespace, |page| page.items.is_empty()).await
    }

    /// Reads a list of one object. Selectors are left out, because the server would search for an object that they select.
    async fn first_page<R>(
        &self,
        namespace: &str,
        read: impl FnOnce(decode::Page<'_>) -> R,
    ) -> Result<R, ClientError> {
        let mut path = self.resource.collection_path(namespace);
        push_query(&mut path, "limit", "1");
        let body = self.client.exchange_page(self.read(&path, METADATA_LIST)?).await?;
        decode::page(&body).map(read).map_err(|source| unreadable(&Method::GET, &path, source))
    }

    /// Creates an object.
    ///
    /// # Errors
    /// [`ClientError::AlreadyExists`]; [`ClientError::NotFound`] if the namespace or the type does not exist.
    pub async fn create(&self, object: &T) -> Result<T, ClientError> {
        let (key, body) = self.encode(object)?;
        let path = self.resource.collection_path(&key.namespace);
        // An object that gets its name from the server is new each time.
        let object = (!key.name.is_empty()).then(|| self.resource.object_path(&key, ""));
        self.write_object(Method::POST, &path, object, JSON, body).await
    }

    /// Replaces an object. Its `resourceVersion`, if set, must be the current one.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if it is not.
    pub async fn replace(&self, object: &T) -> Result<T, ClientError> {
        let (key, body) = self.encode(object)?;
        self.write(Method::PUT, &self.resource.object_path(&key, ""), JSON, body).await
    }

    /// Replaces the status of an object only.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if `resourceVersion` is set and not the current one.
    pub async fn replace_status(&self, object: &T) -> Result<T, ClientError> {
        let (key, body) = self.encode(object)?;
        self.write(Method::PUT, &self.resource.object_path(&key, "status"), JSON, body).await
    }

    /// Server-side apply of the fields in `object`.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if another manager owns a field and `force` is not set.
    pub async fn apply(&self, object: &T, options: &Apply) -> Result<T, ClientError> {
        self.apply_to(object, "", options).await
    }

    /// Server-side apply of the status in `object`.
    ///
    /// # Errors
    /// As [`Api::apply`].
    pub async fn apply_status(&self, object: &T, options: &Apply) -> Result<T, ClientError> {
        self.apply_to(object, "status", options).await
    }

    async fn apply_to(&self, object: &T, subresource: &str, options: &Apply) -> Result<T, ClientError> {
        let (key, body) = self.encode(object)?;
        let mut path = self.resource.object_path(&key, subresource);
        push_query(&mut path, "fieldManager", &options.manager);
        push_query(&mut path, "force", if options.force { "true" } else { "false" });
        // JSON is YAML.
        self.write(Method::PATCH, &path, "application/apply-patch+yaml", body).await
    }

    /// Patches an object.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Conflict`] if the patch names another `resourceVersion`.
    pub async fn patch(&self, key: &ObjectKey, patch: &Patch) -> Result<T, ClientError> {
        self.patch_subresource(key, "", patch).await
    }

    /// Patches the status of an object.
    ///
    /// # Errors
    /// As [`Api::patch`].
    pub async fn patch_status(&self, key: &ObjectKey, patch: &Patch) -> Result<T, ClientError> {
        self.patch_subresource(key, "status", patch).await
    }

    async fn patch_subresource(
        &self,
        key: &ObjectKey,
        subresource: &str,
        patch: &Patch,
    ) -> Result<T, ClientError> {
        let path = self.resource.object_path(key, subresource);
        self.write(Method::PATCH, &path, patch.content_type(), Bytes::from(patch.body().to_string())).await
    }

    /// Watches for changes after `resource_version`. Objects come without `managedFields`.
    ///
    /// # Errors
    /// A watch that does not start; later failures are items of the stream.
    pub async fn watch(
        &self,
        selection: &Selection,
        resource_version: &str,
    ) -> Result<WatchStream<T>, ClientError> {
        self.watch_from(selection, WatchStart::After(resource_version)).await
    }

    /// Path of a watch after `resource_version`.
    pub(super) fn watch_path(&self, selection: &Selection, resource_version: &str) -> String {
        self.path_of_watch(selection, WatchStart::After(resource_version))
    }

    /// The events in the answer to a watch. Their content need not be that of the resource.
    pub(super) fn watch_stream<E: DeserializeOwned>(&self, response: Response<Body>) -> WatchStream<E> {
        let (transport, body) = (self.client.transport.clone(), response.into_body());
        let bounds = WatchBounds {
            silence: WATCH_SILENCE_TIMEOUT,
            frame_bytes: self.client.limits.object_bytes,
            budget: self.client.budget.clone(),
        };
        WatchStream::new(transport, body, self.resource.clone(), bounds, self.managed_fields)
    }

    pub(crate) async fn watch_from(
        &self,
        selection: &Selection,
        start: WatchStart<'_>,
    ) -> Result<WatchStream<T>, ClientError> {
        let response = self.client.open(self.watch_request(selection, start)?).await?;
        Ok(self.watch_stream(response))
    }

    fn watch_request(
        &self,
        selection: &Selection,
        start: WatchStart<'_>,
    ) -> Result<Request<Body>, ClientError> {
        let path = self.path_of_watch(selection, start);
        self.read(&path, if self.is_metadata { METADATA } else { JSON })
    }

    fn path_of_watch(&self, selection: &Selection, start: WatchStart<'_>) -> String {
        let mut path = self.resource.collection_path(&selection.namespace);
        selection.push_to(&mut path);
        push_query(&mut path, "watch", "true");
        push_query(&mut path, "allowWatchBookmarks", "true");
        push_query(&mut path, "timeoutSeconds", &WATCH_TIMEOUT_SECS.to_string());
        match start {
            WatchStart::Now => {
                push_query(&mut path, "sendInitialEvents", "true");
                push_query(&mut path, "resourceVersionMatch", "NotOlderThan");
            }
            // Aggregated API servers may have no versions; without one, a watch starts with the present objects.
            WatchStart::After("") => {}
            WatchStart::After(version) => push_query(&mut path, "resourceVersion", version),
        }
        path
    }

    fn read(&self, path: &str, accept: &'static str) -> Result<Request<Body>, ClientError> {
        let mut request = self.client.request(Method::GET, path, None, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
        Ok(request)
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let object = path.split('?').next().map(str::to_owned);
        self.write_object(method, path, object, content_type, body).await
    }

    /// Writes the object with the path `object`; `None` if that is not known before.
    async fn write_object(
        &self,
        method: Method,
        path: &str,
        object: Option<String>,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let object = object.filter(|_| !self.is_dry_run);
        if let Some(object) = &object {
            self.client.admit_rewrite(Write { object, method: &method, body: &body })?;
        }
        let mut path = path.to_owned();
        if self.is_dry_run {
            push_query(&mut path, "dryRun", "All");
        }
        let path = path.as_str();
        let request = self.client.request(method.clone(), path, Some(content_type), body)?;
        let written = self.decode_written(&method, path, &self.client.exchange(request).await?)?;
        if let Some(object) = &object {
            self.client.rewritten(object, &written.resource_version);
        }
        Ok(written.object)
    }

    /// Reads the answer to a write.
    fn decode_written(&self, method: &Method, path: &str, answer: &[u8]) -> Result<Seen<T>, ClientError> {
        let text = std::str::from_utf8(answer).map_err(serde::de::Error::custom);
        let read = text.and_then(|text| decode::object_of_one(text, &self.resource, self.managed_fields));
        read.map_err(|source| unreadable(method, path, source))
    }

    /// The encoded object and the key that it carries.
    fn encode(&self, object: &T) -> Result<(ObjectKey, Bytes), ClientError> {
        let request = || format!("write of {}", self.resource);
        let body = serde_json::to_vec(object)
            .map_err(|source| ClientError::Unreadable { request: request(), source })?;
        let envelope: Envelope<'_> = serde_json::from_slice(&body)
            .map_err(|source| ClientError::Unreadable { request: request(), source })?;
        Ok((envelope.key(), Bytes::from(body)))
    }
}
