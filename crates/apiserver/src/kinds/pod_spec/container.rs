//! Containers: names, images, ports, environment, mounts, probes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::volume::{Volumes, path_inside};
use crate::tree;
use crate::validation::names::{self, label_key_errors};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, resources};

/// Protocols of ports, sorted.
pub(crate) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
/// Pod fields that environment variables may refer to.
const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that can be named elsewhere only.
const OTHER_POD_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase"];
const NO_PROBES: &str = "may not be set for init containers without restartPolicy=Always";

/// The containers that serve; there must be at least one.
pub(crate) fn containers(path: &Path<'_>, spec: &Value, volumes: &Volumes<'_>, errors: &mut FieldErrors) {
    let containers = tree::list(spec, "/containers");
    if containers.is_empty() {
        errors.required(path, "");
        return;
    }
    let mut names = BTreeSet::new();
    let mut host_ports = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        common(&at, container, volumes, errors);
        let name = tree::str_at(container, "/name");
        if !names.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        hooks(&at, container, errors);
    }
    for (index, container) in containers.iter().enumerate() {
        unique_host_ports(&path.index(index), container, &mut host_ports, errors);
    }
}

/// The containers that run first.
pub(crate) fn init_containers(
    path: &Path<'_>,
    spec: &Value,
    volumes: &Volumes<'_>,
    errors: &mut FieldErrors,
) {
    let regular = tree::list(spec, "/containers");
    let mut names: BTreeSet<&str> =
        regular.iter().map(|container| tree::str_at(container, "/name")).collect();
    for (index, container) in tree::list(spec, "/initContainers").iter().enumerate() {
        let at = path.index(index);
        common(&at, container, volumes, errors);
        let name = tree::str_at(container, "/name");
        if !names.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        if tree::str_at(container, "/restartPolicy") == "Always" {
            hooks(&at, container, errors);
            continue;
        }
        for hook in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if tree::present(container, &format!("/{hook}")).is_some() {
                errors.forbidden(&at.child(hook), NO_PROBES);
            }
        }
    }
}

fn common(path: &Path<'_>, container: &Value, volumes: &Volumes<'_>, errors: &mut FieldErrors) {
    match tree::str_at(container, "/name") {
        "" => errors.required(&path.child("name"), ""),
        name => errors.texts(&path.child("name"), name, names::label(name)),
    }
    if tree::str_at(container, "/image").is_empty() {
        errors.required(&path.child("image"), "");
    }
    let policy = tree::str_at(container, "/terminationMessagePolicy");
    errors.one_of(&path.child("terminationMessagePolicy"), policy, &["File", "FallbackToLogsOnError"]);
    ports(&path.child("ports"), container, errors);
    environment(&path.child("env"), container, errors);
    environment_from(&path.child("envFrom"), container, errors);
    mounts(&path.child("volumeMounts"), container, volumes, errors);
    let pull = tree::str_at(container, "/imagePullPolicy");
    errors.one_of(&path.child("imagePullPolicy"), pull, &["Always", "IfNotPresent", "Never"]);
    if let Some(requirements) = tree::present(container, "/resources") {
        resources::requirements(&path.child("resources"), requirements, errors);
    }
}

fn ports(path: &Path<'_>, container: &Value, errors: &mut FieldErrors) {
    let mut known = BTreeSet::new();
    for (index, port) in tree::list(container, "/ports").iter().enumerate() {
        let at = path.index(index);
        let name = tree::str_at(port, "/name");
        if !name.is_empty() {
            let texts = names::port(name);
            if texts.is_empty() && !known.insert(name) {
                errors.duplicate(&at.child("name"), name);
            }
            errors.texts(&at.child("name"), name, texts);
        }
        match tree::integer(port, "/containerPort").unwrap_or_default() {
            0 => errors.required(&at.child("containerPort"), ""),
            number => errors.port(&at.child("containerPort"), number),
        }
        match tree::integer(port, "/hostPort").unwrap_or_default() {
            0 => {}
            number => errors.port(&at.child("hostPort"), number),
        }
        errors.one_of(&at.child("protocol"), tree::str_at(port, "/protocol"), &PROTOCOLS);
    }
}

