//! Objects of other servers in the form that a client accepts.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use portolan_object::{Object, Status};
use serde_json::{Map, Value, json};

use super::{Event, Kind};
use crate::kinds::table::cells::Row;
use crate::negotiate::{Form, Reply};
use crate::resources::{Resource, Snapshot};

/// Shows the objects of one kind.
pub(crate) struct Shown {
    kind: Kind,
    reply: Reply,
    /// The resource of the kind, if this server has it too: for the columns of a table.
    resource: Option<Arc<Resource>>,
    now: Timestamp,
    /// Whether the next table must have column definitions: the first one of a watch has them.
    wants_columns: bool,
}

impl Shown {
    pub(crate) fn new(kind: Kind, reply: Reply, snapshot: &Snapshot, now: Timestamp) -> Self {
        let resource = snapshot.find(&kind.gvk.group, &kind.gvk.version, &kind.plural).cloned();
        Self { kind, reply, resource, now, wants_columns: true }
    }

    /// One object.
    pub(crate) fn object(&mut self, object: Object) -> Value {
        match self.reply.form {
            Form::Object => object.0,
            Form::Metadata | Form::MetadataList => self.partial(&object),
            Form::Table => self.table(&json!({ "resourceVersion": object.resource_version() }), &[object]),
        }
    }

    /// A list with its metadata.
    pub(crate) fn list(&mut self, metadata: Map<String, Value>, items: Vec<Object>) -> Value {
        let metadata = Value::Object(metadata);
        match self.reply.form {
            Form::Table => self.table(&metadata, &items),
            Form::Object => {
                let items: Vec<Value> = items.into_iter().map(|object| object.0).collect();
                json!({ "kind": format!("{}List", self.kind.gvk.kind), "apiVersion": self.kind.gvk.api_version(),
                    "metadata": metadata, "items": items })
            }
            Form::Metadata | Form::MetadataList => {
                let items: Vec<Value> = items.iter().map(|object| self.partial(object)).collect();
                json!({ "kind": "PartialObjectMetadataList", "apiVersion": self.reply.meta.api_version(),
                    "metadata": metadata, "items": items })
            }
        }
    }

    /// The line of an event.
    pub(crate) fn event(&mut self, event: Event) -> Bytes {
        let (name, object) = match event {
            Event::Added(object) => ("ADDED", self.object(object)),
            Event::Modified(object) => ("MODIFIED", self.object(object)),
            Event::Deleted(object) => ("DELETED", self.object(object)),
            Event::Bookmark(object) => ("BOOKMARK", self.bookmark(object)),
            Event::Error(status) => ("ERROR", json!(status.document())),
        };
        Bytes::from(format!("{}\n", json!({ "type": name, "object": object })))
    }

    /// A bookmark of a table is its only row; its cells are empty.
    fn bookmark(&mut self, object: Object) -> Value {
        if self.reply.form != Form::Table {
            return self.object(object);
        }
        let mut table = self.table(&json!({ "resourceVersion": object.resource_version() }), &[object]);
        if let Some(cells) = table.pointer_mut("/rows/0/cells").and_then(Value::as_array_mut) {
            cells.iter_mut().for_each(|cell| *cell = Value::Null);
        }
        table
    }

    fn partial(&self, object: &Object) -> Value {
        json!({ "kind": "PartialObjectMetadata", "apiVersion": self.reply.meta.api_version(),
            "metadata": object.0["metadata"] })
    }

    fn table(&mut self, metadata: &Value, items: &[Object]) -> Value {
        let rows =
            items.iter().map(|object| json!({ "cells": self.cells(object), "object": self.partial(object) }));
        let rows: Vec<Value> = rows.collect();
        let columns = match std::mem::take(&mut self.wants_columns) {
            true => Value::Array(self.columns()),
            false => Value::Null,
        };
        json!({ "kind": "Table", "apiVersion": self.reply.meta.api_version(), "metadata": metadata,
            "columnDefinitions": columns, "rows": rows })
    }

    /// A kind that this server does not have is printed with name and age.
    fn columns(&self) -> Vec<Value> {
        if let Some(resource) = &self.resource {
            return resource.strategy().columns();
        }
        let column = |name: &str, kind: &str, format: &str| json!({ "name": name, "type": kind, "format": format, "description": "", "priority": 0 });
        vec![column("Name", "string", "name"), column("Age", "string", "")]
    }

    fn cells(&self, object: &Object) -> Vec<Value> {
        match &self.resource {
            Some(resource) => resource.strategy().cells(&object.0, self.now),
            None => vec![json!(object.name()), Row { object: &object.0, now: self.now }.age()],
        }
    }
}

/// 405 for a form that one answer does not have.
pub(crate) fn wrong_form(kind: &Kind) -> Status {
    let text =
        format!("objects of kind {} cannot be shown in the form that the request accepts", kind.gvk.kind);
    Status::new(406, "NotAcceptable", text)
}
