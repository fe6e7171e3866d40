//! The resources that are served: built-in ones from [`crate::kinds`], custom ones from their definitions.
//!
//! A [`Resource`] is one plural in one version with everything that handlers ask of it; whether it is built in or
//! custom shows only where the two really differ. All resources of one moment form a [`Snapshot`], which requests
//! hold on to while definitions come and go.

mod registry;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use portolan_object::schema::Schema;
use portolan_object::{FieldError, GroupVersionKind, Status, builtin};
use portolan_store::Versioned;
use serde_json::Value;

use crate::crd::CustomVersion;
use crate::kinds::core::PROXY_VERBS;
use crate::kinds::{BuiltinKind, Generation, NameRule, ServedSubresource, StatusRule, Strategy};
use crate::proxy::Announced;
use crate::record::{self, Change, Opening, Record};

pub use registry::{Group, Registry, RemoteVersion, Snapshot, Version};

/// One resource in one version.
#[derive(Debug)]
pub struct Resource {
    /// Group, version and kind of its objects.
    pub kind: GroupVersionKind,
    /// Name in paths.
    pub plural: String,
    /// Name of one object in commands.
    pub singular: String,
    /// Kind of a list.
    pub list_kind: String,
    /// Abbreviations.
    pub short_names: Vec<String>,
    /// Groups of resources for commands.
    pub categories: Vec<String>,
    /// Whether objects live in a namespace.
    pub is_namespaced: bool,
    /// Verbs in discovery order.
    pub verbs: &'static [&'static str],
    /// Subresources, in discovery order.
    pub subresources: Vec<ServedSubresource>,
    /// Rules for writing objects.
    pub rules: Rules,
    /// Origin of the resource.
    pub source: Source,
    /// Keys of its objects start with this; ends with a slash.
    prefix: String,
    /// `{"kind":...,"apiVersion":...,` of this version.
    opening: String,
    /// Openings of the version that is stored, for new and for changed objects.
    stored: [Arc<Opening>; 2],
    /// The schema of a built-in kind.
    builtin_schema: Option<Schema<'static>>,
}

/// Rules for writing objects of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// When `metadata.generation` grows.
    pub generation: Generation,
    /// Rule for `metadata.name`.
    pub names: NameRule,
    /// A PUT of a missing object creates it.
    pub create_on_update: bool,
    /// A PUT without resourceVersion is refused.
    pub update_requires_version: bool,
    /// DELETE answers with the object even when it is gone.
    pub delete_returns_object: bool,
    /// Rule for writing `status`.
    pub status: StatusRule,
}

/// Origin of a resource.
#[derive(Debug, Clone)]
pub enum Source {
    /// The table of built-in resources.
    Builtin(&'static BuiltinKind),
    /// A CustomResourceDefinition.
    Custom(Arc<CustomVersion>),
}

const ENDPOINTS_DEPRECATION: &str =
    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

impl Resource {
    /// A resource of the built-in registry.
    pub fn builtin(definition: &'static BuiltinKind) -> Self {
        let entry = &definition.resource;
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let kind = GroupVersionKind::new(entry.group, entry.version, entry.kind);
        let stored = &definition.stored_version().resource;
        let storage_group = if stored.group.is_empty() { CORE } else { stored.group };
        Self {
            plural: entry.plural.to_owned(),
            singular: entry.singular.to_owned(),
            list_kind: format!("{}List", entry.kind),
            short_names: owned(entry.short_names),
            categories: owned(entry.categories),
            is_namespaced: entry.namespaced,
            verbs: entry.verbs,
            subresources: entry
                .subresources
                .iter()
                .map(|entry| ServedSubresource::builtin(entry, &kind))
                .collect(),
            rules: Rules {
                generation: definition.generation,
                names: definition.names,
                create_on_update: entry.create_on_update,
                update_requires_version: entry.update_requires_version,
                delete_returns_object: entry.delete_returns_object,
                status: definition.status,
            },
            source: Source::Builtin(definition),
            prefix: format!("{storage_group}/{}/", entry.plural),
            opening: record::object_opening(&kind.api_version(), &kind.kind),
            stored: openings(
                &GroupVersionKind::new(stored.group, stored.version, stored.kind).api_version(),
                stored.kind,
            ),
            builtin_schema: builtin::schema(&kind),
            kind,
        }
    }

