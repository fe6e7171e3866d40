//! Admission of override policies (karmada pkg/webhook/overridepolicy, pkg/util/validation).

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::placement::check_affinity;
use super::{deny_for, typed};
use crate::kind::Kind;
use crate::policy::protected::{is_protected_path, is_reserved_annotation, is_reserved_label};
use crate::policy::{
    ClusterOverridePolicy, FieldPatch, ImageComponent, ImageOverrider, MapOverrider, OverrideOperator,
    OverridePolicy, OverrideSpec, Overriders,
};

/// An override policy of either scope.
pub(super) trait Override: Kind {
    /// Resource name in error messages.
    const WEBHOOK: &'static str;
    /// The spec.
    fn spec(&mut self) -> &mut OverrideSpec;
}

impl Override for OverridePolicy {
    const WEBHOOK: &'static str = "overridepolicy.karmada.io";
    fn spec(&mut self) -> &mut OverrideSpec {
        &mut self.spec
    }
}

impl Override for ClusterOverridePolicy {
    const WEBHOOK: &'static str = "clusteroverridepolicy.karmada.io";
    fn spec(&mut self) -> &mut OverrideSpec {
        &mut self.spec
    }
}

/// Fills in the namespace of selectors, refuses what cannot be applied, and returns warnings.
pub(super) fn admit<T: Override>(object: &mut Value, namespace: &str) -> Result<Vec<String>, Status> {
    let Some(mut policy) = typed::<T>(object) else { return Ok(Vec::new()) };
    let spec = policy.spec();
    let mut errors = Vec::new();
    for (index, selector) in spec.resource_selectors.iter_mut().enumerate() {
        if namespace.is_empty() {
            break;
        }
        if selector.namespace.is_empty() {
            namespace.clone_into(&mut selector.namespace);
        } else if selector.namespace != namespace {
            let path = format!("spec.resourceSelectors[{index}].namespace");
            let detail = format!(
                "the namespace of resourceSelector must be the same as the namespace of the policy, {namespace}"
            );
            errors.push(FieldError::invalid(path, &json!(selector.namespace), detail));
        }
    }
    check(spec, &mut errors);
    deny_for(T::WEBHOOK, &errors)?;
    if !spec.resource_selectors.is_empty() {
        object["spec"]["resourceSelectors"] = json!(spec.resource_selectors);
    }
    let rules = spec.override_rules.iter().enumerate();
    let of_rules = rules.flat_map(|(index, rule)| {
        idle_tags(&rule.overriders, &format!("spec.overrideRules[{index}].overriders"))
    });
    Ok(of_rules.chain(idle_tags(&spec.overriders, "spec.overriders")).collect())
}

/// Warnings about tags that no image can have. Karmada ignores them.
fn idle_tags(overriders: &Overriders, path: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_.-:+@".contains(letter);
    let tags = overriders.image_overrider.iter().enumerate().filter(|(_, overrider)| {
        overrider.component == ImageComponent::Tag && !overrider.value.chars().all(is_part)
    });
    let warning = |(index, overrider): (usize, &ImageOverrider)| {
        let value = &overrider.value;
        format!("{path}.imageOverrider[{index}].value has no effect: {value:?} is neither a tag nor a digest")
    };
    tags.map(warning).collect()
}

fn check(spec: &OverrideSpec, errors: &mut Vec<FieldError>) {
    if !spec.override_rules.is_empty() {
        let detail = "overrideRules and targetCluster/overriders can not co-exist";
        if spec.target_cluster.is_some() {
            errors.push(FieldError::invalid("spec.targetCluster", &json!(spec.target_cluster), detail));
        }
        if spec.overriders != Overriders::default() {
            errors.push(FieldError::invalid("spec.overriders", &json!(spec.overriders), detail));
        }
    }
    check_overriders(&spec.overriders, "spec.overriders", errors);
    for (index, rule) in spec.override_rules.iter().enumerate() {
        let path = format!("spec.overrideRules[{index}]");
        if let Some(target) = &rule.target_cluster {
            check_affinity(target, &format!("{path}.targetCluster"), errors);
        }
        check_overriders(&rule.overriders, &format!("{path}.overriders"), errors);
    }
}

