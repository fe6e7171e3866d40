//! The controllers of `apps`, and replication controllers.

use serde_json::{Value, json};

use super::errors::{FieldErrors, printed};
use super::path::Path;
use super::{names, pod, selectors, storage};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const NO_MATCH: &str = "`selector` does not match template `labels`";
const SET_CHANGES: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                           'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                           'minReadySeconds' are forbidden";

fn spec_of(object: &Value) -> &Value {
    object.get("spec").unwrap_or(&Value::Null)
}

pub(crate) fn deployment(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = spec_of(new);
    errors.not_negative(&SPEC, spec, "replicas");
    selector_and_template(spec, &DEPLOYMENT, errors);
    rollout(spec, errors);
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let ready = tree::integer(spec, "/minReadySeconds").unwrap_or_default();
    if let Some(deadline) = tree::integer(spec, "/progressDeadlineSeconds")
        && deadline <= ready
    {
        let detail = "must be greater than minReadySeconds";
        errors.invalid(&SPEC.child("progressDeadlineSeconds"), deadline, detail);
    }
    same_selector(new, old, errors);
}

pub(crate) fn replica_set(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = spec_of(new);
    errors.not_negative(&SPEC, spec, "replicas");
    errors.not_negative(&SPEC, spec, "minReadySeconds");
    selector_and_template(spec, &DEPLOYMENT, errors);
    same_selector(new, old, errors);
}

pub(crate) fn replication_controller(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = spec_of(new);
    errors.not_negative(&SPEC, spec, "minReadySeconds");
    let labels = tree::map(spec, "/selector").filter(|labels| !labels.is_empty());
    if labels.is_none() {
        errors.required(&SPEC.child("selector"), "");
    }
    errors.not_negative(&SPEC, spec, "replicas");
    match tree::present(spec, "/template") {
        None => errors.required(&SPEC.child("template"), ""),
        Some(_) => {
            let selector = json!({ "matchLabels": labels });
            always_running(spec, &selector, "ReplicationController", errors);
        }
    }
}

/// The words of a kind in the errors of its selector and template.
struct Words {
    /// What the selector is of.
    kind: &'static str,
    /// What the template is of.
    controller: &'static str,
    /// What an unreadable selector is told in addition to its own errors.
    unreadable: &'static str,
}

const DEPLOYMENT: Words =
    Words { kind: "deployment", controller: "ReplicaSet", unreadable: "invalid label selector" };
const STATEFUL_SET: Words = Words { kind: "statefulset", controller: "StatefulSet", unreadable: "" };

/// The selector of a controller whose pods run for ever, and the template that must satisfy it.
///
/// A missing selector matches nothing; with an unreadable one the template is not looked at.
fn selector_and_template(spec: &Value, words: &Words, errors: &mut FieldErrors) {
    let path = SPEC.child("selector");
    let Some(selector) = tree::present(spec, "/selector") else {
        errors.required(&path, "");
        no_match(&SPEC.child("template"), spec.get("template").unwrap_or(&Value::Null), errors);
        always_running(spec, &json!({}), words.controller, errors);
        return;
    };
    let before = errors.len();
    selectors::selector(&path, selector, errors);
    let is_unreadable = errors.len() > before;
    if selectors::is_empty(selector) {
        let detail = format!("empty selector is invalid for {}", words.kind);
        errors.invalid(&path, selector.clone(), detail);
    }
    if is_unreadable {
        errors.invalid_text(&path, selectors::printed(selector), words.unreadable);
    } else {
        always_running(spec, selector, words.controller, errors);
    }
}

fn always_running(spec: &Value, selector: &Value, controller: &str, errors: &mut FieldErrors) {
    let template = spec.get("template").unwrap_or(&Value::Null);
    let path = SPEC.child("template");
    matching_labels(&path, selector, template, errors);
    pod::template(&path, template, errors);
    runs_always(&path, template, controller, errors);
}

fn matching_labels(path: &Path<'_>, selector: &Value, template: &Value, errors: &mut FieldErrors) {
    if !selectors::is_empty(selector) && !selectors::matches(selector, template.pointer("/metadata/labels")) {
        no_match(path, template, errors);
    }
}

fn no_match(path: &Path<'_>, template: &Value, errors: &mut FieldErrors) {
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or(Value::Null);
    errors.invalid(&path.child("metadata").child("labels"), labels, NO_MATCH);
}

