//! The rules of a limit range (kubernetes pkg/apis/core/validation/validation.go, `ValidateLimitRange`).

use std::collections::BTreeSet;

use portolan_object::quantity::Quantity;
use serde_json::Value;

use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");

/// Checks all limits.
pub(super) fn validate(range: &Value, errors: &mut FieldErrors) {
    let list = SPEC.child("limits");
    let mut seen = BTreeSet::new();
    for (index, limit) in tree::list(range, "/spec/limits").iter().enumerate() {
        let path = list.index(index);
        let kind = tree::str_at(limit, "/type");
        errors.texts(&path.child("type"), kind, names::label_key_errors(kind));
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), kind);
        }
        check_fields(&path, kind, limit, errors);
        for name in resources(limit) {
            check_resource(&path, name, limit, errors);
        }
    }
}

/// Only containers have defaults, and claims need a limit of storage.
fn check_fields(path: &Path<'_>, kind: &str, limit: &Value, errors: &mut FieldErrors) {
    if kind == "Pod" {
        for field in ["default", "defaultRequest"] {
            if tree::map(limit, &format!("/{field}")).is_some_and(|map| !map.is_empty()) {
                errors.forbidden(&path.child(field), "may not be specified when `type` is 'Pod'");
            }
        }
    }
    if kind == "PersistentVolumeClaim" {
        let has = |field: &str| tree::map(limit, field).is_some_and(|map| map.contains_key("storage"));
        if !has("/min") && !has("/max") {
            errors.required(
                &path.child("limits"),
                "either minimum or maximum storage value is required, but neither was provided",
            );
        }
    }
}

fn resources(limit: &Value) -> BTreeSet<&str> {
    let fields = ["/max", "/min", "/default", "/defaultRequest", "/maxLimitRequestRatio"];
    fields.iter().flat_map(|field| tree::entries(limit, field)).map(|(name, _)| name).collect()
}

/// The amounts of one resource must not contradict each other.
fn check_resource(path: &Path<'_>, name: &str, limit: &Value, errors: &mut FieldErrors) {
    let amount = |field: &str| {
        let text = tree::map(limit, &format!("/{field}"))?.get(name)?.as_str()?;
        Some((text, Quantity::parse(text).ok()?))
    };
    let (min, max, default, request, ratio) = (
        amount("min"),
        amount("max"),
        amount("default"),
        amount("defaultRequest"),
        amount("maxLimitRequestRatio"),
    );
    let mut ordered = |low: Option<(&str, Quantity)>,
                       high: Option<(&str, Quantity)>,
                       place: &str,
                       shown: Option<(&str, Quantity)>,
                       words: [&str; 3]| {
        if let (Some((low_text, low)), Some((high_text, high)), Some((shown, _))) = (low, high, shown)
            && low > high
        {
            let [first, relation, second] = words;
            let (first_text, second_text) =
                if relation == "less" { (high_text, low_text) } else { (low_text, high_text) };
            let detail =
                format!("{first} value {first_text} is {relation} than {second} value {second_text}");
            errors.invalid(&path.child(place).key(name), shown, detail);
        }
    };
    ordered(min, max, "min", min, ["min", "greater", "max"]);
    ordered(min, request, "defaultRequest", request, ["default request", "less", "min"]);
    ordered(request, max, "defaultRequest", request, ["default request", "greater", "max"]);
    ordered(request, default, "defaultRequest", request, ["default request", "greater", "default limit"]);
    ordered(min, default, "default", min, ["default", "less", "min"]);
    ordered(default, max, "default", max, ["default", "greater", "max"]);
    check_ratio(path, name, [ratio, min, max], errors);
}

fn check_ratio(
    path: &Path<'_>,
    name: &str,
    [ratio, min, max]: [Option<(&str, Quantity)>; 3],
    errors: &mut FieldErrors,
) {
    let Some((text, ratio)) = ratio else { return };
    let place = path.child("maxLimitRequestRatio");
    let place = place.key(name);
    let one = Quantity::from_milli(1000);
    if ratio < one {
        errors.invalid(&place, text, format!("ratio {text} is less than 1"));
    }
    if let (Some((_, min)), Some((_, max))) = (min, max)
        && !min.is_zero()
    {
        let limit = max.as_f64() / min.as_f64();
        if ratio.as_f64() > limit {
            errors.invalid(&place, text, format!("ratio {text} is greater than max/min = {limit:.6}"));
        }
    }
}
