//! Attachments of volumes to nodes.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Source;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::tree;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "VolumeAttachment", "volumeattachments")
        .singular("volumeattachment")
        .delete_returns_object()
        .subresources(&[Subresource::status("VolumeAttachment")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: NotNeeded("the schema and the metadata say all that is checked"),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::text("Attacher", "Driver that attaches the volume.").identifying(),
        Column::text("PV", "Volume that is attached."),
        Column::text("Node", "Node that it is attached to."),
        Column::boolean("Attached", "Whether it is attached."),
        AGE,
    ],
    cells,
};

fn cells(source: Source<'_>) -> Vec<Value> {
    vec![
        source.name(),
        json!(source.text("/spec/attacher")),
        json!(source.text("/spec/source/persistentVolumeName")),
        json!(source.text("/spec/nodeName")),
        json!(tree::is_true(source.object, "/status/attached")),
        source.age(),
    ]
}