fn runs_always(path: &Path<'_>, template: &Value, controller: &str, errors: &mut FieldErrors) {
    let at = path.child("spec");
    let restart = tree::text(template, "/spec/restartPolicy");
    if restart != "Always" {
        errors.not_supported(&at.child("restartPolicy"), restart, &["Always"]);
    }
    if tree::present(template, "/spec/activeDeadlineSeconds").is_some() {
        let detail = format!("activeDeadlineSeconds in {controller} is not Supported");
        errors.forbidden(&at.child("activeDeadlineSeconds"), detail);
    }
}

fn same_selector(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(old) = old {
        errors.immutable(&SPEC.child("selector"), new, old, "/spec/selector");
    }
}

fn rollout(spec: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("strategy");
    let rolling = tree::present(spec, "/strategy/rollingUpdate");
    let at = path.child("rollingUpdate");
    match (tree::text(spec, "/strategy/type"), rolling) {
        ("Recreate", Some(_)) => {
            errors.forbidden(&at, "may not be specified when strategy `type` is 'Recreate'");
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => errors.required(&at, "this should be defaulted and never be nil"),
        ("RollingUpdate", Some(rolling)) => {
            for field in ["maxUnavailable", "maxSurge"] {
                count_or_percent(&at.child(field), rolling.get(field), errors);
            }
            if is_none(rolling.get("maxUnavailable")) && is_none(rolling.get("maxSurge")) {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or(Value::Null);
                errors.invalid(&at.child("maxUnavailable"), value, "may not be 0 when `maxSurge` is 0");
            }
            at_most_all(&at.child("maxUnavailable"), rolling.get("maxUnavailable"), errors);
        }
        _ => {
            let strategy = printed_strategy(spec.get("strategy"));
            errors.not_supported_text(&path, strategy, &["Recreate", "RollingUpdate"]);
        }
    }
}

/// A strategy as errors print it: members have their Go names.
fn printed_strategy(strategy: Option<&Value>) -> String {
    let member = |name: &str| strategy.and_then(|strategy| strategy.get(name)).unwrap_or(&Value::Null);
    printed(&[("Type", Some(member("type"))), ("RollingUpdate", Some(member("rollingUpdate")))])
}

/// A number that is not negative, or a share.
pub(crate) fn count_or_percent(path: &Path<'_>, value: Option<&Value>, errors: &mut FieldErrors) {
    match value {
        Some(Value::String(text)) => errors.texts(path, text, names::percent(text)),
        Some(number) if number.as_i64().is_some_and(|number| number < 0) => {
            errors.invalid(path, number.clone(), "must be greater than or equal to 0");
        }
        _ => {}
    }
}

/// A share that is not more than everything.
pub(crate) fn at_most_all(path: &Path<'_>, value: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(text) = value.and_then(Value::as_str)
        && percent(text).is_some_and(|percent| percent > 100)
    {
        errors.invalid(path, text, "must not be greater than 100%");
    }
}

fn percent(text: &str) -> Option<u64> {
    text.strip_suffix('%')?.parse().ok()
}

/// Whether a number or share amounts to nothing.
fn is_none(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => percent(text).unwrap_or_default() == 0,
        value => value.and_then(Value::as_i64).unwrap_or_default() == 0,
    }
}

pub(crate) fn daemon_set(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = spec_of(new);
    let template = SPEC.child("template");
    match tree::present(spec, "/selector") {
        None => {
            no_match(&template, spec.get("template").unwrap_or(&Value::Null), errors);
            always_running(spec, &json!({}), "DaemonSet", errors);
        }
        Some(selector) => {
            let path = SPEC.child("selector");
            selectors::selector(&path, selector, errors);
            if selectors::is_empty(selector) {
                errors.invalid(&path, selector.clone(), "empty selector is invalid for daemonset");
            }
            always_running(spec, selector, "DaemonSet", errors);
        }
    }
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let path = SPEC.child("updateStrategy");
    match tree::text(spec, "/updateStrategy/type") {
        "OnDelete" => {}
        "RollingUpdate" => node_rollout(&path.child("rollingUpdate"), spec, errors),
        _ => {
            let strategy = printed_strategy(spec.get("updateStrategy"));
            errors.not_supported_text(&path, strategy, &["RollingUpdate", "OnDelete"]);
        }
    }
    same_selector(new, old, errors);
}

