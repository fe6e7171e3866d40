//! Environment variables of a container.
//!
//! Pure: the caller collects the pod, ConfigMaps, Secrets and Services. Later sources override earlier ones: Services of the
//! namespace, `envFrom`, `env`. Values of `env` may refer to variables set before them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_api::kubernetes::{Service, View, ViewError};
use portolan_object::Object;

use crate::node::expansion::expand;
use crate::node::pod_spec::{ContainerSpec, EnvSource, KeyRef, NameRef, PodSpec};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Decoded contents of ConfigMaps or Secrets by name.
pub(crate) type Contents = BTreeMap<String, BTreeMap<String, String>>;

/// Sources of variables.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) pod: &'a Object,
    pub(crate) spec: &'a PodSpec,
    /// Addresses of the pod, the primary one first.
    pub(crate) pod_addresses: &'a [IpAddr],
    pub(crate) host_address: IpAddr,
    pub(crate) config_maps: &'a Contents,
    pub(crate) secrets: &'a Contents,
    /// Services of the pod's namespace, and `default/kubernetes`.
    pub(crate) services: &'a [&'a Object],
}

/// Why the environment is not available. The container waits until it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvironmentError {
    #[error("{kind} \"{name}\" not found")]
    Missing { kind: &'static str, name: String },
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    MissingKey { kind: &'static str, namespace: String, name: String, key: String },
    #[error("unsupported fieldPath: {0}")]
    FieldPath(String),
    #[error(transparent)]
    Service(#[from] ViewError),
}

/// Names of the ConfigMaps and Secrets that the containers of a pod refer to.
pub(crate) fn references(spec: &PodSpec) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut config_maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for container in spec.all_containers() {
        for from in &container.env_from {
            config_maps.extend(from.config_map_ref.iter().map(|reference| reference.name.clone()));
            secrets.extend(from.secret_ref.iter().map(|reference| reference.name.clone()));
        }
        for source in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
            config_maps.extend(source.config_map_key_ref.iter().map(|reference| reference.name.clone()));
            secrets.extend(source.secret_key_ref.iter().map(|reference| reference.name.clone()));
        }
    }
    (config_maps, secrets)
}

