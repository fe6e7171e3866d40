//! [`Presenter`]: encodes objects in the form that the client accepts: whole, metadata only, or rows of a table.
//!
//! It concatenates encoded bytes. Only table rows parse the object.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use portolan_object::Status;
use portolan_store::{Revision, Versioned};
use serde_json::{Map, Value, json};

use super::page::Listing;
use crate::call::Call;
use crate::kinds::table::Table;
use crate::negotiate::{Form, Reply};
use crate::record::{self, Record};
use crate::request::query::Query;
use crate::resources::{Resource, Source};
use crate::respond::{self, Body};

/// Size of the chunks of a list, in bytes.
const LIST_CHUNK: usize = 64 * 1024;

/// `includeObject`: the part of the object that a table row contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Include {
    fn parse(query: &Query) -> Result<Self, Status> {
        match query.get("includeObject").unwrap_or_default() {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::Nothing),
            "Object" => Ok(Self::Object),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: \
                 must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

/// Encodes objects of one resource in one form.
#[derive(Debug, Clone)]
pub(crate) struct Presenter {
    resource: Arc<Resource>,
    reply: Reply,
    include: Include,
    now: Timestamp,
}

impl Presenter {
    /// The presenter for the form that a request accepts.
    ///
    /// # Errors
    /// 406 for the form of a list, 400 for an unknown `includeObject`.
    pub(crate) fn new(call: &Call, reply: Reply) -> Result<Self, Status> {
        if reply.form == Form::MetadataList {
            let go_type = call.resource.go_type(&call.resource.kind.kind);
            let text = format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list ({go_type})"
            );
            return Err(Status::new(406, "NotAcceptable", text));
        }
        let include = Include::parse(&call.query)?;
        Ok(Self { resource: Arc::clone(&call.resource), reply, include, now: call.now })
    }

    /// The form of objects.
    pub(crate) fn form(&self) -> Form {
        self.reply.form
    }

    /// Sets the time from which ages in table rows are computed.
    pub(crate) fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// One stored object.
    pub(crate) fn object(&self, item: &Versioned<Record>) -> Bytes {
        match self.reply.form {
            Form::Object => self.resource.object(item),
            Form::Metadata | Form::MetadataList => self.metadata_object(&item.value.metadata()),
            Form::Table => self.table(item, true),
        }
    }

    /// Metadata of the last state of an object that was deleted at a revision.
    pub(crate) fn last_metadata(&self, item: &Versioned<Record>, ended: Revision) -> Bytes {
        self.metadata_object(&item.value.metadata_at(ended))
    }

    /// The group and version of tables and of objects with metadata only.
    pub(crate) fn meta_version(&self) -> &'static str {
        self.reply.meta.api_version()
    }

    /// One object that is not stored, such as the outcome of a dry run.
    pub(crate) fn value(&self, object: &Value) -> Value {
        self.shown(object, || (self.columns(), self.cells(object)))
    }

    /// The body of a subresource with another kind than its object.
    pub(crate) fn subresource(&self, table: &Table, object: &Value) -> Value {
        self.shown(object, || (table.definitions(), table.row(object, self.now)))
    }

    fn shown(&self, object: &Value, table: impl FnOnce() -> (Vec<Value>, Vec<Value>)) -> Value {
        match self.reply.form {
            Form::Object => object.clone(),
            Form::Metadata | Form::MetadataList => self.partial(object),
            Form::Table => {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
                let carried = match self.include {
                    Include::Nothing => Value::Null,
                    Include::Metadata => self.partial(object),
                    Include::Object => object.clone(),
                };
                let (columns, cells) = table();
                json!({
                    "kind": "Table", "apiVersion": self.meta_version(),
                    "metadata": { "resourceVersion": version },
                    "columnDefinitions": columns,
                    "rows": [{ "cells": cells, "object": carried }],
                })
            }
        }
    }

    /// A whole list.
    pub(crate) fn list(&self, listing: Listing) -> Response<Body> {
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), json!(listing.revision.0.to_string()));
        if let Some(next) = &listing.next {
            metadata.insert("continue".to_owned(), json!(next));
        }
        if let Some(remaining) = listing.remaining {
            metadata.insert("remainingItemCount".to_owned(), json!(remaining));
        }
        let metadata = Value::Object(metadata).to_string();
        match self.reply.form {
            Form::Table => {
                let mut bytes = self.table_opening(&metadata, true);
                for (index, item) in listing.items.iter().enumerate() {
                    if index > 0 {
                        bytes.push(b',');
                    }
                    self.append_row(&mut bytes, item);
                }
                bytes.extend_from_slice(b"]}");
                respond::encoded(StatusCode::OK, &bytes, self.reply)
            }
            form => {
                let chunks = self.chunks(form, &metadata, &listing.items);
                let length = chunks.length();
                respond::chunks(chunks, length, self.reply)
            }
        }
    }

    fn chunks(&self, form: Form, metadata: &str, items: &[Versioned<Record>]) -> ListChunks {
        let is_object = form == Form::Object;
        let (kind, api_version) = match is_object {
            true => (self.resource.list_kind.as_str(), self.resource.kind.api_version()),
            false => ("PartialObjectMetadataList", self.meta_version().to_owned()),
        };
        let item_opening = match &self.resource.source {
            _ if !is_object => self.metadata_opening(),
            // Items of built-in lists carry neither kind nor apiVersion.
            Source::Builtin(_) => "{".to_owned(),
            Source::Custom(_) => self.resource.opening().to_owned(),
        };
        let opening = record::object_opening(&api_version, kind);
        let shown = |item| if is_object { self.resource.object_fields(item) } else { item.value.metadata() };
        ListChunks {
            opening: Some(format!("{opening}\"metadata\":{metadata},\"items\":[")),
            items: items.iter().map(shown).collect::<Vec<_>>().into_iter(),
            item_opening,
            item_closing: if is_object { "" } else { "}" },
            closing: Some("]}\n"),
        }
    }

    /// A table with one row. Later events of a watch have no column definitions.
    pub(crate) fn table(&self, item: &Versioned<Record>, with_columns: bool) -> Bytes {
        let metadata = json!({ "resourceVersion": item.modified.0.to_string() }).to_string();
        let mut bytes = self.table_opening(&metadata, with_columns);
        self.append_row(&mut bytes, item);
        bytes.extend_from_slice(b"]}");
        Bytes::from(bytes)
    }

    /// A table with a bookmark as its only row.
    pub(crate) fn bookmark_table(&self, bookmark: &Value, revision: Revision, with_columns: bool) -> Bytes {
        let metadata = json!({ "resourceVersion": revision.0.to_string() }).to_string();
        let mut bytes = self.table_opening(&metadata, with_columns);
        let cells = vec![Value::Null; self.column_count()];
        let row = json!({ "cells": cells, "object": bookmark });
        bytes.extend_from_slice(row.to_string().as_bytes());
        bytes.extend_from_slice(b"]}");
        Bytes::from(bytes)
    }

    fn table_opening(&self, metadata: &str, with_columns: bool) -> Vec<u8> {
        let columns = if with_columns { Value::Array(self.columns()) } else { Value::Null };
        let opening = record::object_opening(self.meta_version(), "Table");
        format!("{opening}\"metadata\":{metadata},\"columnDefinitions\":{columns},\"rows\":[").into_bytes()
    }

    fn append_row(&self, bytes: &mut Vec<u8>, item: &Versioned<Record>) {
        let cells = Value::Array(self.cells(&self.resource.value(item)));
        bytes.extend_from_slice(format!("{{\"cells\":{cells},\"object\":").as_bytes());
        match self.include {
            Include::Nothing => bytes.extend_from_slice(b"null"),
            Include::Metadata => bytes.extend_from_slice(&self.metadata_object(&item.value.metadata())),
            Include::Object => bytes.extend_from_slice(&self.resource.object(item)),
        }
        bytes.push(b'}');
    }

    fn metadata_opening(&self) -> String {
        record::object_opening(self.meta_version(), "PartialObjectMetadata")
    }

    fn metadata_object(&self, metadata: &[u8]) -> Bytes {
        let mut bytes = self.metadata_opening().into_bytes();
        bytes.reserve_exact(metadata.len() + 1);
        bytes.extend_from_slice(metadata);
        bytes.push(b'}');
        Bytes::from(bytes)
    }

    fn partial(&self, object: &Value) -> Value {
        json!({
            "kind": "PartialObjectMetadata", "apiVersion": self.meta_version(), "metadata": object["metadata"],
        })
    }

    fn columns(&self) -> Vec<Value> {
        self.resource.strategy().columns()
    }

    fn column_count(&self) -> usize {
        self.columns().len()
    }

    fn cells(&self, object: &Value) -> Vec<Value> {
        self.resource.strategy().cells(object, self.now)
    }
}

