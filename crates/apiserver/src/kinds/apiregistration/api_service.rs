//! API services.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::admissionregistration::run_here::{RUN_HERE, is_run_here};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::tree::{self, child, child_if_present, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "APIService", "apiservices")
        .singular("apiservice")
        .category(&["api-extensions"])
        .update_requires_version()
        .subresources(&[Subresource::status("APIService")]),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    if let Some(service) = child_if_present(spec, "service") {
        default(service, "port", 443);
    }
}

/// A service elsewhere is not asked, so nothing is known of it.
fn prepare_for_create(object: &mut Value) {
    let condition = match tree::present(object, "/spec/service") {
        None => json!({ "type": "Available", "status": "True", "reason": "Local",
            "message": "Local APIServices are always available" }),
        // The probe tells.
        Some(_) if is_run_here(object) => return,
        Some(_) => json!({ "type": "Available", "status": "Unknown", "reason": "NotAsked",
            "message": "This API server stores the APIService and sends it no requests" }),
    };
    let mut condition = condition;
    condition["lastTransitionTime"] = object["metadata"]["creationTimestamp"].clone();
    object["status"] = json!({ "conditions": [condition] });
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = Path::root("spec");
    let (group, version) = (tree::str_at(new, "/spec/group"), tree::str_at(new, "/spec/version"));
    let name = tree::str_at(new, "/metadata/name");
    let required = format!("{version}.{group}");
    if name != required {
        let detail = format!("must be `spec.version+\".\"+spec.group`: {required:?}");
        errors.invalid(&Path::root("metadata").child("name"), name, detail);
    }
    match group {
        "" if version != "v1" => {
            let detail = "only v1 may have an empty group and it better be legacy kube";
            errors.required(&spec.child("group"), detail);
        }
        "" => {}
        group => errors.texts(&spec.child("group"), group, names::subdomain(group)),
    }
    errors.texts(&spec.child("version"), version, names::label(version));
    for (field, limit) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let number = tree::integer(new, &format!("/spec/{field}")).unwrap_or_default();
        if !(1..=limit).contains(&number) {
            errors.invalid(&spec.child(field), number, format!("must be positive and less than {limit}"));
        }
    }
    check_connection(&spec, &new["spec"], errors);
    if is_run_here(new) {
        check_run_here(&spec, new, errors);
    }
}

/// A group version that this server sends to another one must not be its own, and needs a way to verify the other one.
fn check_run_here(spec: &Path<'_>, new: &Value, errors: &mut FieldErrors) {
    let group = tree::str_at(new, "/spec/group");
    if crate::kinds::group(group).is_some() {
        errors.forbidden(&spec.child("group"), "this API server answers the group itself");
    }
    let is_verified =
        tree::is_true(new, "/spec/insecureSkipTLSVerify") || !tree::str_at(new, "/spec/caBundle").is_empty();
    if tree::present(new, "/spec/service").is_some() && !is_verified {
        errors.required(
            &spec.child("caBundle"),
            "needed to verify the server: the authorities of this machine are not used",
        );
    }
}

fn check_connection(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let bundle = tree::str_at(spec, "/caBundle");
    let is_insecure = tree::is_true(spec, "/insecureSkipTLSVerify");
    let insecure = path.child("insecureSkipTLSVerify");
    let Some(service) = tree::present(spec, "/service") else {
        if !bundle.is_empty() {
            let size = format!("{} bytes", bundle.len());
            errors.invalid(&path.child("caBundle"), size, "local APIServices may not have a caBundle");
        }
        if is_insecure {
            errors.invalid(&insecure, true, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    };
    let parent = path.child("service");
    for field in ["namespace", "name"] {
        if tree::is_unset(service.get(field)) {
            errors.required(&parent.child(field), "");
        }
    }
    let port = tree::integer(service, "/port").unwrap_or(443);
    if !(1..=65535).contains(&port) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.invalid(&parent.child("port"), port, detail);
    }
    if is_insecure && !bundle.is_empty() {
        errors.invalid(&insecure, true, "may not be true if caBundle is present");
    }
}

fn warn(object: &Value, _: Option<&Value>) -> Vec<String> {
    let is_remote = tree::present(object, "/spec/service").is_some();
    let text = format!(
        "this API server stores the APIService and sends it no requests; a policy can propagate it to clusters that do, and \
         the annotation {RUN_HERE}=true makes this API server do it"
    );
    (is_remote && !is_run_here(object)).then_some(text).into_iter().collect()
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Service", "Service of the API server; Local for this one."),
        Column::string("Available", "Whether it answers."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let service = match row.text("/spec/service/name") {
        "" => "Local".to_owned(),
        name => format!("{}/{name}", row.text("/spec/service/namespace")),
    };
    let conditions = row.list("/status/conditions").iter();
    let available = conditions.clone().find(|condition| condition["type"] == "Available");
    let available = available.map_or_else(
        || "Unknown".to_owned(),
        |condition| match tree::str_at(condition, "/status") {
            "True" => "True".to_owned(),
            status => format!("{status} ({})", tree::str_at(condition, "/reason")),
        },
    );
    vec![row.name(), json!(service), json!(available), row.age()]
}
