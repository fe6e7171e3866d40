//! Events in the form of `events.k8s.io`; the stored form is that of the core group.

mod conversion;

use serde_json::{Map, Value};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::core::event;
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::{
    BuiltinKind, BuiltinResource, Conversion, FinalizerRule, Generation, NO_DELETION_STATE, NO_INITIAL_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, StatusRule,
};
use crate::tree;
use crate::tree::child;
use crate::validation::FieldErrors;
use crate::validation::errors::{IMMUTABLE, printed};
use crate::validation::path::Path;

const EVENTS: event::Spelling =
    event::Spelling { object: "regarding", controller: "reportingController", message: "note" };
const REFERENCE: [(&str, &str); 7] = [
    ("Kind", "kind"),
    ("Namespace", "namespace"),
    ("Name", "name"),
    ("UID", "uid"),
    ("APIVersion", "apiVersion"),
    ("ResourceVersion", "resourceVersion"),
    ("FieldPath", "fieldPath"),
];
const SOURCE: [(&str, &str); 2] = [("Component", "component"), ("Host", "host")];

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Event", "events")
        .singular("event")
        .namespaced()
        .short(&["ev"])
        .create_on_update(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&event::TABLE),
    selectable: Defined(SELECTABLE),
    conversion: Defined(Conversion {
        stored: &crate::kinds::core::event::KIND,
        from_stored: conversion::from_core,
        to_stored: conversion::to_core,
    }),
};

/// The same in the words of the newer group.
fn defaults(object: &mut Map<String, Value>) {
    child(object, "deprecatedSource");
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    event::common(new, &EVENTS, errors);
    match old {
        None => fresh(new, errors),
        Some(old) => unchanged(new, old, errors),
    }
}

/// Fields that a new event of the newer group must have, and fields of the older group that it may not have.
fn fresh(event: &Value, errors: &mut FieldErrors) {
    series(event, errors);
    if tree::str_at(event, "/eventTime").is_empty() {
        errors.required(&Path::root("eventTime"), "");
    }
    let kind = tree::str_at(event, "/type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.invalid(&Path::root("type"), "", format!("has invalid value: {kind}"));
    }
    for (field, pointer) in
        [("firstTimestamp", "/deprecatedFirstTimestamp"), ("lastTimestamp", "/deprecatedLastTimestamp")]
    {
        if !tree::str_at(event, pointer).is_empty() {
            errors.invalid(&Path::root(field), "", "needs to be unset");
        }
    }
    if tree::integer(event, "/deprecatedCount").unwrap_or_default() != 0 {
        errors.invalid(&Path::root("count"), "", "needs to be unset");
    }
    let has_source = ["component", "host"]
        .iter()
        .any(|field| !tree::str_at(event, &format!("/deprecatedSource/{field}")).is_empty());
    if has_source {
        errors.invalid(&Path::root("source"), "", "needs to be unset");
    }
}

fn series(event: &Value, errors: &mut FieldErrors) {
    let Some(series) = tree::present(event, "/series") else { return };
    if tree::integer(series, "/count").unwrap_or_default() < 2 {
        errors.invalid(&Path::root("series.count"), "", "should be at least 2");
    }
    if tree::str_at(series, "/lastObservedTime").is_empty() {
        errors.required(&Path::root("series.lastObservedTime"), "");
    }
}

/// An event that has happened only happens again: its series may change, nothing else.
fn unchanged(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if new.get("series") != old.get("series") {
        series(new, errors);
    }
    for (field, pointer) in [
        ("reason", "/reason"),
        ("message", "/note"),
        ("firstTimestamp", "/deprecatedFirstTimestamp"),
        ("lastTimestamp", "/deprecatedLastTimestamp"),
        ("count", "/deprecatedCount"),
        ("type", "/type"),
        ("eventTime", "/eventTime"),
        ("action", "/action"),
        ("reportingController", "/reportingController"),
        ("reportingInstance", "/reportingInstance"),
    ] {
        errors.immutable(&Path::root(field), new, old, pointer);
    }
    kept(new, old, "involvedObject", "regarding", &REFERENCE, errors);
    kept(new, old, "related", "related", &REFERENCE, errors);
    kept(new, old, "source", "deprecatedSource", &SOURCE, errors);
}

/// A part that may not change; an error about it prints every member, under its Go name.
fn kept(
    new: &Value,
    old: &Value,
    field: &str,
    member: &str,
    names: &[(&str, &str)],
    errors: &mut FieldErrors,
) {
    let [new, old] = [new, old].map(|event| {
        let part = event.get(member).unwrap_or(&Value::Null);
        let text = |(_, name): &(&str, &str)| Value::from(tree::str_at(part, &format!("/{name}")));
        names.iter().map(text).collect::<Vec<_>>()
    });
    if new != old {
        let members: Vec<_> = names.iter().map(|(name, _)| *name).zip(new.iter().map(Some)).collect();
        errors.invalid_text(&Path::root(field), printed(&members), IMMUTABLE);
    }
}

/// Events are stored in the form of the core group, whatever group they are read through.
const SELECTABLE: &[SelectableField] = &[
    field("regarding.kind", &["involvedObject", "kind"]),
    field("regarding.namespace", &["involvedObject", "namespace"]),
    field("regarding.name", &["involvedObject", "name"]),
    field("regarding.uid", &["involvedObject", "uid"]),
    field("regarding.apiVersion", &["involvedObject", "apiVersion"]),
    field("regarding.resourceVersion", &["involvedObject", "resourceVersion"]),
    field("regarding.fieldPath", &["involvedObject", "fieldPath"]),
    field("reason", &["reason"]),
    field("reportingController", &["reportingComponent"]),
    field("type", &["type"]),
];