/// The chunks of a list, assembled while it is sent.
struct ListChunks {
    opening: Option<String>,
    items: std::vec::IntoIter<Bytes>,
    item_opening: String,
    item_closing: &'static str,
    closing: Option<&'static str>,
}

impl ListChunks {
    /// Size of the whole list, in bytes.
    fn length(&self) -> u64 {
        let items = self.items.as_slice();
        let each = self.item_opening.len() + self.item_closing.len();
        let commas = items.len().saturating_sub(1);
        let content: usize = items.iter().map(|item| item.len() + each).sum();
        let ends = self.opening.as_ref().map_or(0, String::len) + self.closing.map_or(0, str::len);
        (ends + content + commas) as u64
    }
}

impl Iterator for ListChunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.closing?;
        let mut chunk = Vec::with_capacity(LIST_CHUNK);
        let mut is_first = false;
        if let Some(opening) = self.opening.take() {
            chunk.extend_from_slice(opening.as_bytes());
            is_first = true;
        }
        while chunk.len() < LIST_CHUNK {
            let Some(item) = self.items.next() else {
                chunk.extend_from_slice(self.closing.take().unwrap_or_default().as_bytes());
                break;
            };
            if !is_first {
                chunk.push(b',');
            }
            is_first = false;
            chunk.extend_from_slice(self.item_opening.as_bytes());
            chunk.extend_from_slice(&item);
            chunk.extend_from_slice(self.item_closing.as_bytes());
        }
        Some(Bytes::from(chunk))
    }
}
