//! Reads the published OpenAPI v3 documents and cuts them down to the parts that clients read.
//!
//! kubectl looks for `components.schemas`, the group-version-kind of each operation, and the parameters of PATCH.
//! Responses, watch paths and the descriptions of parameters are dropped.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::modules::Modules;

/// The group versions that the API server serves from built-in types.
pub(super) const SERVED: [&str; 20] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "apiregistration.k8s.io/v1",
    "apps/v1",
    "authentication.k8s.io/v1",
    "authorization.k8s.io/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "certificates.k8s.io/v1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "events.k8s.io/v1",
    "networking.k8s.io/v1",
    "node.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1",
];

/// Name of a kind's schema with the names of the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServedKind {
    pub(super) group_version: String,
    pub(super) kind: String,
    /// Name of its schema.
    pub(super) model: String,
}

/// The documents of all served group versions.
pub(super) struct Documents {
    by_group_version: BTreeMap<String, Value>,
}

impl Documents {
    /// Reads the documents of [`SERVED`].
    pub(super) fn read(modules: &Modules) -> Result<Self> {
        let folder =
            modules.resolve("k8s.io/kubernetes/api/openapi-spec/v3").context("no OpenAPI documents")?;
        let mut by_group_version = BTreeMap::new();
        for group_version in SERVED {
            let prefix = if group_version.contains('/') { "apis" } else { "api" };
            let file = format!("{prefix}__{}_openapi.json", group_version.replace('/', "__"));
            let bytes = fs::read(folder.join(&file)).with_context(|| file.clone())?;
            by_group_version.insert(group_version.to_owned(), serde_json::from_slice(&bytes)?);
        }
        Ok(Self { by_group_version })
    }

    /// Every schema by name. Schemas that several documents have are equal, except for lists of known kinds.
    pub(super) fn schemas(&self) -> BTreeMap<String, Value> {
        let all = self
            .by_group_version
            .values()
            .filter_map(|document| document["components"]["schemas"].as_object());
        all.flatten().map(|(name, schema)| (name.clone(), schema.clone())).collect()
    }

    /// Kinds of objects that requests may carry: all but lists and watch events.
    ///
    /// A subresource's kind may be declared by another group's document, such as `Scale` by that of `apps`.
    pub(super) fn kinds(&self) -> Vec<ServedKind> {
        let mut kinds = Vec::new();
        for (model, schema) in self.schemas() {
            for declared in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let group_version = joined(declared);
                let kind = declared["kind"].as_str().unwrap_or_default();
                let is_shared = model.starts_with("io.k8s.apimachinery.");
                let is_object = !is_shared && !kind.ends_with("List");
                if is_object && SERVED.contains(&group_version.as_str()) {
                    kinds.push(ServedKind { group_version, kind: kind.to_owned(), model: model.clone() });
                }
            }
        }
        kinds.sort();
        kinds
    }

    /// The documents to serve, by group version.
    pub(super) fn pruned(&self) -> BTreeMap<&str, Value> {
        let documents = self.by_group_version.iter();
        documents.map(|(group_version, document)| (group_version.as_str(), prune(document))).collect()
    }
}

fn joined(declared: &Value) -> String {
    let text = |name: &str| declared[name].as_str().unwrap_or_default();
    match text("group") {
        "" => text("version").to_owned(),
        group => format!("{group}/{}", text("version")),
    }
}

fn prune(document: &Value) -> Value {
    let paths = document["paths"].as_object().into_iter().flatten();
    let paths: Map<String, Value> = paths
        .filter(|(path, _)| !path.contains("/watch/"))
        .map(|(path, item)| (path.clone(), prune_path(item)))
        .collect();
    json!({
        "openapi": document["openapi"],
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": document["components"]["schemas"] },
    })
}

fn prune_path(item: &Value) -> Value {
    let mut pruned = Map::new();
    for (name, operation) in item.as_object().into_iter().flatten() {
        let kept = match name.as_str() {
            "parameters" => prune_parameters(operation),
            _ => prune_operation(operation),
        };
        pruned.insert(name.clone(), kept);
    }
    Value::Object(pruned)
}

fn prune_operation(operation: &Value) -> Value {
    let mut pruned = Map::new();
    for name in ["operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind"] {
        if let Some(value) = operation.get(name) {
            pruned.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(parameters) = operation.get("parameters") {
        pruned.insert("parameters".to_owned(), prune_parameters(parameters));
    }
    pruned.insert("responses".to_owned(), json!({ "200": { "description": "OK" } }));
    Value::Object(pruned)
}

fn prune_parameters(parameters: &Value) -> Value {
    let all = parameters.as_array().into_iter().flatten();
    Value::Array(all.map(|parameter| without(parameter, "description")).collect())
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove(name);
    }
    value
}
