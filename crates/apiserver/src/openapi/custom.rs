//! The OpenAPI document of the custom resources of one group version.
//!
//! It holds what clients read: schemas with their kinds, and operations with their parameters. That PATCH takes
//! `fieldValidation` is how kubectl learns that the server validates.

use std::sync::{Arc, LazyLock};

use portolan_object::{GroupVersion, builtin};
use serde_json::{Map, Value, json};

use crate::crd::CustomVersion;

/// Shared schemas, as the documents of built-in kinds define them.
static SHARED: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    // The smallest document that has objects, lists and deletion.
    let document = builtin::openapi(&GroupVersion::new("scheduling.k8s.io", "v1")).unwrap_or_default();
    let document: Value = serde_json::from_slice(&document).unwrap_or_default();
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let shared = schemas.filter(|(name, _)| name.starts_with("io.k8s.apimachinery."));
    shared.map(|(name, schema)| (name.clone(), schema.clone())).collect()
});

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The document of all versions given, which are of one group version.
pub(super) fn document(versions: &[Arc<CustomVersion>]) -> Value {
    let mut paths = Map::new();
    let mut schemas = SHARED.clone();
    for version in versions {
        let resource = Described::new(version);
        resource.add_paths(&mut paths);
        resource.add_schemas(&mut schemas);
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes CRD Swagger", "version": "v0.1.0" },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// A version with the names that the document uses for it.
struct Described<'a> {
    version: &'a CustomVersion,
    /// Such as `io.example.v1.Widget`.
    schema: String,
    list_schema: String,
    kind: Value,
}

impl<'a> Described<'a> {
    fn new(version: &'a CustomVersion) -> Self {
        let definition = &version.definition;
        let reversed: Vec<&str> = definition.group.rsplit('.').collect();
        let package = format!("{}.{}", reversed.join("."), version.name);
        let kind =
            json!({ "group": definition.group, "version": version.name, "kind": definition.names.kind });
        Self {
            version,
            schema: format!("{package}.{}", definition.names.kind),
            list_schema: format!("{package}.{}", definition.names.list_kind),
            kind,
        }
    }

    fn add_schemas(&self, schemas: &mut Map<String, Value>) {
        let mut own = match &self.version.openapi {
            Value::Object(schema) => Value::Object(schema.clone()),
            _ => json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }),
        };
        let text = |description: &str| json!({ "type": "string", "description": description });
        own["properties"]["apiVersion"] = text(
            "APIVersion defines the versioned schema of this representation of an object. Servers should convert \
             recognized schemas to the latest internal value, and may reject unrecognized values. More info: \
             https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
        );
        own["properties"]["kind"] = text(
            "Kind is a string value representing the REST resource this object represents. Servers may infer this \
             from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: \
             https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
        );
        own["properties"]["metadata"] = json!({
            "description": "Standard object's metadata. More info: \
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
            "allOf": [reference(&format!("{META}.ObjectMeta"))],
        });
        own["x-kubernetes-group-version-kind"] = json!([self.kind]);
        let mut list_kind = self.kind.clone();
        list_kind["kind"] = json!(self.version.definition.names.list_kind);
        let list = json!({
            "type": "object",
            "description": format!("{} is a list of {}", list_kind["kind"].as_str().unwrap_or_default(),
                                   self.version.definition.names.kind),
            "required": ["items"],
            "properties": {
                "apiVersion": own["properties"]["apiVersion"],
                "kind": own["properties"]["kind"],
                "metadata": { "allOf": [reference(&format!("{META}.ListMeta"))] },
                "items": { "type": "array", "items": reference(&self.schema) },
            },
            "x-kubernetes-group-version-kind": [list_kind],
        });
        schemas.insert(self.schema.clone(), own);
        schemas.insert(self.list_schema.clone(), list);
    }

    fn add_paths(&self, paths: &mut Map<String, Value>) {
        let definition = &self.version.definition;
        let root = format!("/apis/{}/{}", definition.group, self.version.name);
        let plural = &definition.names.plural;
        let collection = match definition.is_namespaced {
            true => {
                let all = json!({ "get": self.operation("list", &self.list_schema, LIST_PARAMETERS, None) });
                paths.insert(format!("{root}/{plural}"), all);
                format!("{root}/namespaces/{{namespace}}/{plural}")
            }
            false => format!("{root}/{plural}"),
        };
        let object = format!("{collection}/{{name}}");
        paths.insert(collection, self.with_places(self.collection_operations(), false));
        paths.insert(object.clone(), self.with_places(self.object_operations(true), true));
        if self.version.has_status {
            paths.insert(format!("{object}/status"), self.with_places(self.object_operations(false), true));
        }
        if self.version.scale.is_some() {
            paths.insert(format!("{object}/scale"), self.with_places(self.object_operations(false), true));
        }
    }

    fn with_places(&self, mut operations: Value, is_named: bool) -> Value {
        let place = |name: &str, text: &str| {
            json!({ "name": name, "in": "path", "required": true, "description": text,
                    "schema": { "type": "string", "uniqueItems": true } })
        };
        let mut parameters = Vec::new();
        if is_named {
            parameters.push(place("name", &format!("name of the {}", self.version.definition.names.kind)));
        }
        if self.version.definition.is_namespaced {
            parameters.push(place("namespace", "object name and auth scope, such as for teams and projects"));
        }
        parameters.push(query(&("pretty", "string", "If 'true', then the output is pretty printed.")));
        operations["parameters"] = json!(parameters);
        operations
    }

    fn collection_operations(&self) -> Value {
        let status = format!("{META}.Status");
        json!({
            "get": self.operation("list", &self.list_schema, LIST_PARAMETERS, None),
            "post": self.operation("post", &self.schema, WRITE_PARAMETERS, Some(&self.schema)),
            "delete": self.operation("deletecollection", &status, LIST_PARAMETERS, None),
        })
    }

    fn object_operations(&self, can_delete: bool) -> Value {
        let mut patch = self.operation("patch", &self.schema, WRITE_PARAMETERS, None);
        if let Some(parameters) = patch["parameters"].as_array_mut() {
            parameters.push(query(&FORCE));
        }
        let body = json!({ "schema": reference(&format!("{META}.Patch")) });
        patch["requestBody"]["content"] = json!({
            "application/apply-patch+yaml": body,
            "application/json-patch+json": body,
            "application/merge-patch+json": body,
        });
        let mut operations = json!({
            "get": self.operation("get", &self.schema, &[], None),
            "put": self.operation("put", &self.schema, WRITE_PARAMETERS, Some(&self.schema)),
            "patch": patch,
        });
        if can_delete {
            let options = format!("{META}.DeleteOptions");
            let status = format!("{META}.Status");
            operations["delete"] = self.operation("delete", &status, DELETE_PARAMETERS, Some(&options));
        }
        operations
    }

    fn operation(
        &self,
        action: &str,
        answer: &str,
        parameters: &[(&str, &str, &str)],
        body: Option<&str>,
    ) -> Value {
        let content = |schema: &str| {
            json!({
                "application/json": { "schema": reference(schema) },
                "application/yaml": { "schema": reference(schema) },
            })
        };
        let mut operation = json!({
            "parameters": parameters.iter().map(query).collect::<Vec<_>>(),
            "responses": { "200": { "description": "OK", "content": content(answer) } },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self.kind,
        });
        if let Some(body) = body {
            operation["requestBody"] = json!({ "content": content(body) });
        }
        operation
    }
}

