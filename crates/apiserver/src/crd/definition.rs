//! A CustomResourceDefinition, parsed and compiled.

use std::sync::Arc;

use jiff::Timestamp;
use portolan_object::schema::structural::{self, Structural};
use portolan_object::schema::{self, Node, Schema, SchemaSet};
use portolan_object::{FieldError, GroupVersionKind, Status};
use portolan_store::Revision;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::columns::{self, Column};
use crate::kinds::PART_VERBS;
use crate::resources::{Part, Resource, by_version};

/// What all versions of a custom resource share.
#[derive(Debug)]
pub struct Definition {
    /// The definition itself.
    pub source: Arc<Value>,
    /// API group.
    pub group: String,
    /// The accepted names.
    pub names: Names,
    /// Whether objects live in a namespace.
    pub is_namespaced: bool,
    /// The version in which objects are stored.
    pub storage_version: String,
    /// Objects that were written up to here may differ from what the schema says today.
    pub since: Revision,
    /// Whether the definition is being deleted.
    pub is_terminating: bool,
    /// Cancelled when the definition changes or goes; ends the watches of its resources.
    pub retired: CancellationToken,
}

/// The names of a custom resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Name in paths.
    pub plural: String,
    /// Name of one object in commands.
    pub singular: String,
    /// Kind of objects.
    pub kind: String,
    /// Kind of lists.
    pub list_kind: String,
    /// Abbreviations.
    pub short_names: Vec<String>,
    /// Groups of resources for commands.
    pub categories: Vec<String>,
}

/// A version of a custom resource.
#[derive(Debug)]
pub struct CustomVersion {
    /// What it shares with the other versions.
    pub definition: Arc<Definition>,
    /// Such as `v1alpha1`.
    pub name: String,
    /// Whether requests are answered in this version.
    pub is_served: bool,
    /// Whether `status` is a part of its own.
    pub has_status: bool,
    /// Where replicas are, if the resource can be scaled.
    pub scale: Option<Scale>,
    /// The warning that comes with every request, if the version is deprecated.
    pub deprecation: Option<String>,
    schema: Structural,
    columns: Vec<Column>,
    /// Fields that selectors may name, such as `spec.color`.
    selectable: Vec<String>,
}

/// Where the replicas of a custom resource are, as JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// `specReplicasPath`.
    pub replicas: String,
    /// `statusReplicasPath`.
    pub status_replicas: String,
    /// `labelSelectorPath`.
    pub selector: Option<String>,
}

/// How long a definition's watchers are told, and since when its schema holds.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// See [`Definition::since`].
    pub(crate) since: Revision,
    /// See [`Definition::retired`].
    pub(crate) retired: CancellationToken,
}

impl CustomVersion {
    /// All versions of a definition, served or not.
    pub(crate) fn list(definition: &Arc<Value>, term: &Term) -> Vec<Arc<Self>> {
        let spec = &definition["spec"];
        let shared = Arc::new(Definition {
            source: Arc::clone(definition),
            group: text(spec, "group"),
            names: Names::parse(&definition["status"]["acceptedNames"]),
            is_namespaced: spec["scope"] == "Namespaced",
            storage_version: super::strategy::storage_version(definition).unwrap_or_default(),
            since: term.since,
            is_terminating: definition["metadata"]["deletionTimestamp"].is_string(),
            retired: term.retired.clone(),
        });
        let versions = spec["versions"].as_array().into_iter().flatten();
        versions.map(|version| Arc::new(Self::parse(&shared, spec, version))).collect()
    }

    fn parse(definition: &Arc<Definition>, spec: &Value, version: &Value) -> Self {
        let parts = &version["subresources"];
        let selectable = version["selectableFields"].as_array().into_iter().flatten();
        Self {
            definition: Arc::clone(definition),
            name: text(version, "name"),
            is_served: version["served"] == true && is_convertible(spec, version),
            schema: compile(&version["schema"]["openAPIV3Schema"]),
            has_status: parts["status"].is_object(),
            scale: Scale::parse(&parts["scale"]),
            deprecation: deprecation(definition, spec, version),
            columns: Column::list(version),
            selectable: selectable
                .map(|field| text(field, "jsonPath").trim_start_matches('.').to_owned())
                .collect(),
        }
    }

    /// The subresources of the version.
    pub(crate) fn parts(&self, kind: &GroupVersionKind) -> Vec<Part> {
        let scale = self.scale.as_ref().map(|_| Part {
            name: "scale",
            kind: GroupVersionKind::new("autoscaling", "v1", "Scale"),
            is_foreign: true,
            verbs: PART_VERBS,
        });
        let status = Part { name: "status", kind: kind.clone(), is_foreign: false, verbs: PART_VERBS };
        self.has_status.then_some(status).into_iter().chain(scale).collect()
    }

