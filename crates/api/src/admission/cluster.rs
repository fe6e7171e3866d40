//! Admission of Cluster objects (karmada pkg/apis/cluster/validation, pkg/apis/cluster/mutation).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::typed;
use crate::cluster::{Cluster, MAX_NAME_LENGTH, is_name};
use crate::kind::Kind;

/// Replaces the deprecated `zone` and validates the cluster.
pub(super) fn admit(object: &mut Value) -> Result<(), Status> {
    let Some(mut cluster) = typed::<Cluster>(object) else { return Ok(()) };
    let errors = validate_cluster(&cluster);
    if !errors.is_empty() {
        return Err(Status::invalid(Cluster::GROUP, Cluster::KIND, &cluster.metadata.name, &errors));
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