fn unique_host_ports(
    path: &Path<'_>,
    container: &Value,
    taken: &mut BTreeSet<String>,
    errors: &mut FieldErrors,
) {
    let ports = path.child("ports");
    for (index, port) in tree::list(container, "/ports").iter().enumerate() {
        let number = tree::integer(port, "/hostPort").unwrap_or_default();
        let key = format!("{}/{}/{number}", tree::str_at(port, "/protocol"), tree::str_at(port, "/hostIP"));
        if number != 0 && !taken.insert(key.clone()) {
            errors.duplicate(&ports.index(index).child("hostPort"), key);
        }
    }
}

fn environment(path: &Path<'_>, container: &Value, errors: &mut FieldErrors) {
    for (index, variable) in tree::list(container, "/env").iter().enumerate() {
        let at = path.index(index);
        match tree::str_at(variable, "/name") {
            "" => errors.required(&at.child("name"), ""),
            name => errors.texts(&at.child("name"), name, names::environment(name)),
        }
        let Some(source) = tree::present(variable, "/valueFrom") else { continue };
        let from = at.child("valueFrom");
        let sources = SOURCES.iter().filter(|name| tree::present(source, &format!("/{name}")).is_some());
        let detail = match sources.count() {
            0 => {
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            }
            _ if !tree::str_at(variable, "/value").is_empty() => {
                "may not be specified when `value` is not empty"
            }
            1 => "",
            _ => "may not have more than one field specified at a time",
        };
        if !detail.is_empty() {
            errors.invalid(&from, "", detail);
        }
        for name in ["configMapKeyRef", "secretKeyRef"] {
            if let Some(reference) = tree::present(source, &format!("/{name}")) {
                key_reference(&from.child(name), reference, errors);
            }
        }
        if let Some(field) = tree::present(source, "/fieldRef") {
            field_reference(&from.child("fieldRef"), tree::str_at(field, "/fieldPath"), errors);
        }
    }
}

/// The path of a field of the pod itself.
fn field_reference(path: &Path<'_>, field: &str, errors: &mut FieldErrors) {
    let at = path.child("fieldPath");
    if field.is_empty() {
        errors.required(&at, "");
        return;
    }
    let parts = field.strip_suffix("']").and_then(|rest| rest.split_once("['"));
    let unsupported = match parts {
        Some(("metadata.annotations", key)) => {
            errors.texts(path, &key.to_lowercase(), label_key_errors(&key.to_lowercase()));
            return;
        }
        Some(("metadata.labels", key)) => {
            errors.texts(path, key, label_key_errors(key));
            return;
        }
        Some(_) => "field label does not support subscript",
        None if POD_FIELDS.contains(&field) => return,
        None if OTHER_POD_FIELDS.contains(&field) => {
            errors.not_supported(&at, field, &POD_FIELDS);
            return;
        }
        None => "field label not supported",
    };
    errors.invalid(&at, field, format!("error converting fieldPath: {unsupported}: {field}"));
}

fn key_reference(path: &Path<'_>, reference: &Value, errors: &mut FieldErrors) {
    let name = tree::str_at(reference, "/name");
    errors.texts(&path.child("name"), name, names::subdomain(name));
    match tree::str_at(reference, "/key") {
        "" => errors.required(&path.child("key"), ""),
        key => errors.texts(&path.child("key"), key, names::config_key(key)),
    }
}

fn environment_from(path: &Path<'_>, container: &Value, errors: &mut FieldErrors) {
    for (index, source) in tree::list(container, "/envFrom").iter().enumerate() {
        let at = path.index(index);
        let prefix = tree::str_at(source, "/prefix");
        errors.texts(&at.child("prefix"), prefix, names::environment(prefix));
        let mut count = 0;
        for name in ["configMapRef", "secretRef"] {
            if let Some(reference) = tree::present(source, &format!("/{name}")) {
                count += 1;
                match tree::str_at(reference, "/name") {
                    "" => errors.required(&at.child(name).child("name"), ""),
                    target => errors.texts(&at.child(name).child("name"), target, names::subdomain(target)),
                }
            }
        }
        match count {
            0 => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(path, "", "may not have more than one field specified at a time"),
        }
    }
}

