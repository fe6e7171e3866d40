//! Admission of Cluster objects (karmada pkg/apis/cluster/validation, pkg/apis/cluster/mutation).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::taint_policies::check_form;
use super::typed;
use crate::cluster::{
    Cluster, LocalSecretReference, MAX_NAME_LENGTH, ResourceModel, default_resource_models, is_name,
    standardize_resource_models,
};
use crate::kind::Kind;
use crate::names::CLUSTER_NAMESPACE;

/// Replaces the deprecated `zone`, completes the resource models and validates the cluster.
pub(super) fn admit(object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    let Some(mut cluster) = typed::<Cluster>(object) else { return Ok(()) };
    if old.is_none() && cluster.spec.resource_models.is_empty() {
        cluster.spec.resource_models = default_resource_models();
    }
    standardize_resource_models(&mut cluster.spec.resource_models);
    let mut errors = validate_cluster(&cluster);
    let old = old.and_then(typed::<Cluster>);
    check_references(&cluster, old.as_ref(), &mut errors);
    check_taints(&cluster, old.as_ref(), &mut errors);
    if !errors.is_empty() {
        return Err(Status::invalid(Cluster::GROUP, Cluster::KIND, &cluster.metadata.name, &errors));
    }
    if !cluster.spec.resource_models.is_empty() {
        object["spec"]["resourceModels"] = json!(cluster.spec.resource_models);
    }
    if !cluster.spec.zone.is_empty() && cluster.spec.zones.is_empty() {
        cluster.spec.zones = vec![std::mem::take(&mut cluster.spec.zone)];
        object["spec"]["zones"] = json!(cluster.spec.zones);
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("zone");
        }
    }
    Ok(())
}

/// Credentials are taken from one namespace only, so that a Cluster cannot be used to read Secrets of others. A reference that
/// is there already can stay, because finalizers and taints change on every Cluster; the credential is suspended.
fn check_references(cluster: &Cluster, old: Option<&Cluster>, errors: &mut Vec<FieldError>) {
    type Reference = fn(&Cluster) -> &Option<LocalSecretReference>;
    let references: [(&str, Reference); 2] = [
        ("secretRef", |cluster| &cluster.spec.secret_ref),
        ("impersonatorSecretRef", |cluster| &cluster.spec.impersonator_secret_ref),
    ];
    for (field, reference) in references {
        let Some(named) = reference(cluster) else { continue };
        let is_foreign = !named.namespace.is_empty() && named.namespace != CLUSTER_NAMESPACE;
        if is_foreign && old.map(reference) != Some(reference(cluster)) {
            let detail = format!("credentials of clusters are taken from namespace {CLUSTER_NAMESPACE} only");
            errors.push(FieldError::invalid(
                format!("spec.{field}.namespace"),
                &json!(named.namespace),
                detail,
            ));
        }
    }
}

/// Key and value of taints that the cluster did not have before have the form of a label.
fn check_taints(cluster: &Cluster, old: Option<&Cluster>, errors: &mut Vec<FieldError>) {
    let before = old.map(|old| old.spec.taints.as_slice()).unwrap_or_default();
    for (index, taint) in cluster.spec.taints.iter().enumerate() {
        let was_there = before.iter().any(|one| one.key == taint.key && one.value == taint.value);
        if !taint.key.is_empty() && !was_there {
            check_form(&taint.key, &taint.value, &format!("spec.taints[{index}]"), errors);
        }
    }
}

fn validate_cluster(cluster: &Cluster) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = &cluster.metadata.name;
    if !is_name(name) {
        let detail = format!("must be a DNS-1123 label of at most {MAX_NAME_LENGTH} characters");
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    let spec = &cluster.spec;
    let endpoint = &spec.api_endpoint;
    let is_url =
        endpoint.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
    if !endpoint.is_empty() && !is_url {
        let detail = "host must be specified: use a URL such as https://10.0.0.1:6443";
        errors.push(FieldError::invalid("spec.apiEndpoint", &json!(endpoint), detail));
    }
    for (field, reference) in
        [("secretRef", &spec.secret_ref), ("impersonatorSecretRef", &spec.impersonator_secret_ref)]
    {
        let Some(reference) = reference else { continue };
        for (part, value) in [("namespace", &reference.namespace), ("name", &reference.name)] {
            if value.is_empty() {
                errors.push(FieldError::required(format!("spec.{field}.{part}"), ""));
            }
        }
    }
    if !spec.zone.is_empty() && !spec.zones.is_empty() {
        errors.push(FieldError::invalid(
            "spec.zone",
            &json!(spec.zone),
            "zone and zones cannot be set together; use zones",
        ));
    }
    if let Some(detail) = models_problem(&spec.resource_models) {
        errors.push(FieldError::invalid("spec.resourceModels", &json!(spec.resource_models), detail));
    }
    let mut seen = BTreeSet::new();
    for (index, taint) in spec.taints.iter().enumerate() {
        let path = format!("spec.taints[{index}]");
        if taint.key.is_empty() {
            errors.push(FieldError::required(format!("{path}.key"), ""));
        }
        if !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") {
            let allowed = ["NoSchedule", "NoExecute"];
            errors.push(FieldError::not_supported(format!("{path}.effect"), &json!(taint.effect), &allowed));
        }
        if !seen.insert((&taint.key, &taint.effect)) {
            errors.push(FieldError::new(path, FieldErrorKind::Duplicate(json!(taint).to_string())));
        }
    }
    errors
}

/// Why the models, in order, are not usable.
fn models_problem(models: &[ResourceModel]) -> Option<&'static str> {
    for (index, model) in models.iter().enumerate() {
        let lower = index.checked_sub(1).map(|lower| &models[lower]);
        if lower.is_some_and(|lower| lower.grade == model.grade) {
            return Some("The grade of each models should not be the same");
        }
        if lower.is_some_and(|lower| lower.ranges.len() != model.ranges.len()) {
            return Some("The number of resource types should be the same");
        }
        for (position, range) in model.ranges.iter().enumerate() {
            let (Some(min), Some(max)) = (range.min.amount(), range.max.amount()) else {
                return Some("min and max must be quantities");
            };
            if max <= min {
                return Some("The max value of each resource must be greater than the min value");
            }
            let Some(below) = lower.map(|lower| &lower.ranges[position]) else { continue };
            if below.name != range.name {
                return Some("The resource types of each models should be the same");
            }
            if below.max.amount() != Some(min) {
                return Some("Model intervals for resources must be contiguous and non-overlapping");
            }
        }
    }
    None
}
