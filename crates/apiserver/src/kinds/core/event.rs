//! Events in the form of the core group, in which all events are stored.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::cells::{Row, elapsed};
use crate::kinds::table::{Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_INITIAL_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata};

const CORE: Spelling =
    Spelling { object: "involvedObject", controller: "reportingComponent", message: "message" };

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Event", "events")
        .singular("event")
        .namespaced()
        .short(&["ev"])
        .create_on_update(),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

/// Events of the core group always have the fields of their reporter, which may be empty.
fn defaults(object: &mut Map<String, Value>) {
    child(object, "source");
    default(object, "reportingComponent", "");
    default(object, "reportingInstance", "");
}

/// Field names of one of the two event groups.
pub(crate) struct Spelling {
    pub(crate) object: &'static str,
    pub(crate) controller: &'static str,
    pub(crate) message: &'static str,
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    common(new, &CORE, errors);
}

pub(crate) fn common(event: &Value, spelling: &Spelling, errors: &mut FieldErrors) {
    let namespace = tree::str_at(event, "/metadata/namespace");
    let of_object = tree::str_at(event, &format!("/{}/namespace", spelling.object));
    // FieldErrors of both groups name the fields of the core group.
    let object = Path::root("involvedObject");
    let mut mismatch = |is_broken: bool| {
        if is_broken {
            errors.invalid(&object.child("namespace"), of_object, "does not match event.namespace");
        }
    };
    if tree::str_at(event, "/eventTime").is_empty() {
        match of_object {
            "" => mismatch(!namespace.is_empty() && namespace != "default"),
            _ => mismatch(namespace != of_object),
        }
        return;
    }
    mismatch(of_object.is_empty() && namespace != "default" && namespace != "kube-system");
    let controller = tree::str_at(event, &format!("/{}", spelling.controller));
    let path = Path::root(spelling.controller);
    if controller.is_empty() {
        errors.required(&path, "");
    }
    errors.texts(&path, controller, metadata::qualified_name_errors(controller));
    for (field, limit) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
        let text = tree::str_at(event, &format!("/{field}"));
        if text.is_empty() {
            errors.required(&Path::root(field), "");
        }
        if text.len() > limit {
            errors.invalid(&Path::root(field), "", format!("can have at most {limit} characters"));
        }
    }
    if tree::str_at(event, &format!("/{}", spelling.message)).len() > 1024 {
        errors.invalid(&Path::root("message"), "", "can have at most 1024 characters");
    }
}

pub(crate) static TABLE: Table = Table {
    columns: &[
        Column::string("Last Seen", "Time since the event happened last."),
        Column::string("Type", "Normal or Warning."),
        Column::string("Reason", "What happened, as one word."),
        Column::string("Object", "What it happened to."),
        Column::string("Subobject", "Part of the object it happened to.").wide(),
        Column::string("Source", "Who reports it.").wide(),
        Column::string("Message", "What happened, for people."),
        Column::string("First Seen", "Time since the event happened first.").wide(),
        Column::string("Count", "How often it happened.").wide(),
        Column { priority: 1, ..NAME },
    ],
    cells,
};

/// An event of either group: the newer one has other names for what the older one says.
fn cells(row: Row<'_>) -> Vec<Value> {
    let either = |older: &str, newer: &str| match row.text(older) {
        "" => row.text(newer),
        found => found,
    };
    let first = match either("/firstTimestamp", "/deprecatedFirstTimestamp") {
        "" => row.since("/eventTime"),
        first => elapsed(first, row.now),
    };
    let mut last = match either("/lastTimestamp", "/deprecatedLastTimestamp") {
        "" => first.clone(),
        last => elapsed(last, row.now),
    };
    let mut count = row.integer("/count").max(row.integer("/deprecatedCount"));
    if tree::present(row.object, "/series").is_some() {
        last = row.since("/series/lastObservedTime");
        count = row.integer("/series/count");
    } else if count == 0 {
        count = 1;
    }
    let kind = either("/involvedObject/kind", "/regarding/kind").to_lowercase();
    let target = match either("/involvedObject/name", "/regarding/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        json!(last),
        json!(row.text("/type")),
        json!(row.text("/reason")),
        json!(target),
        json!(either("/involvedObject/fieldPath", "/regarding/fieldPath")),
        json!(event_source(row)),
        json!(either("/message", "/note").trim()),
        json!(first),
        json!(count),
        row.name(),
    ]
}

fn event_source(row: Row<'_>) -> String {
    let first = |pointers: [&str; 4]| {
        pointers
            .into_iter()
            .map(|pointer| row.text(pointer))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let component = first([
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ]);
    let instance =
        first(["/source/host", "/deprecatedSource/host", "/reportingInstance", "/reportingInstance"]);
    if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") }
}

const SELECTABLE: &[SelectableField] = &[
    field("involvedObject.kind", &["involvedObject", "kind"]),
    field("involvedObject.namespace", &["involvedObject", "namespace"]),
    field("involvedObject.name", &["involvedObject", "name"]),
    field("involvedObject.uid", &["involvedObject", "uid"]),
    field("involvedObject.apiVersion", &["involvedObject", "apiVersion"]),
    field("involvedObject.resourceVersion", &["involvedObject", "resourceVersion"]),
    field("involvedObject.fieldPath", &["involvedObject", "fieldPath"]),
    field("reason", &["reason"]),
    field("reportingComponent", &["reportingComponent"]),
    field("source", &["source", "component"]),
    field("type", &["type"]),
];
