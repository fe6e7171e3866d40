//! Rows of the remaining kinds: namespaces, nodes, events, configuration, classes, admission.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cells::{Source, joined, or_word};
use super::{AGE, Column, NAME, Table};
use crate::tree;

pub(crate) static NAMESPACE: Table = Table {
    columns: &[NAME, Column::text("Status", "Whether the namespace is in use or going away."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/status/phase")), source.age()],
};

pub(crate) static NODE: Table = Table {
    columns: &[
        NAME,
        Column::text("Status", "Whether the node runs pods."),
        Column::text("Roles", "What the node is for."),
        AGE,
        Column::text("Version", "Version of the node's agent."),
        Column::text("Internal-IP", "Address inside the cluster.").wide(),
        Column::text("External-IP", "Address outside the cluster.").wide(),
        Column::text("OS-Image", "Operating system.").wide(),
        Column::text("Kernel-Version", "Kernel and architecture.").wide(),
        Column::text("Container-Runtime", "What runs the containers.").wide(),
    ],
    cells: node,
};

pub(crate) static EVENT: Table = Table {
    columns: &[
        Column::text("Last Seen", "Time since the event happened last."),
        Column::text("Type", "Normal or Warning."),
        Column::text("Reason", "What happened, as one word."),
        Column::text("Object", "What it happened to."),
        Column::text("Subobject", "Part of the object it happened to.").wide(),
        Column::text("Source", "Who reports it.").wide(),
        Column::text("Message", "What happened, for people."),
        Column::text("First Seen", "Time since the event happened first.").wide(),
        Column::text("Count", "How often it happened.").wide(),
        Column { priority: 1, ..NAME },
    ],
    cells: event,
};

pub(crate) static CONFIG_MAP: Table = Table {
    columns: &[NAME, Column::text("Data", "Number of entries."), AGE],
    cells: |source| {
        vec![source.name(), json!(source.count("/data") + source.count("/binaryData")), source.age()]
    },
};

pub(crate) static SECRET: Table = Table {
    columns: &[
        NAME,
        Column::text("Type", "What the entries are for."),
        Column::text("Data", "Number of entries."),
        AGE,
    ],
    cells: |source| {
        vec![source.name(), json!(source.text("/type")), json!(source.count("/data")), source.age()]
    },
};

pub(crate) static SERVICE_ACCOUNT: Table =
    Table { columns: &[NAME, AGE], cells: |source| vec![source.name(), source.age()] };

pub(crate) static LEASE: Table = Table {
    columns: &[NAME, Column::text("Holder", "Who holds the lease."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/spec/holderIdentity")), source.age()],
};

pub(crate) static QUOTA: Table = Table {
    columns: &[
        NAME,
        Column::text("Request", "Used and allowed amount of each counted resource."),
        Column::text("Limit", "Used and allowed amount of each limited resource."),
        AGE,
    ],
    cells: quota,
};

pub(crate) static PRIORITY_CLASS: Table = Table {
    columns: &[
        NAME,
        Column::integer("Value", "Priority; higher is served first."),
        Column::boolean("Global-Default", "Whether pods without a class are of this one."),
        AGE,
        Column::text("PreemptionPolicy", "Whether pods of the class evict others."),
    ],
    cells: priority_class,
};

pub(crate) static RUNTIME_CLASS: Table = Table {
    columns: &[NAME, Column::text("Handler", "Configuration of the runtime."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/handler")), source.age()],
};

pub(crate) static WEBHOOKS: Table = Table {
    columns: &[NAME, Column::integer("Webhooks", "Number of webhooks."), AGE],
    cells: |source| vec![source.name(), json!(source.list("/webhooks").len()), source.age()],
};

pub(crate) static ADMISSION_POLICY: Table = Table {
    columns: &[
        NAME,
        Column::integer("Validations", "Number of rules."),
        Column::text("ParamKind", "Kind of the objects that set parameters."),
        AGE,
    ],
    cells: admission_policy,
};

pub(crate) static ADMISSION_BINDING: Table = Table {
    columns: &[
        NAME,
        Column::text("PolicyName", "Policy that is put to use."),
        Column::text("ParamRef", "Object that sets the parameters."),
        AGE,
    ],
    cells: admission_binding,
};

fn node(source: Source<'_>) -> Vec<Value> {
    let address = |kind| {
        let mut addresses = source.list("/status/addresses").iter();
        let found = addresses.find(|entry| tree::text(entry, "/type") == kind);
        json!(found.map_or("<none>", |entry| tree::text(entry, "/address")))
    };
    let mut kernel = source.text_or("/status/nodeInfo/kernelVersion", "<unknown>").to_owned();
    match source.text("/status/nodeInfo/architecture") {
        "" => {}
        architecture => kernel = format!("{kernel} ({architecture})"),
    }
    vec![
        source.name(),
        json!(node_status(source)),
        json!(node_roles(source)),
        source.age(),
        json!(source.text("/status/nodeInfo/kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        json!(source.text_or("/status/nodeInfo/osImage", "<unknown>")),
        json!(kernel),
        json!(source.text_or("/status/nodeInfo/containerRuntimeVersion", "<unknown>")),
    ]
}

fn node_status(source: Source<'_>) -> String {
    let conditions = source.list("/status/conditions").iter();
    let ready = conditions.rev().find(|condition| tree::text(condition, "/type") == "Ready");
    let word = match ready.map(|condition| tree::text(condition, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if tree::is_true(source.object, "/spec/unschedulable") {
        return format!("{word},SchedulingDisabled");
    }
    word.to_owned()
}

fn node_roles(source: Source<'_>) -> String {
    let labels = tree::entries(source.object, "/metadata/labels");
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key {
            "kubernetes.io/role" => value.as_str(),
            key => key.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    or_word(joined(roles), "<none>")
}

/// An event of either group: the newer one has other names for what the older one says.
fn event(source: Source<'_>) -> Vec<Value> {
    let either = |older: &str, newer: &str| match source.text(older) {
        "" => source.text(newer),
        found => found,
    };
    let first = match either("/firstTimestamp", "/deprecatedFirstTimestamp") {
        "" => source.since("/eventTime"),
        first => super::cells::elapsed(first, source.now),
    };
    let mut last = match either("/lastTimestamp", "/deprecatedLastTimestamp") {
        "" => first.clone(),
        last => super::cells::elapsed(last, source.now),
    };
    let mut count = source.integer("/count").max(source.integer("/deprecatedCount"));
    if tree::present(source.object, "/series").is_some() {
        last = source.since("/series/lastObservedTime");
        count = source.integer("/series/count");
    } else if count == 0 {
        count = 1;
    }
    let kind = either("/involvedObject/kind", "/regarding/kind").to_lowercase();
    let target = match either("/involvedObject/name", "/regarding/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        json!(last),
        json!(source.text("/type")),
        json!(source.text("/reason")),
        json!(target),
        json!(either("/involvedObject/fieldPath", "/regarding/fieldPath")),
        json!(event_source(source)),
        json!(either("/message", "/note").trim()),
        json!(first),
        json!(count),
        source.name(),
    ]
}

fn event_source(source: Source<'_>) -> String {
    let first = |pointers: [&str; 4]| {
        pointers
            .into_iter()
            .map(|pointer| source.text(pointer))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let component = first([
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ]);
    let instance =
        first(["/source/host", "/deprecatedSource/host", "/reportingInstance", "/reportingInstance"]);
    if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") }
}

fn quota(source: Source<'_>) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut limits = Vec::new();
    for (resource, hard) in tree::entries(source.object, "/status/hard") {
        let used = tree::map(source.object, "/status/used").and_then(|used| used.get(resource));
        let used = used.and_then(Value::as_str).unwrap_or("0");
        let cell = format!("{resource}: {used}/{}", hard.as_str().unwrap_or("0"));
        if resource.starts_with("limits.") { limits.push(cell) } else { requests.push(cell) }
    }
    vec![source.name(), json!(requests.join(", ")), json!(limits.join(", ")), source.age()]
}

fn priority_class(source: Source<'_>) -> Vec<Value> {
    vec![
        source.name(),
        json!(source.integer("/value")),
        json!(tree::is_true(source.object, "/globalDefault")),
        source.age(),
        json!(source.text("/preemptionPolicy")),
    ]
}

fn admission_policy(source: Source<'_>) -> Vec<Value> {
    let parameters = tree::present(source.object, "/spec/paramKind")
        .map(|kind| format!("{}/{}", tree::text(kind, "/apiVersion"), tree::text(kind, "/kind")));
    vec![
        source.name(),
        json!(source.list("/spec/validations").len()),
        json!(parameters.as_deref().unwrap_or("<unset>")),
        source.age(),
    ]
}

fn admission_binding(source: Source<'_>) -> Vec<Value> {
    let parameters = match source.text("/spec/paramRef/name") {
        "" => "<unset>".to_owned(),
        name => format!("{}/{name}", source.text_or("/spec/paramRef/namespace", "*")),
    };
    vec![source.name(), json!(source.text("/spec/policyName")), json!(parameters), source.age()]
}
