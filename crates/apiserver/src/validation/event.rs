//! Events of both groups, which share one storage.

use serde_json::Value;

use super::errors::{FieldErrors, IMMUTABLE, printed};
use super::metadata;
use super::path::Path;
use crate::tree;

/// How one group spells what both say.
struct Spelling {
    object: &'static str,
    controller: &'static str,
    message: &'static str,
}

const CORE: Spelling =
    Spelling { object: "involvedObject", controller: "reportingComponent", message: "message" };
const EVENTS: Spelling = Spelling { object: "regarding", controller: "reportingController", message: "note" };

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

pub(crate) fn core(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    common(new, &CORE, errors);
}

pub(crate) fn events(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    common(new, &EVENTS, errors);
    match old {
        None => fresh(new, errors),
        Some(old) => unchanged(new, old, errors),
    }
}

fn common(event: &Value, spelling: &Spelling, errors: &mut FieldErrors) {
    let namespace = tree::text(event, "/metadata/namespace");
    let of_object = tree::text(event, &format!("/{}/namespace", spelling.object));
    // FieldErrors of both groups name the fields of the core group.
    let object = Path::root("involvedObject");
    let mut mismatch = |is_broken: bool| {
        if is_broken {
            errors.invalid(&object.child("namespace"), of_object, "does not match event.namespace");
        }
    };
    if tree::text(event, "/eventTime").is_empty() {
        match of_object {
            "" => mismatch(!namespace.is_empty() && namespace != "default"),
            _ => mismatch(namespace != of_object),
        }
        return;
    }
    mismatch(of_object.is_empty() && namespace != "default" && namespace != "kube-system");
    let controller = tree::text(event, &format!("/{}", spelling.controller));
    let path = Path::root(spelling.controller);
    if controller.is_empty() {
        errors.required(&path, "");
    }
    errors.texts(&path, controller, metadata::qualified_name_errors(controller));
    for (field, limit) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
        let text = tree::text(event, &format!("/{field}"));
        if text.is_empty() {
            errors.required(&Path::root(field), "");
        }
        if text.len() > limit {
            errors.invalid(&Path::root(field), "", format!("can have at most {limit} characters"));
        }
    }
    if tree::text(event, &format!("/{}", spelling.message)).len() > 1024 {
        errors.invalid(&Path::root("message"), "", "can have at most 1024 characters");
    }
}

/// What a new event of the newer group must have, and what it may not carry over from the older one.
fn fresh(event: &Value, errors: &mut FieldErrors) {
    series(event, errors);
    if tree::text(event, "/eventTime").is_empty() {
        errors.required(&Path::root("eventTime"), "");
    }
    let kind = tree::text(event, "/type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.invalid(&Path::root("type"), "", format!("has invalid value: {kind}"));
    }
    for (field, pointer) in
        [("firstTimestamp", "/deprecatedFirstTimestamp"), ("lastTimestamp", "/deprecatedLastTimestamp")]
    {
        if !tree::text(event, pointer).is_empty() {
            errors.invalid(&Path::root(field), "", "needs to be unset");
        }
    }
    if tree::integer(event, "/deprecatedCount").unwrap_or_default() != 0 {
        errors.invalid(&Path::root("count"), "", "needs to be unset");
    }
    let has_source = ["component", "host"]
        .iter()
        .any(|field| !tree::text(event, &format!("/deprecatedSource/{field}")).is_empty());
    if has_source {
        errors.invalid(&Path::root("source"), "", "needs to be unset");
    }
}

fn series(event: &Value, errors: &mut FieldErrors) {
    let Some(series) = tree::present(event, "/series") else { return };
    if tree::integer(series, "/count").unwrap_or_default() < 2 {
        errors.invalid(&Path::root("series.count"), "", "should be at least 2");
    }
    if tree::text(series, "/lastObservedTime").is_empty() {
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

/// A part that may not change; a fault about it prints every member, under its Go name.
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
        let text = |(_, name): &(&str, &str)| Value::from(tree::text(part, &format!("/{name}")));
        names.iter().map(text).collect::<Vec<_>>()
    });
    if new != old {
        let members: Vec<_> = names.iter().map(|(name, _)| *name).zip(new.iter().map(Some)).collect();
        errors.invalid_text(&Path::root(field), printed(&members), IMMUTABLE);
    }
}
