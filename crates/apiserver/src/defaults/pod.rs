//! Pods and pod templates: what every workload kind shares.

use serde_json::{Map, Value, json};

use crate::quantity::Quantity;
use crate::tree::{self, child, child_if_present, children, default, is_unset};

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const FILE_MODE: i64 = 0o644;

/// A pod itself; it gets more than a template does.
pub(crate) fn pod(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    pod_spec(spec);
    for name in ["initContainers", "containers"] {
        for container in children(spec, name) {
            requests_from_limits(container);
        }
    }
    default(spec, "enableServiceLinks", true);
    tolerate(spec, "node.kubernetes.io/not-ready");
    tolerate(spec, "node.kubernetes.io/unreachable");
    if spec.get("hostNetwork").and_then(Value::as_bool) == Some(true) {
        for name in ["initContainers", "containers"] {
            for container in children(spec, name) {
                host_ports(container);
            }
        }
    }
}

/// Taints that come and go within minutes do not drive a pod away.
fn tolerate(spec: &mut Map<String, Value>, taint: &str) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if tolerations.is_null() {
        *tolerations = json!([]);
    }
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    let covers = |toleration: &Value| {
        let (key, effect) = (tree::text(toleration, "/key"), tree::text(toleration, "/effect"));
        (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
    };
    if !tolerations.iter().any(covers) {
        tolerations.push(json!({
            "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300
        }));
    }
}

/// An object of kind `PodTemplate`.
pub(crate) fn pod_template(object: &mut Map<String, Value>) {
    template(object);
}

/// The member `template` of a workload's spec.
pub(crate) fn template(parent: &mut Map<String, Value>) {
    let Some(template) = child(parent, "template") else { return };
    child(template, "metadata");
    if let Some(spec) = child(template, "spec") {
        pod_spec(spec);
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    child(spec, "securityContext");
    service_account(spec);
    for name in CONTAINERS {
        for container in children(spec, name) {
            self::container(container);
        }
    }
    for volume in children(spec, "volumes") {
        self::volume(volume);
    }
    quantities(spec, "overhead");
    if let Some(resources) = child_if_present(spec, "resources") {
        self::resources(resources);
    }
}

/// The old and the new name of the service account say the same.
fn service_account(spec: &mut Map<String, Value>) {
    let known = ["serviceAccountName", "serviceAccount"]
        .into_iter()
        .find_map(|name| spec.get(name).filter(|value| !is_unset(Some(value))).cloned());
    if let Some(known) = known {
        for name in ["serviceAccountName", "serviceAccount"] {
            spec.insert(name.to_owned(), known.clone());
        }
    }
}

fn container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let pull_policy = pull_policy(image);
    default(container, "imagePullPolicy", pull_policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    if let Some(resources) = child(container, "resources") {
        self::resources(resources);
    }
    for port in children(container, "ports") {
        default(port, "protocol", "TCP");
    }
    for variable in children(container, "env") {
        environment(variable);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = child_if_present(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = child_if_present(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = child_if_present(lifecycle, name) {
                http_get(handler);
            }
        }
    }
}

/// An image without a tag, or with the tag that moves, is fetched every time.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        Some((_, tag)) if tag != "latest" => "IfNotPresent",
        _ => "Always",
    }
}

fn environment(variable: &mut Map<String, Value>) {
    let Some(source) = child_if_present(variable, "valueFrom") else { return };
    if let Some(field) = child_if_present(source, "fieldRef") {
        default(field, "apiVersion", "v1");
    }
    if let Some(field) = child_if_present(source, "resourceFieldRef") {
        default(field, "divisor", "0");
        quantity(field, "divisor");
    }
}

fn probe(probe: &mut Map<String, Value>) {
    for (name, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.get(name).and_then(Value::as_i64).unwrap_or_default() == 0 {
            probe.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(grpc) = child_if_present(probe, "grpc")
        && grpc.get("service").is_none_or(Value::is_null)
    {
        grpc.insert("service".to_owned(), json!(""));
    }
    http_get(probe);
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(action) = child_if_present(handler, "httpGet") {
        default(action, "path", "/");
        default(action, "scheme", "HTTP");
    }
}

fn volume(volume: &mut Map<String, Value>) {
    let has_source = volume.iter().any(|(name, value)| name != "name" && !value.is_null());
    if !has_source {
        child(volume, "emptyDir");
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = child_if_present(volume, name) {
            default(source, "defaultMode", FILE_MODE);
            downward_items(source);
        }
    }
    if let Some(projected) = child_if_present(volume, "projected") {
        for source in children(projected, "sources") {
            if let Some(token) = child_if_present(source, "serviceAccountToken") {
                default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = child_if_present(source, "downwardAPI") {
                downward_items(downward);
            }
        }
    }
    if let Some(path) = child_if_present(volume, "hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".to_owned(), json!(""));
    }
    if let Some(directory) = child_if_present(volume, "emptyDir") {
        quantity(directory, "sizeLimit");
    }
    if let Some(template) = child_if_present(volume, "ephemeral")
        .and_then(|source| child_if_present(source, "volumeClaimTemplate"))
        && let Some(spec) = child(template, "spec")
    {
        super::storage::claim_spec(spec);
    }
}

fn downward_items(source: &mut Map<String, Value>) {
    for item in children(source, "items") {
        if let Some(field) = child_if_present(item, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
        if let Some(field) = child_if_present(item, "resourceFieldRef") {
            default(field, "divisor", "0");
            quantity(field, "divisor");
        }
    }
}

/// Brings `limits` and `requests` into canonical form.
pub(crate) fn resources(resources: &mut Map<String, Value>) {
    quantities(resources, "limits");
    quantities(resources, "requests");
}

/// A container that says how much it may use, but not how much it needs, needs as much as it may use.
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(resources) = child_if_present(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let Some(requests) = child(resources, "requests") else { return };
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

/// In the network of the node, a port of a container is a port of the node.
fn host_ports(container: &mut Map<String, Value>) {
    for port in children(container, "ports") {
        let number = port.get("containerPort").cloned().unwrap_or(Value::Null);
        let host_port = port.get("hostPort").and_then(Value::as_i64).unwrap_or_default();
        if host_port == 0 && !number.is_null() {
            port.insert("hostPort".to_owned(), number);
        }
    }
}

/// Brings a map of quantities into canonical form, rounded up to thousandths.
pub(crate) fn quantities(parent: &mut Map<String, Value>, name: &str) {
    let Some(amounts) = child_if_present(parent, name) else { return };
    for amount in amounts.values_mut() {
        canonical(amount, Quantity::round_up_to_milli);
    }
}

/// Brings one quantity into canonical form.
pub(crate) fn quantity(parent: &mut Map<String, Value>, name: &str) {
    if let Some(amount) = parent.get_mut(name) {
        canonical(amount, |amount| amount);
    }
}

/// What is no quantity stays, for validation to refuse.
fn canonical(amount: &mut Value, rounded: fn(Quantity) -> Quantity) {
    let text = match amount {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Ok(quantity) = Quantity::parse(&text) {
        *amount = Value::String(rounded(quantity).to_string());
    }
}