    /// The compiled schema.
    pub fn schema(&self) -> Schema<'_> {
        self.schema.schema()
    }

    /// Whether objects are stored in this version.
    pub fn is_storage(&self) -> bool {
        self.definition.storage_version == self.name
    }

    /// Whether an object was written under an older schema.
    pub fn is_outdated(&self, modified: Revision) -> bool {
        modified < self.definition.since
    }

    /// Turns a stored object into one of this version. What was written under an older schema gets today's defaults,
    /// and loses what is unknown today.
    pub(crate) fn from_stored(&self, object: &mut Value, modified: Revision) {
        object["apiVersion"] = Value::from(format!("{}/{}", self.definition.group, self.name));
        if self.is_outdated(modified) {
            schema::prune(object, self.schema());
            self.default(object);
        }
    }

    /// Fills in the defaults of the schema.
    pub(crate) fn default(&self, object: &mut Value) {
        schema::default(object, self.schema());
    }

    /// Everything that is wrong with an object by the schema.
    pub(crate) fn faults(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut faults = match old {
            Some(old) => schema::validate_update(object, old, self.schema()),
            None => schema::validate(object, self.schema()),
        };
        if let Some(scale) = &self.scale {
            let replicas = object.pointer(&scale.replicas);
            if let Some(negative) = replicas.filter(|value| value.as_i64().is_some_and(|count| count < 0)) {
                let field = scale.replicas.replace('/', ".");
                faults.push(FieldError::invalid(field, negative, "should be a non-negative integer"));
            }
        }
        faults
    }

    /// Checks that objects may be created.
    ///
    /// # Errors
    /// 403 while the definition is being deleted.
    pub(crate) fn admit_creation(&self, resource: &Resource, name: &str) -> Result<(), Status> {
        match self.definition.is_terminating {
            true => {
                let cause = "create not allowed while custom resource definition is terminating";
                Err(resource.forbidden(name, cause))
            }
            false => Ok(()),
        }
    }

    /// Whether selectors may name a field.
    pub(crate) fn is_selectable(&self, field: &str) -> bool {
        self.selectable.iter().any(|known| known == field)
    }

    /// The value of a selectable field, as selectors see it.
    pub(crate) fn selectable_value(&self, field: &str, object: &Value) -> String {
        match field.split('.').try_fold(object, |value, member| value.get(member)) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            _ => String::new(),
        }
    }

    /// The `columnDefinitions` of a table.
    pub(crate) fn columns(&self) -> Vec<Value> {
        columns::definitions(&self.columns)
    }

    /// The cells of an object.
    pub(crate) fn row(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        columns::row(&self.columns, object, now)
    }
}

impl Names {
    fn parse(names: &Value) -> Self {
        let list = |member: &str| {
            let list = names[member].as_array().into_iter().flatten().filter_map(Value::as_str);
            list.map(str::to_owned).collect()
        };
        Self {
            plural: text(names, "plural"),
            singular: text(names, "singular"),
            kind: text(names, "kind"),
            list_kind: text(names, "listKind"),
            short_names: list("shortNames"),
            categories: list("categories"),
        }
    }
}

impl Scale {
    fn parse(scale: &Value) -> Option<Self> {
        let pointer = |member: &str| {
            let path = scale[member].as_str().filter(|path| !path.is_empty())?;
            Some(path.replace('.', "/"))
        };
        Some(Self {
            replicas: pointer("specReplicasPath")?,
            status_replicas: pointer("statusReplicasPath")?,
            selector: pointer("labelSelectorPath"),
        })
    }
}

/// What a client of a deprecated version is told: the author's words, or which version to use instead.
fn deprecation(definition: &Definition, spec: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(own) = version["deprecationWarning"].as_str() {
        return Some(own.to_owned());
    }
    let (group, kind, name) = (&definition.group, &definition.names.kind, text(version, "name"));
    let all = spec["versions"].as_array().into_iter().flatten();
    let usable = all.filter(|other| other["served"] == true && other["deprecated"] != true);
    let mut better: Vec<String> =
        usable.map(|other| text(other, "name")).filter(|other| by_version(other, &name).is_lt()).collect();
    better.sort_by(|a, b| by_version(a, b));
    let instead = better.first().map(|better| format!("; use {group}/{better} {kind}")).unwrap_or_default();
    Some(format!("{group}/{name} {kind} is deprecated{instead}"))
}

/// Without calling a webhook, only the stored version can be shown.
fn is_convertible(spec: &Value, version: &Value) -> bool {
    spec["conversion"]["strategy"] != "Webhook" || version["storage"] == true
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// Compiles a schema. One that the validation of definitions would have refused prunes and checks nothing, so that
/// objects stored under it are not lost.
fn compile(openapi: &Value) -> Structural {
    structural::compile(openapi, "").unwrap_or_else(|_| {
        let mut set = SchemaSet::default();
        let root = set.push(Node { preserve_unknown: true, ..Node::default() });
        Structural { set, root, warnings: Vec::new() }
    })
}