fn node_rollout(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let Some(rolling) = tree::present(spec, "/updateStrategy/rollingUpdate") else {
        errors.required(path, "");
        return;
    };
    for field in ["maxUnavailable", "maxSurge"] {
        count_or_percent(&path.child(field), rolling.get(field), errors);
        at_most_all(&path.child(field), rolling.get(field), errors);
    }
    match (is_none(rolling.get("maxUnavailable")), is_none(rolling.get("maxSurge"))) {
        (false, false) => {
            let surge = rolling.get("maxSurge").cloned().unwrap_or(Value::Null);
            errors.invalid(&path.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero");
        }
        (true, true) => errors.required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

pub(crate) fn stateful_set(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = spec_of(new);
    let management = tree::text(spec, "/podManagementPolicy");
    if !["OrderedReady", "Parallel"].contains(&management) {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        errors.invalid(&SPEC.child("podManagementPolicy"), management, detail);
    }
    set_strategy(spec, errors);
    for field in ["whenDeleted", "whenScaled"] {
        let path = SPEC.child("persistentVolumeClaimRetentionPolicy");
        let policy = tree::text(spec, &format!("/persistentVolumeClaimRetentionPolicy/{field}"));
        errors.one_of(&path.child(field), policy, &["Retain", "Delete"]);
    }
    for field in ["replicas", "minReadySeconds"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let service = tree::text(spec, "/serviceName");
    if old.is_none() && !service.is_empty() {
        errors.texts(&SPEC.child("serviceName"), service, names::label(service));
    }
    let claims = SPEC.child("volumeClaimTemplates");
    if old.is_none() {
        for (index, claim) in tree::list(spec, "/volumeClaimTemplates").iter().enumerate() {
            storage::claim_spec(&claims.index(index).child("spec"), spec_of(claim), errors);
        }
    }
    selector_and_template(&with_claims(spec), &STATEFUL_SET, errors);
    if let Some(old) = old
        && fixed_part(spec) != fixed_part(spec_of(old))
    {
        errors.forbidden(&SPEC, SET_CHANGES);
    }
}

fn set_strategy(spec: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("updateStrategy");
    let rolling = tree::present(spec, "/updateStrategy/rollingUpdate");
    let at = path.child("rollingUpdate");
    match (tree::text(spec, "/updateStrategy/type"), rolling) {
        ("OnDelete", Some(rolling)) => {
            let member = |name: &str| Some(rolling.get(name).unwrap_or(&Value::Null));
            let text =
                printed(&[("Partition", member("partition")), ("MaxUnavailable", member("maxUnavailable"))]);
            errors.invalid_text(&at, text, "only allowed for updateStrategy 'RollingUpdate'");
        }
        ("RollingUpdate", Some(rolling)) => errors.not_negative(&at, rolling, "partition"),
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let strategy = printed_strategy(spec.get("updateStrategy"));
            errors.invalid_text(&path, strategy, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

/// The spec as its pods will have it: each claim template is a volume of its name.
fn with_claims(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let names: Vec<String> = tree::list(&spec, "/volumeClaimTemplates")
        .iter()
        .map(|claim| tree::text(claim, "/metadata/name").to_owned())
        .collect();
    let Some(pod) = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut) else { return spec };
    let volumes = pod.entry("volumes").or_insert_with(|| json!([]));
    if volumes.is_null() {
        *volumes = json!([]);
    }
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.retain(|volume| !names.iter().any(|name| tree::text(volume, "/name") == name));
        let claimed = |name| json!({ "name": name, "persistentVolumeClaim": { "claimName": name } });
        volumes.extend(names.iter().map(claimed));
    }
    spec
}

/// What a stateful set keeps for life.
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

pub(crate) fn controller_revision(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if tree::integer(new, "/revision").is_some_and(|revision| revision < 0) {
        let revision = new["revision"].clone();
        errors.invalid(&Path::root("revision"), revision, "must be greater than or equal to 0");
    }
    let path = Path::root("data");
    match (old, tree::present(new, "/data")) {
        (Some(old), _) => errors.immutable(&path, new, old, "/data"),
        (None, None) => errors.required(&path, "data is mandatory"),
        (None, Some(Value::Object(_))) => {}
        (None, Some(_)) => errors.required(&path, "data must be a valid JSON object"),
    }
}