/// Computes the environment of one container.
pub(crate) fn environment(
    container: &ContainerSpec,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut variables = service_variables(sources)?;
    for from in &container.env_from {
        let config_map = from.config_map_ref.as_ref().map(|r| ("configmap", r, sources.config_maps));
        let secret = from.secret_ref.as_ref().map(|r| ("secret", r, sources.secrets));
        for (kind, reference, contents) in config_map.into_iter().chain(secret) {
            for (key, value) in all_keys(kind, reference, contents)? {
                variables.insert(format!("{}{key}", from.prefix), value.clone());
            }
        }
    }
    for variable in &container.env {
        let value = match &variable.value_from {
            None => Some(expand(&variable.value, &variables)),
            Some(source) => resolve(source, sources)?,
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    let hostname = match sources.spec.hostname.as_str() {
        "" => sources.pod.name(),
        hostname => hostname,
    };
    variables.entry("HOSTNAME".to_owned()).or_insert_with(|| hostname.to_owned());
    variables.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    Ok(variables)
}

fn all_keys<'a>(
    kind: &'static str,
    reference: &NameRef,
    contents: &'a Contents,
) -> Result<Vec<(&'a String, &'a String)>, EnvironmentError> {
    match contents.get(&reference.name) {
        Some(found) => Ok(found.iter().collect()),
        None if reference.optional => Ok(Vec::new()),
        None => Err(EnvironmentError::Missing { kind, name: reference.name.clone() }),
    }
}

/// The value of a reference; `None` when the variable is not set.
fn resolve(source: &EnvSource, sources: &Sources<'_>) -> Result<Option<String>, EnvironmentError> {
    if let Some(field) = &source.field_ref {
        return field_value(&field.field_path, sources).map(Some);
    }
    if let Some(reference) = &source.config_map_key_ref {
        return key_value(("configmap", "ConfigMap"), reference, sources.config_maps, sources.pod);
    }
    if let Some(reference) = &source.secret_key_ref {
        return key_value(("secret", "Secret"), reference, sources.secrets, sources.pod);
    }
    // `resourceFieldRef`: containers here have no resource limits.
    Ok(None)
}

fn key_value(
    (kind, title): (&'static str, &'static str),
    reference: &KeyRef,
    contents: &Contents,
    pod: &Object,
) -> Result<Option<String>, EnvironmentError> {
    let Some(found) = contents.get(&reference.name) else {
        return match reference.optional {
            true => Ok(None),
            false => Err(EnvironmentError::Missing { kind, name: reference.name.clone() }),
        };
    };
    match found.get(&reference.key) {
        Some(value) => Ok(Some(value.clone())),
        None if reference.optional => Ok(None),
        None => Err(EnvironmentError::MissingKey {
            kind: title,
            namespace: pod.namespace().to_owned(),
            name: reference.name.clone(),
            key: reference.key.clone(),
        }),
    }
}

pub(super) fn field_value(path: &str, sources: &Sources<'_>) -> Result<String, EnvironmentError> {
    let pod = sources.pod;
    let subscript = |name: &str| {
        let key = path.strip_prefix(name)?.strip_prefix("['")?.strip_suffix("']")?;
        Some(key.to_owned())
    };
    if let Some(key) = subscript("metadata.labels") {
        return Ok(pod.label(&key).unwrap_or_default().to_owned());
    }
    if let Some(key) = subscript("metadata.annotations") {
        return Ok(pod.annotation(&key).unwrap_or_default().to_owned());
    }
    Ok(match path {
        "metadata.name" => pod.name().to_owned(),
        "metadata.namespace" => pod.namespace().to_owned(),
        "metadata.uid" => pod.uid().to_owned(),
        "spec.nodeName" => sources.spec.node_name.clone(),
        "spec.serviceAccountName" => sources.spec.service_account_name.clone(),
        "status.hostIP" | "status.hostIPs" => sources.host_address.to_string(),
        "status.podIP" => sources.pod_addresses.first().map(ToString::to_string).unwrap_or_default(),
        "status.podIPs" => {
            let all: Vec<String> = sources.pod_addresses.iter().map(ToString::to_string).collect();
            all.join(",")
        }
        other => return Err(EnvironmentError::FieldPath(other.to_owned())),
    })
}

/// `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT` and the Docker link variables, for each Service with a cluster IP.
fn service_variables(sources: &Sources<'_>) -> Result<BTreeMap<String, String>, ViewError> {
    let mut variables = BTreeMap::new();
    let with_links = sources.spec.enable_service_links.unwrap_or(true);
    for service in sources.services {
        let is_api_server = service.namespace() == "default" && service.name() == "kubernetes";
        let is_in_namespace = service.namespace() == sources.pod.namespace();
        if is_api_server || (is_in_namespace && with_links) {
            add_service(service, &mut variables)?;
        }
    }
    Ok(variables)
}

fn add_service(service: &Object, variables: &mut BTreeMap<String, String>) -> Result<(), ViewError> {
    let spec = Service::read(service)?.spec;
    let address = spec.cluster_ip;
    if address.is_empty() || spec.is_headless() {
        return Ok(());
    }
    let prefix = variable_name(service.name());
    variables.insert(format!("{prefix}_SERVICE_HOST"), address.to_owned());
    for (index, port) in spec.ports.iter().enumerate() {
        let number = port.port;
        let protocol = port.protocol.unwrap_or("TCP");
        let lower = protocol.to_ascii_lowercase();
        let url = format!("{lower}://{address}:{number}");
        if index == 0 {
            variables.insert(format!("{prefix}_SERVICE_PORT"), number.to_string());
            variables.insert(format!("{prefix}_PORT"), url.clone());
        }
        if !port.name.is_empty() {
            let name = variable_name(port.name);
            variables.insert(format!("{prefix}_SERVICE_PORT_{name}"), number.to_string());
        }
        let link = format!("{prefix}_PORT_{number}_{protocol}");
        variables.insert(format!("{link}_PROTO"), lower);
        variables.insert(format!("{link}_PORT"), number.to_string());
        variables.insert(format!("{link}_ADDR"), address.to_owned());
        variables.insert(link, url);
    }
    Ok(())
}

fn variable_name(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn made(env: Value, env_from: Value) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let pod = Object(json!({
            "metadata": { "name": "serve-1", "namespace": "shop", "uid": "u1",
                          "labels": { "app": "serve" }, "annotations": { "a/b": "c" } },
            "spec": { "nodeName": "node1", "serviceAccountName": "robot",
                      "containers": [{ "name": "serve", "env": env, "envFrom": env_from }] },
        }));
        let spec = PodSpec::of(&pod).expect("a spec");
        let contents = |name: &str, key: &str, value: &str| {
            Contents::from([(name.to_owned(), BTreeMap::from([(key.to_owned(), value.to_owned())]))])
        };
        let services = [
            Object(json!({ "metadata": { "name": "kubernetes", "namespace": "default" },
                           "spec": { "clusterIP": "10.11.0.1",
                                     "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }] } })),
            Object(
                json!({ "metadata": { "name": "no-ip", "namespace": "shop" }, "spec": { "clusterIP": "None" } }),
            ),
        ];
        let sources = Sources {
            pod: &pod,
            spec: &spec,
            pod_addresses: &[
                "10.10.0.5".parse().expect("an address"),
                "fd00:10::5".parse().expect("an address"),
            ],
            host_address: "172.18.0.2".parse().expect("an address"),
            config_maps: &contents("settings", "colour", "blue"),
            secrets: &contents("keys", "token", "s3cret"),
            services: &services.iter().collect::<Vec<_>>(),
        };
        environment(&spec.containers[0], &sources)
    }

    #[test]
    fn variables_and_their_values() {
        let field = |path: &str| json!([{ "name": "X", "valueFrom": { "fieldRef": { "fieldPath": path } } }]);
        let key = |kind: &str, name: &str, key: &str, optional: bool| json!([{ "name": "X", "valueFrom": { kind: { "name": name, "key": key, "optional": optional } } }]);
        let none = json!([]);
        let cases = [
            ("a value", json!([{ "name": "X", "value": "1" }]), none.clone(), Some("1")),
            (
                "a value that refers to another one",
                json!([{ "name": "A", "value": "1" }, { "name": "X", "value": "$(A)2" }]),
                none.clone(),
                Some("12"),
            ),
            (
                "a value that refers to a service",
                json!([{ "name": "X", "value": "$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT_HTTPS)" }]),
                none.clone(),
                Some("10.11.0.1:443"),
            ),
            ("name", field("metadata.name"), none.clone(), Some("serve-1")),
            ("node", field("spec.nodeName"), none.clone(), Some("node1")),
            ("account", field("spec.serviceAccountName"), none.clone(), Some("robot")),
            ("pod address", field("status.podIP"), none.clone(), Some("10.10.0.5")),
            ("pod addresses", field("status.podIPs"), none.clone(), Some("10.10.0.5,fd00:10::5")),
            ("host address", field("status.hostIP"), none.clone(), Some("172.18.0.2")),
            ("label", field("metadata.labels['app']"), none.clone(), Some("serve")),
            ("annotation", field("metadata.annotations['a/b']"), none.clone(), Some("c")),
            ("config map", key("configMapKeyRef", "settings", "colour", false), none.clone(), Some("blue")),
            ("secret", key("secretKeyRef", "keys", "token", false), none.clone(), Some("s3cret")),
            ("optional config map", key("configMapKeyRef", "nope", "x", true), none.clone(), None),
            ("optional key", key("secretKeyRef", "keys", "x", true), none.clone(), None),
            (
                "resources are not told",
                json!([{ "name": "X", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } }]),
                none.clone(),
                None,
            ),
            (
                "whole config map with a prefix",
                none.clone(),
                json!([{ "prefix": "X_", "configMapRef": { "name": "settings" } }]),
                None,
            ),
        ];
        for (name, env, from, want) in cases {
            let variables = made(env, from).expect("an environment");
            assert_eq!(variables.get("X").map(String::as_str), want, "{name}");
        }
        let whole = json!([{ "prefix": "X_", "configMapRef": { "name": "settings" } },
                           { "secretRef": { "name": "nope", "optional": true } }]);
        let variables = made(none, whole).expect("an environment");
        let picked = ["X_colour", "HOSTNAME", "KUBERNETES_PORT_443_TCP"].map(|name| variables[name].as_str());
        assert_eq!(picked, ["blue", "serve-1", "tcp://10.11.0.1:443"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let key = |kind: &str, name: &str| json!([{ "name": "X", "valueFrom": { kind: { "name": name, "key": "nope" } } }]);
        let cases = [
            (key("configMapKeyRef", "nope"), json!([]), "configmap \"nope\" not found"),
            (
                key("configMapKeyRef", "settings"),
                json!([]),
                "couldn't find key nope in ConfigMap shop/settings",
            ),
            (key("secretKeyRef", "keys"), json!([]), "couldn't find key nope in Secret shop/keys"),
            (json!([]), json!([{ "secretRef": { "name": "nope" } }]), "secret \"nope\" not found"),
            (
                json!([{ "name": "X", "valueFrom": { "fieldRef": { "fieldPath": "spec.x" } } }]),
                json!([]),
                "unsupported fieldPath: spec.x",
            ),
        ];
        for (env, from, want) in cases {
            assert_eq!(made(env, from).expect_err("missing").to_string(), want);
        }
    }
}
