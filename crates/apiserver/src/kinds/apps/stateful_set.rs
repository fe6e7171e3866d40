//! Stateful sets.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::core::persistent_volume_claim;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, status, workload,
};
use crate::tree;
use crate::tree::{child, child_if_present, children, default};
use crate::validation::errors::printed;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");
const SET_CHANGES: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                           'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                           'minReadySeconds' are forbidden";
const WORDS: workload::Words =
    workload::Words { kind: "statefulset", controller: "StatefulSet", unreadable: "" };

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "StatefulSet", "statefulsets")
        .singular("statefulset")
        .namespaced()
        .category(&["all"])
        .short(&["sts"])
        .subresources(&[Subresource::scale(), Subresource::status("StatefulSet")]),
    // Pods are named after the set, and a pod's name becomes a host name.
    names: NameRule::Label,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    pod_spec::default_template(spec);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "serviceName", "");
    if let Some(strategy) = child(spec, "updateStrategy") {
        if crate::tree::is_unset(strategy.get("type")) {
            strategy.insert("type".to_owned(), json!("RollingUpdate"));
            child(strategy, "rollingUpdate");
        }
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = child_if_present(strategy, "rollingUpdate")
        {
            default(rolling, "partition", 0);
        }
    }
    if let Some(policy) = child(spec, "persistentVolumeClaimRetentionPolicy") {
        default(policy, "whenDeleted", "Retain");
        default(policy, "whenScaled", "Retain");
    }
    for claim in children(spec, "volumeClaimTemplates") {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        persistent_volume_claim::defaults(claim);
    }
}

/// A stateful set without replicas.
fn prepare_for_create(object: &mut Value) {
    status::counts(object, &["replicas", "availableReplicas"]);
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = workload::spec_of(new);
    let management = tree::str_at(spec, "/podManagementPolicy");
    if !["OrderedReady", "Parallel"].contains(&management) {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        errors.invalid(&SPEC.child("podManagementPolicy"), management, detail);
    }
    set_strategy(spec, errors);
    for field in ["whenDeleted", "whenScaled"] {
        let path = SPEC.child("persistentVolumeClaimRetentionPolicy");
        let policy = tree::str_at(spec, &format!("/persistentVolumeClaimRetentionPolicy/{field}"));
        errors.one_of(&path.child(field), policy, &["Retain", "Delete"]);
    }
    for field in ["replicas", "minReadySeconds"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let service = tree::str_at(spec, "/serviceName");
    if old.is_none() && !service.is_empty() {
        errors.texts(&SPEC.child("serviceName"), service, names::label(service));
    }
    let claims = SPEC.child("volumeClaimTemplates");
    if old.is_none() {
        for (index, claim) in tree::list(spec, "/volumeClaimTemplates").iter().enumerate() {
            persistent_volume_claim::validate_spec(
                &claims.index(index).child("spec"),
                workload::spec_of(claim),
                errors,
            );
        }
    }
    workload::selector_and_template(&with_claims(spec), &WORDS, errors);
    if let Some(old) = old
        && fixed_part(spec) != fixed_part(workload::spec_of(old))
    {
        errors.forbidden(&SPEC, SET_CHANGES);
    }
}

fn set_strategy(spec: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("updateStrategy");
    let rolling = tree::present(spec, "/updateStrategy/rollingUpdate");
    let at = path.child("rollingUpdate");
    match (tree::str_at(spec, "/updateStrategy/type"), rolling) {
        ("OnDelete", Some(rolling)) => {
            let member = |name: &str| Some(rolling.get(name).unwrap_or(&Value::Null));
            let text =
                printed(&[("Partition", member("partition")), ("MaxUnavailable", member("maxUnavailable"))]);
            errors.invalid_text(&at, text, "only allowed for updateStrategy 'RollingUpdate'");
        }
        ("RollingUpdate", Some(rolling)) => errors.not_negative(&at, rolling, "partition"),
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let strategy = workload::printed_strategy(spec.get("updateStrategy"));
            errors.invalid_text(&path, strategy, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

/// The spec as its pods will have it: each claim template is a volume of its name.
fn with_claims(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let names: Vec<String> = tree::list(&spec, "/volumeClaimTemplates")
        .iter()
        .map(|claim| tree::str_at(claim, "/metadata/name").to_owned())
        .collect();
    let Some(pod) = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut) else { return spec };
    let volumes = pod.entry("volumes").or_insert_with(|| json!([]));
    if volumes.is_null() {
        *volumes = json!([]);
    }
    if let Some(volumes) = volumes.as_array_mut() {
        let claims: HashSet<&str> = names.iter().map(String::as_str).collect();
        volumes.retain(|volume| !claims.contains(tree::str_at(volume, "/name")));
        let claimed = |name| json!({ "name": name, "persistentVolumeClaim": { "claimName": name } });
        volumes.extend(names.iter().map(claimed));
    }
    spec
}

/// The immutable part of the spec.
fn fixed_part(spec: &Value) -> Value {
    let mut fixed = spec.clone();
    if let Some(members) = fixed.as_object_mut() {
        members.retain(|name, value| {
            let may_change = [
                "replicas",
                "template",
                "updateStrategy",
                "minReadySeconds",
                "ordinals",
                "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy",
            ];
            !may_change.contains(&name.as_str()) && !value.is_null()
        });
    }
    fixed
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Ready", "Pods that are ready, of those that should exist."),
        AGE,
        CONTAINERS,
        IMAGES,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(workload::TEMPLATE);
    vec![row.name(), workload::ready_of_desired(row), row.age(), names, images]
}