fn check_overriders(overriders: &Overriders, path: &str, errors: &mut Vec<FieldError>) {
    for (index, overrider) in overriders.plaintext.iter().enumerate() {
        let path = format!("{path}.plaintext[{index}].path");
        check_pointer(&overrider.path, &path, errors);
        check_target(&overrider.path, &path, errors);
    }
    for (index, overrider) in overriders.labels_overrider.iter().enumerate() {
        let path = format!("{path}.labelsOverrider[{index}].value");
        check_keys(overrider, is_reserved_label, &path, errors);
    }
    for (index, overrider) in overriders.annotations_overrider.iter().enumerate() {
        let path = format!("{path}.annotationsOverrider[{index}].value");
        check_keys(overrider, is_reserved_annotation, &path, errors);
    }
    for (index, overrider) in overriders.image_overrider.iter().enumerate() {
        if let Some(predicate) = &overrider.predicate {
            let path = format!("{path}.imageOverrider[{index}].predicate.path");
            check_pointer(&predicate.path, &path, errors);
            check_target(&predicate.path, &path, errors);
        }
    }
    for (index, overrider) in overriders.field_overrider.iter().enumerate() {
        let path = format!("{path}.fieldOverrider[{index}]");
        check_pointer(&overrider.field_path, &format!("{path}.fieldPath"), errors);
        check_target(&overrider.field_path, &format!("{path}.fieldPath"), errors);
        match (overrider.json.is_empty(), overrider.yaml.is_empty()) {
            (false, false) => {
                errors.push(FieldError::invalid(
                    &*path,
                    &json!(overrider),
                    "only one of json and yaml may be set",
                ));
            }
            (true, true) => errors.push(FieldError::required(&*path, "one of json and yaml is needed")),
            _ => {}
        }
        for (format, patches) in [("json", &overrider.json), ("yaml", &overrider.yaml)] {
            for (index, patch) in patches.iter().enumerate() {
                check_patch(patch, &format!("{path}.{format}[{index}]"), errors);
            }
        }
    }
}

/// Refuses a path that can only change what is protected.
fn check_target(pointer: &str, path: &str, errors: &mut Vec<FieldError>) {
    if is_protected_path(pointer) {
        let detail = "an override changes the content of an object, not its identity and not the metadata that API \
                      servers and Portolan maintain; name a field below /spec, /data, /metadata/labels or \
                      /metadata/annotations";
        errors.push(FieldError::invalid(path, &json!(pointer), detail));
    }
}

fn check_keys(
    overrider: &MapOverrider,
    is_reserved: impl Fn(&str) -> bool,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    for key in overrider.value.keys().filter(|key| is_reserved(key)) {
        let detail = "Portolan recognizes its objects by this key; it cannot be overridden";
        errors.push(FieldError::forbidden(format!("{path}[{key}]"), detail));
    }
}

fn check_patch(patch: &FieldPatch, path: &str, errors: &mut Vec<FieldError>) {
    check_pointer(&patch.sub_path, &format!("{path}.subPath"), errors);
    let has_value = patch.value.as_ref().is_some_and(|value| !value.is_null());
    match patch.operator {
        OverrideOperator::Remove if has_value => {
            errors.push(FieldError::forbidden(format!("{path}.value"), "value is not allowed for remove"));
        }
        OverrideOperator::Add | OverrideOperator::Replace if !has_value => {
            errors
                .push(FieldError::required(format!("{path}.value"), "value is required for add and replace"));
        }
        _ => {}
    }
}

fn check_pointer(pointer: &str, path: &str, errors: &mut Vec<FieldError>) {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        errors.push(FieldError::invalid(
            path,
            &json!(pointer),
            "a JSON pointer must be empty or start with /",
        ));
    }
}
