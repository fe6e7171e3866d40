//! Nodes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::cells::{Row, joined, or_word};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_INITIAL_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, quantities,
};
use crate::tree;
use crate::tree::{child_if_present, is_unset};
use crate::validation::errors::printed;
use crate::validation::names::{label_key_errors, label_value_errors};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, resources};

const SPEC: Path<'static> = Path::root("spec");
const STATUS: Path<'static> = Path::root("status");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Node", "nodes")
        .singular("node")
        .short(&["no"])
        .subresources(&[
            Subresource::new("proxy", "NodeProxyOptions", PROXY_VERBS),
            Subresource::status("Node"),
        ]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::KeptOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    if let Some(spec) = child_if_present(object, "spec") {
        complete_ranges(spec);
    }
    let Some(status) = child_if_present(object, "status") else { return };
    quantities::canonical_map(status, "capacity");
    quantities::canonical_map(status, "allocatable");
    let capacity = status.get("capacity").filter(|capacity| capacity.is_object()).cloned();
    if let (Some(capacity), None | Some(Value::Null)) = (capacity, status.get("allocatable")) {
        status.insert("allocatable".to_owned(), capacity);
    }
}

/// `podCIDR` is the first of `podCIDRs` (kubernetes pkg/apis/core/v1/conversion.go).
fn complete_ranges(spec: &mut Map<String, Value>) {
    let range =
        spec.get("podCIDR").filter(|range| range.as_str().is_some_and(|range| !range.is_empty())).cloned();
    if let (Some(range), true) = (range, is_unset(spec.get("podCIDRs"))) {
        spec.insert("podCIDRs".to_owned(), json!([range]));
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    taints(new, errors);
    for field in ["capacity", "allocatable"] {
        let path = STATUS.child(field);
        for (name, amount) in tree::entries(new, &format!("/status/{field}")) {
            resources::counted(&path.child(name), name, amount, errors);
        }
    }
    let ranges = SPEC.child("podCIDRs");
    for (index, range) in tree::strings_at(new, "/spec/podCIDRs").enumerate() {
        errors.texts(&ranges.index(index), range, names::range(range));
    }
    let Some(old) = old else { return };
    for (field, pointer) in [("podCIDRs", "/spec/podCIDRs"), ("providerID", "/spec/providerID")] {
        let [now, before] = [new, old].map(|object| tree::present(object, pointer));
        let was_set = before.is_some_and(|before| *before != json!("") && *before != json!([]));
        if was_set && now != before {
            let name = if field == "podCIDRs" { "podCIDR" } else { field };
            let detail = format!("node updates may not change {name} except from \"\" to valid");
            errors.forbidden(&SPEC.child(field), detail);
        }
    }
}

fn taints(node: &Value, errors: &mut FieldErrors) {
    let metadata = Path::root("metadata");
    let list = metadata.child("taints");
    let mut known = BTreeSet::new();
    for (index, taint) in tree::list(node, "/spec/taints").iter().enumerate() {
        let at = list.index(index);
        let [key, value, effect] = ["/key", "/value", "/effect"].map(|field| tree::str_at(taint, field));
        errors.texts(&at.child("key"), key, label_key_errors(key));
        let texts = label_value_errors(value);
        if !texts.is_empty() {
            errors.invalid(&at.child("value"), value, texts.join(";"));
        }
        pod_spec::taint_effect(&at.child("effect"), effect, errors);
        if !known.insert((key, effect)) {
            let nothing = Value::Null;
            let [key, value, effect] = [key, value, effect].map(Value::from);
            let text = printed(&[
                ("Key", Some(&key)),
                ("Value", Some(&value)),
                ("Effect", Some(&effect)),
                ("TimeAdded", Some(taint.get("timeAdded").unwrap_or(&nothing))),
            ]);
            errors.duplicate_text(&at, format!("{text}: taints must be unique by key and effect pair"));
        }
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Status", "Whether the node runs pods."),
        Column::string("Roles", "What the node is for."),
        AGE,
        Column::string("Version", "Version of the node's agent."),
        Column::string("Internal-IP", "Address inside the cluster.").wide(),
        Column::string("External-IP", "Address outside the cluster.").wide(),
        Column::string("OS-Image", "Operating system.").wide(),
        Column::string("Kernel-Version", "Kernel and architecture.").wide(),
        Column::string("Container-Runtime", "What runs the containers.").wide(),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let address = |kind| {
        let mut addresses = row.list("/status/addresses").iter();
        let found = addresses.find(|entry| tree::str_at(entry, "/type") == kind);
        json!(found.map_or("<none>", |entry| tree::str_at(entry, "/address")))
    };
    let mut kernel = row.text_or("/status/nodeInfo/kernelVersion", "<unknown>").to_owned();
    match row.text("/status/nodeInfo/architecture") {
        "" => {}
        architecture => kernel = format!("{kernel} ({architecture})"),
    }
    vec![
        row.name(),
        json!(status(row)),
        json!(roles(row)),
        row.age(),
        json!(row.text("/status/nodeInfo/kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        json!(row.text_or("/status/nodeInfo/osImage", "<unknown>")),
        json!(kernel),
        json!(row.text_or("/status/nodeInfo/containerRuntimeVersion", "<unknown>")),
    ]
}

fn status(row: Row<'_>) -> String {
    let conditions = row.list("/status/conditions").iter();
    let ready = conditions.rev().find(|condition| tree::str_at(condition, "/type") == "Ready");
    let word = match ready.map(|condition| tree::str_at(condition, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if tree::is_true(row.object, "/spec/unschedulable") {
        return format!("{word},SchedulingDisabled");
    }
    word.to_owned()
}

fn roles(row: Row<'_>) -> String {
    let labels = tree::entries(row.object, "/metadata/labels");
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key {
            "kubernetes.io/role" => value.as_str(),
            key => key.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    or_word(joined(roles), "<none>")
}

const SELECTABLE: &[SelectableField] = &[field("spec.unschedulable", &["spec", "unschedulable"]).or("false")];