/// Name, type and meaning of query parameters.
type Parameters = &'static [(&'static str, &'static str, &'static str)];

const LIST_PARAMETERS: Parameters = &[
    ("allowWatchBookmarks", "boolean", "Whether the client wants watch events of type BOOKMARK."),
    ("continue", "string", "Where the previous page of the list ended."),
    ("fieldSelector", "string", "Restricts the list by fields of its objects. Defaults to everything."),
    ("labelSelector", "string", "Restricts the list by labels of its objects. Defaults to everything."),
    ("limit", "integer", "The largest number of objects in the answer."),
    ("resourceVersion", "string", "How fresh the answer must be."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Whether a watch begins with the objects that are there."),
    ("timeoutSeconds", "integer", "How long a list or watch may take."),
    ("watch", "boolean", "Whether to send changes as they happen instead of a list."),
];

const WRITE_PARAMETERS: Parameters = &[
    ("dryRun", "string", "With All, nothing is stored."),
    ("fieldManager", "string", "Whom the change is attributed to."),
    ("fieldValidation", "string", "What is done about unknown and duplicate fields: Ignore, Warn or Strict."),
];

const DELETE_PARAMETERS: Parameters = &[
    ("dryRun", "string", "With All, nothing is stored."),
    ("gracePeriodSeconds", "integer", "How long the object gets before it is gone."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];

const FORCE: (&str, &str, &str) = ("force", "boolean", "Whether apply takes over fields of other managers.");

fn query((name, kind, text): &(&str, &str, &str)) -> Value {
    json!({ "name": name, "in": "query", "description": text, "schema": { "type": kind, "uniqueItems": true } })
}