fn mounts(path: &Path<'_>, container: &Value, volumes: &Volumes<'_>, errors: &mut FieldErrors) {
    let mut places = BTreeSet::new();
    for (index, mount) in tree::list(container, "/volumeMounts").iter().enumerate() {
        let at = path.index(index);
        let name = tree::str_at(mount, "/name");
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        }
        if !volumes.contains(name) {
            errors.not_found(&at.child("name"), name);
        }
        let place = tree::str_at(mount, "/mountPath");
        if place.is_empty() {
            errors.required(&at.child("mountPath"), "");
        }
        if !places.insert(place) {
            errors.invalid(&at.child("mountPath"), place, "must be unique");
        }
        let part = tree::str_at(mount, "/subPath");
        let expression = tree::str_at(mount, "/subPathExpr");
        if !part.is_empty() && !expression.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(&at.child("subPathExpr"), expression, detail);
        }
        for (field, inner) in [("subPath", part), ("subPathExpr", expression)] {
            path_inside(&path.child(field), inner, errors);
        }
    }
}

/// Probes and life cycle handlers.
fn hooks(path: &Path<'_>, container: &Value, errors: &mut FieldErrors) {
    if let Some(lifecycle) = tree::present(container, "/lifecycle") {
        let at = path.child("lifecycle");
        for name in ["postStart", "preStop"] {
            if let Some(handler) = tree::present(lifecycle, &format!("/{name}")) {
                self::handler(&at.child(name), handler, errors);
            }
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = tree::present(container, &format!("/{name}")) {
            self::probe(&path.child(name), name, probe, errors);
        }
    }
}

fn probe(path: &Path<'_>, name: &str, probe: &Value, errors: &mut FieldErrors) {
    handler(path, probe, errors);
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        errors.not_negative(path, probe, field);
    }
    let grace = tree::integer(probe, "/terminationGracePeriodSeconds");
    if let Some(grace) = grace
        && grace <= 0
    {
        errors.invalid(&path.child("terminationGracePeriodSeconds"), grace, "must be greater than 0");
    }
    if name == "readinessProbe" {
        if let Some(grace) = grace {
            let detail = "must not be set for readinessProbes";
            errors.invalid(&path.child("terminationGracePeriodSeconds"), grace, detail);
        }
        return;
    }
    let threshold = tree::integer(probe, "/successThreshold").unwrap_or(1);
    if threshold != 1 {
        errors.invalid(&path.child("successThreshold"), threshold, "must be 1");
    }
}

/// Exactly one way to ask.
fn handler(path: &Path<'_>, handler: &Value, errors: &mut FieldErrors) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
    let mut found =
        kinds.iter().filter_map(|&kind| Some((kind, tree::present(handler, &format!("/{kind}"))?)));
    let Some((kind, action)) = found.next() else {
        errors.required(path, "must specify a handler type");
        return;
    };
    let at = path.child(kind);
    match kind {
        "exec" if tree::list(action, "/command").is_empty() => errors.required(&at.child("command"), ""),
        "httpGet" => http_get(&at, action, errors),
        "tcpSocket" | "grpc" => port_or_name(&at.child("port"), action.get("port"), errors),
        _ => {}
    }
    for (kind, _) in found {
        errors.forbidden(&path.child(kind), "may not specify more than 1 handler type");
    }
}

fn http_get(path: &Path<'_>, action: &Value, errors: &mut FieldErrors) {
    if tree::str_at(action, "/path").is_empty() {
        errors.required(&path.child("path"), "");
    }
    port_or_name(&path.child("port"), action.get("port"), errors);
    let scheme = tree::str_at(action, "/scheme");
    if !["HTTP", "HTTPS"].contains(&scheme) {
        errors.not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in tree::list(action, "/httpHeaders") {
        let name = tree::str_at(header, "/name");
        errors.texts(&path.child("httpHeaders"), name, names::header(name));
    }
}

/// A port by number or by name.
pub(crate) fn port_or_name(path: &Path<'_>, port: Option<&Value>, errors: &mut FieldErrors) {
    match port {
        Some(Value::String(name)) => errors.texts(path, name, names::port(name)),
        port => errors.port(path, port.and_then(Value::as_i64).unwrap_or_default()),
    }
}

/// Containers that share the node's network use the node's ports.
pub(crate) fn host_network_ports(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for (index, container) in tree::list(spec, "/containers").iter().enumerate() {
        let at = path.index(index);
        let ports = at.child("ports");
        for (index, port) in tree::list(container, "/ports").iter().enumerate() {
            let host = tree::integer(port, "/hostPort").unwrap_or_default();
            if host != 0 && host != tree::integer(port, "/containerPort").unwrap_or_default() {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(&ports.index(index).child("hostPort"), json!(host), detail);
            }
        }
    }
}