    /// A version of a custom resource.
    pub fn custom(version: Arc<CustomVersion>) -> Self {
        let definition = &version.definition;
        let kind = GroupVersionKind::new(&definition.group, &version.name, &definition.names.kind);
        let stored = GroupVersionKind::new(&definition.group, &definition.storage_version, &kind.kind);
        let names = &definition.names;
        Self {
            plural: names.plural.clone(),
            singular: names.singular.clone(),
            list_kind: names.list_kind.clone(),
            short_names: names.short_names.clone(),
            categories: names.categories.clone(),
            is_namespaced: definition.is_namespaced,
            verbs: CUSTOM_VERBS,
            subresources: version.subresources(&kind),
            rules: Rules {
                generation: Generation::ContentAndLabels,
                names: NameRule::Subdomain,
                create_on_update: false,
                update_requires_version: true,
                delete_returns_object: false,
                status: if version.has_status { StatusRule::DroppedOnCreate } else { StatusRule::None },
            },
            prefix: format!("{}/{}/", definition.group, names.plural),
            opening: record::object_opening(&kind.api_version(), &kind.kind),
            stored: openings(&stored.api_version(), &stored.kind),
            source: Source::Custom(version),
            builtin_schema: None,
            kind,
        }
    }

    /// Lists those of the subresources that belong to this resource, before its own.
    fn announce(&mut self, announced: &[Announced]) {
        let own = announced.iter().filter(|one| one.group == self.kind.group && one.resource == self.plural);
        let own: Vec<ServedSubresource> = own
            .map(|one| ServedSubresource {
                name: one.subresource,
                kind: self.kind.group_version().kind(one.kind),
                is_foreign: false,
                verbs: PROXY_VERBS,
            })
            .collect();
        self.subresources.splice(..0, own);
    }

    /// The custom version behind the resource, if it is one.
    pub fn as_custom(&self) -> Option<&CustomVersion> {
        match &self.source {
            Source::Custom(version) => Some(version),
            Source::Builtin(_) => None,
        }
    }

    /// The warning that every request gets, for a version that should no longer be used.
    pub(crate) fn deprecation(&self) -> Option<&str> {
        match &self.source {
            Source::Builtin(_) if self.is("", "endpoints") => Some(ENDPOINTS_DEPRECATION),
            Source::Builtin(_) => None,
            Source::Custom(version) => version.deprecation.as_deref(),
        }
    }

    /// The kind in the version in which its objects are stored.
    pub(crate) fn stored_kind(&self) -> GroupVersionKind {
        match &self.source {
            Source::Builtin(kind) => {
                let stored = &kind.stored_version().resource;
                GroupVersionKind::new(stored.group, stored.version, stored.kind)
            }
            Source::Custom(version) => {
                let definition = &version.definition;
                GroupVersionKind::new(&definition.group, &definition.storage_version, &self.kind.kind)
            }
        }
    }

    /// The rules for its objects.
    pub fn strategy(&self) -> &dyn Strategy {
        match &self.source {
            Source::Builtin(kind) => *kind,
            Source::Custom(version) => &**version,
        }
    }

    /// The schema of its objects.
    pub fn schema(&self) -> Option<Schema<'_>> {
        match &self.source {
            Source::Builtin(_) => self.builtin_schema,
            Source::Custom(version) => Some(version.schema()),
        }
    }

