//! A CustomResourceDefinition, parsed and compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_object::GroupVersionKind;
use portolan_store::Revision;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::columns::Column;
use super::compiled::Compiled;
use super::scale::Scale;
use crate::kinds::{SUBRESOURCE_VERBS, ServedSubresource, by_version};
use crate::tree;

/// Facts that all versions of a custom resource share.
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
    /// The schemas of all versions by name; versions with the same schema share it.
    schemas: BTreeMap<String, Arc<Compiled>>,
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
    /// Facts shared with the other versions.
    pub definition: Arc<Definition>,
    /// Such as `v1alpha1`.
    pub name: String,
    /// Whether requests are answered in this version.
    pub is_served: bool,
    /// Whether `status` is a subresource.
    pub has_status: bool,
    /// Paths of the scale subresource, if the resource has one.
    pub scale: Option<Scale>,
    /// The warning that comes with every request, if the version is deprecated.
    pub deprecation: Option<String>,
    pub(super) schema: Arc<Compiled>,
    pub(super) columns: Vec<Column>,
    /// Fields that selectors may name, such as `spec.color`.
    selectable: Vec<String>,
}

/// Cancellation of a definition's watches, and the revision since which its schema holds.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// See [`Definition::since`].
    pub(crate) since: Revision,
    /// See [`Definition::retired`].
    pub(crate) retired: CancellationToken,
}

impl Definition {
    /// The schema that objects stored in a version were written under.
    pub(super) fn schema_of(&self, version: &str) -> Option<&Arc<Compiled>> {
        self.schemas.get(version).or_else(|| self.schemas.get(&self.storage_version))
    }
}

impl CustomVersion {
    /// All versions of a definition, served or not.
    pub(crate) fn list(definition: &Arc<Value>, term: &Term) -> Vec<Arc<Self>> {
        let spec = &definition["spec"];
        let versions = tree::list(spec, "/versions");
        let shared = Arc::new(Definition {
            source: Arc::clone(definition),
            group: string_field(spec, "group"),
            names: Names::parse(&definition["status"]["acceptedNames"]),
            is_namespaced: spec["scope"] == "Namespaced",
            storage_version: super::strategy::storage_version(definition).unwrap_or_default(),
            since: term.since,
            is_terminating: definition["metadata"]["deletionTimestamp"].is_string(),
            retired: term.retired.clone(),
            schemas: compile(versions),
        });
        versions.iter().map(|version| Arc::new(Self::parse(&shared, spec, version))).collect()
    }

    fn parse(definition: &Arc<Definition>, spec: &Value, version: &Value) -> Self {
        let parts = &version["subresources"];
        let selectable = version["selectableFields"].as_array().into_iter().flatten();
        let name = string_field(version, "name");
        Self {
            definition: Arc::clone(definition),
            schema: definition.schemas.get(&name).cloned().unwrap_or_default(),
            is_served: version["served"] == true && is_convertible(spec, version),
            name,
            has_status: parts["status"].is_object(),
            scale: Scale::parse(&parts["scale"]),
            deprecation: deprecation(definition, spec, version),
            columns: Column::list(version),
            selectable: selectable
                .map(|field| string_field(field, "jsonPath").trim_start_matches('.').to_owned())
                .collect(),
        }
    }

    /// The subresources of the version, in the order that upstream lists them.
    pub(crate) fn subresources(&self, kind: &GroupVersionKind) -> Vec<ServedSubresource> {
        let status = ServedSubresource {
            name: "status",
            kind: kind.clone(),
            is_foreign: false,
            verbs: SUBRESOURCE_VERBS,
        };
        let scale = self.scale.as_ref().map(|_| ServedSubresource {
            name: "scale",
            kind: GroupVersionKind::new("autoscaling", "v1", "Scale"),
            is_foreign: true,
            verbs: SUBRESOURCE_VERBS,
        });
        self.has_status.then_some(status).into_iter().chain(scale).collect()
    }

    /// Whether objects are stored in this version.
    pub fn is_storage(&self) -> bool {
        self.definition.storage_version == self.name
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
}

impl Names {
    fn parse(names: &Value) -> Self {
        let list = |member: &str| {
            let list = names[member].as_array().into_iter().flatten().filter_map(Value::as_str);
            list.map(str::to_owned).collect()
        };
        Self {
            plural: string_field(names, "plural"),
            singular: string_field(names, "singular"),
            kind: string_field(names, "kind"),
            list_kind: string_field(names, "listKind"),
            short_names: list("shortNames"),
            categories: list("categories"),
        }
    }
}

/// Warning for clients of a deprecated version: the author's text, or the version to use instead.
fn deprecation(definition: &Definition, spec: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(own) = version["deprecationWarning"].as_str() {
        return Some(own.to_owned());
    }
    let (group, kind, name) = (&definition.group, &definition.names.kind, string_field(version, "name"));
    let all = spec["versions"].as_array().into_iter().flatten();
    let usable = all.filter(|other| other["served"] == true && other["deprecated"] != true);
    let mut better: Vec<String> = usable
        .map(|other| string_field(other, "name"))
        .filter(|other| by_version(other, &name).is_lt())
        .collect();
    better.sort_by(|a, b| by_version(a, b));
    let instead = better.first().map(|better| format!("; use {group}/{better} {kind}")).unwrap_or_default();
    Some(format!("{group}/{name} {kind} is deprecated{instead}"))
}

/// Without calling a webhook, only the stored version can be shown.
fn is_convertible(spec: &Value, version: &Value) -> bool {
    spec["conversion"]["strategy"] != "Webhook" || version["storage"] == true
}

fn string_field(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn compile(versions: &[Value]) -> BTreeMap<String, Arc<Compiled>> {
    let mut compiled: Vec<(&Value, Arc<Compiled>)> = Vec::new();
    let mut schemas = BTreeMap::new();
    for version in versions {
        let source = &version["schema"]["openAPIV3Schema"];
        let known = compiled.iter().find(|(other, _)| *other == source).map(|(_, schema)| Arc::clone(schema));
        let schema = known.unwrap_or_else(|| Arc::new(Compiled::new(source)));
        compiled.push((source, Arc::clone(&schema)));
        schemas.insert(string_field(version, "name"), schema);
    }
    schemas
}
