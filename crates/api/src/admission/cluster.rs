//! Rules for Cluster objects (karmada-api 2.7 and 5.4.9).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::typed;
use crate::cluster::{Cluster, LONGEST_NAME, is_name};
use crate::kind::Kind;

/// Moves the deprecated zone, and refuses what cannot be a cluster.
pub(super) fn admit(object: &mut Value) -> Result<(), Status> {
    let Some(mut cluster) = typed::<Cluster>(object) else { return Ok(()) };
    let faults = faults(&cluster);
    if !faults.is_empty() {
        return Err(Status::invalid(Cluster::GROUP, Cluster::KIND, &cluster.metadata.name, &faults));
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

fn faults(cluster: &Cluster) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let name = &cluster.metadata.name;
    if !is_name(name) {
        let detail = format!("must be a DNS-1123 label of at most {LONGEST_NAME} characters");
        faults.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    let spec = &cluster.spec;
    let endpoint = &spec.api_endpoint;
    let is_url =
        endpoint.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
    if !endpoint.is_empty() && !is_url {
        let detail = "host must be specified: use a URL such as https://10.0.0.1:6443";
        faults.push(FieldError::invalid("spec.apiEndpoint", &json!(endpoint), detail));
    }
    for (field, reference) in
        [("secretRef", &spec.secret_ref), ("impersonatorSecretRef", &spec.impersonator_secret_ref)]
    {
        let Some(reference) = reference else { continue };
        for (part, value) in [("namespace", &reference.namespace), ("name", &reference.name)] {
            if value.is_empty() {
                faults.push(FieldError::required(format!("spec.{field}.{part}"), ""));
            }
        }
    }
    if !spec.zone.is_empty() && !spec.zones.is_empty() {
        faults.push(FieldError::invalid(
            "spec.zone",
            &json!(spec.zone),
            "zone and zones cannot be set together; use zones",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, taint) in spec.taints.iter().enumerate() {
        let path = format!("spec.taints[{index}]");
        if taint.key.is_empty() {
            faults.push(FieldError::required(format!("{path}.key"), ""));
        }
        if !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") {
            let allowed = ["NoSchedule", "NoExecute"];
            faults.push(FieldError::not_supported(format!("{path}.effect"), &json!(taint.effect), &allowed));
        }
        if !seen.insert((&taint.key, &taint.effect)) {
            faults.push(FieldError::new(path, FieldErrorKind::Duplicate(json!(taint).to_string())));
        }
    }
    faults
}