    /// Whether this is the built-in resource of a group, whatever its version.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        matches!(self.source, Source::Builtin(_)) && self.kind.group == group && self.plural == plural
    }

    /// A subresource by name.
    pub fn subresource(&self, name: &str) -> Option<&ServedSubresource> {
        self.subresources.iter().find(|entry| entry.name == name)
    }

    /// Whether `status` is a subresource.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether a verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    /// The store's key of an object.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        format!("{}{name}", self.collection(namespace))
    }

    /// Key prefix of the objects of a namespace, or of all objects when `namespace` is empty.
    pub fn collection(&self, namespace: &str) -> String {
        match namespace {
            "" => self.prefix.clone(),
            _ if self.is_namespaced => format!("{}{namespace}/", self.prefix),
            _ => self.prefix.clone(),
        }
    }

    /// Namespace and name from a key.
    pub fn locate<'k>(&self, key: &'k str) -> (&'k str, &'k str) {
        let rest = key.strip_prefix(&self.prefix).unwrap_or(key);
        rest.split_once('/').unwrap_or(("", rest))
    }

    /// JSON that every object of this version starts with.
    pub fn opening(&self) -> &str {
        &self.opening
    }

    /// Encodes an object of the stored version for the store.
    pub fn encode(&self, change: Change, stored: &Value) -> Record {
        let opening = match change {
            Change::Added => &self.stored[0],
            Change::Modified => &self.stored[1],
        };
        Record::new(Arc::clone(opening), stored)
    }

    /// Whether records hold objects as this version shows them, kind and apiVersion included.
    pub fn shows_stored(&self, item: &Versioned<Record>) -> bool {
        self.strategy().shows_stored_object(item.modified)
    }

    /// The fields of an object in this version: `"metadata":{...},...}`.
    pub fn object_fields(&self, item: &Versioned<Record>) -> Bytes {
        let is_stored_form = self.strategy().shows_stored_fields(item.modified);
        if is_stored_form {
            item.value.object_fields()
        } else {
            record::encode_object_fields(&self.value(item))
        }
    }

    /// An encoded object in this version.
    pub fn object(&self, item: &Versioned<Record>) -> Bytes {
        if self.shows_stored(item) {
            return item.value.object();
        }
        let fields = self.object_fields(item);
        let mut bytes = Vec::with_capacity(self.opening.len() + fields.len());
        bytes.extend_from_slice(self.opening.as_bytes());
        bytes.extend_from_slice(&fields);
        Bytes::from(bytes)
    }

    /// An object in this version, as a tree.
    pub fn value(&self, item: &Versioned<Record>) -> Value {
        let mut value = item.value.value();
        self.strategy().convert_from_stored(&mut value, item.modified);
        value
    }

    /// Turns an object of this version into the stored one.
    pub fn stored<'v>(&self, value: &'v Value) -> Cow<'v, Value> {
        self.strategy().convert_to_stored(value)
    }

    /// The name that errors of upstream give to its Go type for a kind.
    pub(crate) fn go_type(&self, kind: &str) -> String {
        match &self.source {
            Source::Builtin(_) => {
                let package = self.kind.group.split('.').next().filter(|group| !group.is_empty());
                format!("*{}.{kind}", package.unwrap_or("core"))
            }
            Source::Custom(_) if kind == self.list_kind => "*unstructured.UnstructuredList".to_owned(),
            Source::Custom(_) => "*unstructured.Unstructured".to_owned(),
        }
    }

    /// 404 for one object.
    pub fn not_found(&self, name: &str) -> Status {
        Status::not_found(&self.kind.group, &self.plural, name)
    }

    /// 409 for an object that is already there.
    pub fn already_exists(&self, name: &str) -> Status {
        Status::already_exists(&self.kind.group, &self.plural, name)
    }

    /// 409 for a lost race or a failed precondition.
    pub fn conflict(&self, name: &str, cause: &str) -> Status {
        Status::conflict(&self.kind.group, &self.plural, name, cause)
    }

    /// 403 for one object, or for the collection when `name` is empty.
    pub fn forbidden(&self, name: &str, cause: &str) -> Status {
        Status::forbidden(&self.kind.group, &self.plural, name, cause)
    }

    /// 422 listing every error.
    pub fn invalid(&self, name: &str, errors: &[FieldError]) -> Status {
        Status::invalid(&self.kind.group, &self.kind.kind, name, errors)
    }
}

/// Name of the core group in keys. Other groups cannot have it: names of custom groups contain a dot.
const CORE: &str = "core";

/// Verbs of custom resources, in the order that upstream lists them.
const CUSTOM_VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

fn openings(api_version: &str, kind: &str) -> [Arc<Opening>; 2] {
    [Change::Added, Change::Modified].map(|change| {
        let opening = Opening::new(api_version, kind, change);
        Arc::new(
            opening.expect("kinds have at most 63 bytes and groups at most 253: definitions are validated"),
        )
    })
}
