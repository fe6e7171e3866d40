//! Collections as tables (`meta.k8s.io/v1` Table): the columns and cells that `kubectl get` prints.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::Value;

use super::{Client, ClientError, Selection, decode_answer};
use crate::resource::Resource;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// `meta.k8s.io/v1` Table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// The columns.
    pub column_definitions: Vec<Column>,
    /// One row per object.
    #[serde(default)]
    pub rows: Vec<Row>,
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
    ) -> Result<Table, ClientError> {
        let path = match name {
            Some(name) => resource.object_path(&ObjectKey::namespaced(&*selection.namespace, name), ""),
            None => {
                let mut path = resource.collection_path(&selection.namespace);
                selection.push_to(&mut path);
                path
            }
        };
        let mut request = self.request(Method::GET, &path, None, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(TABLE));
        decode_answer(&Method::GET, &path, &self.exchange_page(request).await?)
    }
}
