//! Admission of Cluster objects (karmada pkg/apis/cluster/validation, pkg/apis/cluster/mutation).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::typed;
use crate::cluster::{Cluster, LocalSecretReference, MAX_NAME_LENGTH, is_name};
use crate::kind::Kind;
use crate::names::CLUSTER_NAMESPACE;

/// Replaces the deprecated `zone` and validates the cluster.
pub(super) fn admit(object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    let Some(mut cluster) = typed::<Cluster>(object) else { return Ok(()) };
    let mut errors = validate_cluster(&cluster);
    check_references(&cluster, old.and_then(typed::<Cluster>).as_ref(), &mut errors);
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
