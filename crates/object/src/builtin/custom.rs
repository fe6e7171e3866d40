//! OpenAPI v3 documents of custom resources, in the shape that the built-in kinds have.
//!
//! kubectl validates and explains custom resources by these documents, so they carry what it reads
//! (apiextensions-apiserver pkg/controller/openapi/builder): schemas with their kinds, and operations with their kinds
//! and parameters.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::key::GroupVersion;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
/// Built-in schemas that custom resources refer to, each with a group version that has it in its document.
const REFERENCES: [(&str, &str); 6] = [
    ("coordination.k8s.io", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
    ("coordination.k8s.io", "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"),
    ("coordination.k8s.io", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
    ("coordination.k8s.io", "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"),
    ("coordination.k8s.io", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
    ("autoscaling", "io.k8s.api.autoscaling.v1.Scale"),
];

/// [`REFERENCES`] with all that they refer to.
static SHARED: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut shared = Map::new();
    for (group, root) in REFERENCES {
        let document = super::openapi(&GroupVersion::new(group, "v1"));
        let document: Value =
            document.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        add_with_references(root, &document["components"]["schemas"], &mut shared);
    }
    shared
});

/// The OpenAPI v3 document of all custom resources in one group version.
///
/// `definitions` are CustomResourceDefinitions of that group; those that do not serve the version are left out.
pub fn openapi_for_crds<'a>(
    group_version: &GroupVersion,
    definitions: impl IntoIterator<Item = &'a Value>,
) -> Value {
    let mut document = Document { group_version, paths: Map::new(), schemas: SHARED.clone() };
    for definition in definitions {
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        let served = versions.filter(|version| version["name"] == group_version.version.as_str());
        for version in served.filter(|version| version["served"] == true) {
            document.add(&definition["spec"], version);
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes CRD Swagger", "version": "v0.1.0" },
        "paths": document.paths,
        "components": { "schemas": document.schemas },
    })
}

struct Document<'a> {
    group_version: &'a GroupVersion,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// An operation and the kind it works on.
struct Operation<'a> {
    method: &'a str,
    action: &'a str,
    /// Whether it may be tried without effect, which makes it take parameters.
    writes: bool,
}

const COLLECTION: [Operation<'static>; 3] = [
    Operation { method: "get", action: "list", writes: false },
    Operation { method: "post", action: "post", writes: true },
    Operation { method: "delete", action: "deletecollection", writes: false },
];

const OBJECT: [Operation<'static>; 4] = [
    Operation { method: "get", action: "get", writes: false },
    Operation { method: "put", action: "put", writes: true },
    Operation { method: "patch", action: "patch", writes: true },
    Operation { method: "delete", action: "delete", writes: false },
];

impl Document<'_> {
    fn add(&mut self, spec: &Value, version: &Value) {
        let kind = spec["names"]["kind"].as_str().unwrap_or_default();
        let list_kind =
            spec["names"]["listKind"].as_str().map_or_else(|| format!("{kind}List"), str::to_owned);
        let GroupVersion { group, version: version_name } = self.group_version;
        let name = |kind: &str| {
            let reversed: Vec<&str> = group.split('.').rev().collect();
            format!("{}.{version_name}.{kind}", reversed.join("."))
        };
        let list = self.list_schema(&list_kind, &name(kind));
        self.schemas.insert(name(&list_kind), list);
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        add_object_fields(&mut schema, true);
        schema["x-kubernetes-group-version-kind"] = json!([self.kind(kind)]);
        self.schemas.insert(name(kind), schema);
        self.add_paths(spec, version, kind);
    }

    fn list_schema(&self, list_kind: &str, item: &str) -> Value {
        let mut schema = json!({
            "type": "object",
            "description": format!("{list_kind} is a list of {}", item.rsplit('.').next().unwrap_or(item)),
            "required": ["items"],
            "properties": {
                "items": {
                    "type": "array",
                    "description": "List of objects.",
                    "items": { "allOf": [{ "$ref": reference(item) }] },
                },
                "metadata": {
                    "allOf": [{ "$ref": reference(&format!("{META}ListMeta")) }],
                    "description": "Standard list metadata.",
                },
            },
            "x-kubernetes-group-version-kind": [self.kind(list_kind)],
        });
        add_type_fields(&mut schema);
        schema
    }

    fn add_paths(&mut self, spec: &Value, version: &Value, kind: &str) {
        let base = format!("/apis/{}", self.group_version);
        let plural = spec["names"]["plural"].as_str().unwrap_or_default();
        let is_namespaced = spec["scope"] == "Namespaced";
        let collection = if is_namespaced {
            format!("{base}/namespaces/{{namespace}}/{plural}")
        } else {
            format!("{base}/{plural}")
        };
        if is_namespaced {
            self.add_path(format!("{base}/{plural}"), &COLLECTION[..1], &self.kind(kind));
        }
        self.add_path(collection.clone(), &COLLECTION, &self.kind(kind));
        self.add_path(format!("{collection}/{{name}}"), &OBJECT, &self.kind(kind));
        let subresources = &version["subresources"];
        if !subresources["status"].is_null() {
            self.add_path(format!("{collection}/{{name}}/status"), &OBJECT[..3], &self.kind(kind));
        }
        if !subresources["scale"].is_null() {
            let scale = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
            self.add_path(format!("{collection}/{{name}}/scale"), &OBJECT[..3], &scale);
        }
    }

    fn add_path(&mut self, path: String, operations: &[Operation<'_>], kind: &Value) {
        let mut item = Map::new();
        for operation in operations {
            let mut described = json!({
                "responses": { "200": { "description": "OK" } },
                "x-kubernetes-action": operation.action,
                "x-kubernetes-group-version-kind": kind,
            });
            if operation.writes {
                described["parameters"] = parameters(operation.method);
            }
            item.insert(operation.method.to_owned(), described);
        }
        let names = [("{namespace}", "namespace"), ("{name}", "name")];
        let in_path = names.iter().filter(|(pattern, _)| path.contains(pattern)).map(|(_, name)| {
            json!({ "in": "path", "name": name, "required": true, "schema": { "type": "string" } })
        });
        item.insert("parameters".to_owned(), in_path.collect());
        self.paths.insert(path, Value::Object(item));
    }

    fn kind(&self, kind: &str) -> Value {
        json!({ "group": self.group_version.group, "version": self.group_version.version, "kind": kind })
    }
}

