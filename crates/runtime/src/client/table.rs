//! Collections as tables (`meta.k8s.io/v1` Table): the columns and cells that `kubectl get` prints.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::Value;

use super::transport::Body;
use super::{Client, ClientError, Selection, WatchStream, decode_answer};
use crate::limits::Excess;
use crate::resource::{Resource, push_query};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// `meta.k8s.io/v1` Table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Version of the collection, or in a watch of the object.
    #[serde(default)]
    pub metadata: TableMetadata,
    /// The columns; empty in a watch after its first event.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub column_definitions: Vec<Column>,
    /// One row per object.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub rows: Vec<Row>,
}

/// Metadata of a table.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TableMetadata {
    /// The version to watch from.
    pub resource_version: String,
    #[serde(rename = "continue")]
    continue_token: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Column {
    /// Heading, in the server's spelling.
    pub name: String,
    /// 0 is always printed, 1 only with `--output wide`.
    #[serde(default)]
    pub priority: i32,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    /// One cell per column.
    pub cells: Vec<Value>,
    /// The object, or its metadata only.
    pub object: Object,
}

/// How tables are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// Objects per page; 0 for one answer with all.
    pub page_size: u32,
    /// Rows carry whole objects instead of their metadata.
    pub has_objects: bool,
}

impl Default for TableOptions {
    /// Pages of 500 objects, as kubectl, and metadata.
    fn default() -> Self {
        Self { page_size: 500, has_objects: false }
    }
}

impl TableOptions {
    fn push_to(self, path: &mut String) {
        push_query(path, "includeObject", if self.has_objects { "Object" } else { "Metadata" });
    }
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Client {
    /// Reads the selected objects of a collection, or the object `name`, as a table.
    ///
    /// # Errors
    /// The errors of reading the same objects.
    pub async fn table(
        &self,
        resource: &Resource,
        selection: &Selection,
        name: Option<&str>,
        options: TableOptions,
    ) -> Result<Table, ClientError> {
        if let Some(name) = name {
            let mut path = resource.object_path(&ObjectKey::namespaced(&*selection.namespace, name), "");
            options.push_to(&mut path);
            return self.table_page(&path).await;
        }
        let (mut whole, mut token) = (None::<Table>, String::new());
        let started = Instant::now();
        for _ in 0..self.limits.pages {
            let mut path = resource.collection_path(&selection.namespace);
            selection.push_to(&mut path);
            options.push_to(&mut path);
            if options.page_size > 0 {
                push_query(&mut path, "limit", &options.page_size.to_string());
            }
            if !token.is_empty() {
                push_query(&mut path, "continue", &token);
            }
            let page = self.table_page(&path).await?;
            let next = page.metadata.continue_token.clone();
            let table = match whole.take() {
                None => page,
                Some(mut table) => {
                    table.rows.extend(page.rows);
                    table
                }
            };
            if next.is_empty() {
                return Ok(table);
            }
            if next == token {
                return Err(self.transport.excessive(Excess::RepeatedPage));
            }
            if started.elapsed() > self.limits.list_time {
                return Err(self.transport.excessive(Excess::ListTime { limit: self.limits.list_time }));
            }
            (whole, token) = (Some(table), next);
        }
        Err(self.transport.excessive(Excess::Pages { pages: self.limits.pages }))
    }

    async fn table_page(&self, path: &str) -> Result<Table, ClientError> {
        decode_answer(&Method::GET, path, &self.exchange_page(self.table_request(path)?).await?)
    }

    /// Watches the selected objects as tables of one row, from a version on.
    ///
    /// # Errors
    /// A watch that does not start; later failures are items of the stream.
    pub async fn watch_tables(
        &self,
        resource: &Resource,
        selection: &Selection,
        resource_version: &str,
        options: TableOptions,
    ) -> Result<WatchStream<Table>, ClientError> {
        let api = self.resource::<Object>(resource);
        let mut path = api.watch_path(selection, resource_version);
        options.push_to(&mut path);
        let response = self.open(self.table_request(&path)?).await?;
        Ok(api.watch_stream(response))
    }

    fn table_request(&self, path: &str) -> Result<Request<Body>, ClientError> {
        let mut request = self.request(Method::GET, path, None, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(TABLE));
        Ok(request)
    }
}