/// The query parameters of a writing operation; kubectl looks for these by name.
fn parameters(method: &str) -> Value {
    let text = |name: &str| json!({ "in": "query", "name": name, "schema": { "type": "string" } });
    let mut parameters = vec![text("dryRun"), text("fieldManager"), text("fieldValidation")];
    if method == "patch" {
        parameters.push(json!({ "in": "query", "name": "force", "schema": { "type": "boolean" } }));
    }
    Value::Array(parameters)
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// Adds the fields of every object to a schema and to the embedded resources in it.
fn add_object_fields(schema: &mut Value, is_root: bool) {
    if !schema.is_object() {
        *schema = json!({ "type": "object" });
    }
    if is_root || schema["x-kubernetes-embedded-resource"] == true {
        add_type_fields(schema);
        schema["properties"]["metadata"] = json!({
            "allOf": [{ "$ref": reference(&format!("{META}ObjectMeta")) }],
            "description": "Standard object's metadata.",
        });
    }
    let Some(fields) = schema.as_object_mut() else { return };
    for name in ["items", "additionalProperties"] {
        if let Some(part) = fields.get_mut(name).filter(|part| part.is_object()) {
            add_object_fields(part, false);
        }
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        let parts = properties.iter_mut().filter(|(name, _)| !(is_root && *name == "metadata"));
        parts
            .filter(|(_, part)| part.get("allOf").is_none())
            .for_each(|(_, part)| add_object_fields(part, false));
    }
}

fn add_type_fields(schema: &mut Value) {
    for (name, description) in [
        ("apiVersion", "The group and version of the schema that this object follows, such as `apps/v1`."),
        ("kind", "The kind of this object, in CamelCase."),
    ] {
        schema["properties"][name] = json!({ "type": "string", "description": description });
    }
}

/// Copies a schema and all that it refers to.
fn add_with_references(root: &str, schemas: &Value, shared: &mut Map<String, Value>) {
    let mut waiting = BTreeSet::from([root.to_owned()]);
    while let Some(name) = waiting.pop_first() {
        let Some(schema) = schemas.get(&name).filter(|_| !shared.contains_key(&name)) else { continue };
        collect_references(schema, &mut waiting);
        shared.insert(name, schema.clone());
    }
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next());
            found.extend(reference.map(str::to_owned));
            map.values().for_each(|part| collect_references(part, found));
        }
        Value::Array(list) => list.iter().for_each(|part| collect_references(part, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        let definition = json!({"spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "listKind": "WidgetList"},
            "versions": [
                {"name": "v1", "served": true, "subresources": {"status": {}, "scale": {}},
                 "schema": {"openAPIV3Schema": {"type": "object", "description": "A widget.", "properties": {
                    "metadata": {"type": "object"},
                    "spec": {"type": "object", "properties": {
                        "list": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                        "template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}}}}}}},
                {"name": "v2", "served": false},
            ],
        }});
        openapi_for_crds(&GroupVersion::new("example.com", "v1"), [&definition])
    }

    #[test]
    fn schemas_have_kinds_and_the_fields_of_every_object() {
        let document = document();
        let widget = &document["components"]["schemas"]["com.example.v1.Widget"];
        let kind = json!([{"group": "example.com", "version": "v1", "kind": "Widget"}]);
        assert_eq!(widget["x-kubernetes-group-version-kind"], kind);
        assert_eq!(widget["description"], "A widget.");
        assert_eq!(widget["properties"]["kind"]["type"], "string");
        let properties = &widget["properties"]["spec"]["properties"];
        assert_eq!(properties["list"]["x-kubernetes-list-type"], "set");
        assert!(properties["template"]["properties"]["metadata"]["allOf"].is_array());
        let mut references = BTreeSet::new();
        collect_references(&document, &mut references);
        for name in &references {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is in the document");
        }
        assert!(references.contains("io.k8s.apimachinery.pkg.apis.meta.v1.Time"), "{references:?}");
    }

    #[test]
    fn operations_have_kinds_and_parameters() {
        let document = document();
        let object = "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}";
        let patch = &document["paths"][object]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Widget");
        let names: Vec<&Value> =
            patch["parameters"].as_array().expect("a list").iter().map(|p| &p["name"]).collect();
        assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
        assert!(document["paths"][format!("{object}/status")]["put"].is_object());
        assert_eq!(
            document["paths"][format!("{object}/scale")]["get"]["x-kubernetes-group-version-kind"]["kind"],
            "Scale"
        );
        assert!(document["paths"]["/apis/example.com/v1/widgets"]["get"].is_object());
    }

    #[test]
    fn versions_that_are_not_served_are_left_out() {
        let definition =
            json!({"spec": {"names": {"kind": "W"}, "versions": [{"name": "v1", "served": false}]}});
        let document = openapi_for_crds(&GroupVersion::new("example.com", "v1"), [&definition]);
        assert_eq!(document["paths"], json!({}));
    }
}
