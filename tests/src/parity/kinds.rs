//! The kinds of the generated cases.

use serde_json::{Value, json};

use super::NAMESPACE;

/// One kind with an object of it.
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) is_namespaced: bool,
    /// Name of the objects, for kinds that have rules for it.
    pub(super) object_name: &'static str,
    /// The fields besides apiVersion, kind and metadata.
    pub(super) content: Value,
}

impl Kind {
    /// Path of the collection.
    pub(super) fn collection(&self) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        let namespace = if self.is_namespaced { format!("/namespaces/{NAMESPACE}") } else { String::new() };
        format!("{root}/{}{namespace}/{}", self.version, self.plural)
    }

    /// The object.
    pub(super) fn object(&self) -> Value {
        let mut object = self.content.clone();
        object["apiVersion"] = match self.group {
            "" => json!(self.version),
            group => json!(format!("{group}/{}", self.version)),
        };
        object["kind"] = json!(self.kind);
        object["metadata"] = json!({ "name": self.object_name, "labels": { "a": "b" } });
        object
    }
}

/// The table below, one kind a line: group/version, kind, plural, `namespaced` or `cluster`, name, content.
const TABLE: &str = include_str!("kinds.tsv");

/// All kinds.
pub(super) fn all() -> Vec<Kind> {
    let rows = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| {
        let fields: Vec<&'static str> = row.splitn(6, '\t').collect();
        let [group_version, kind, plural, scope, object_name, content] = fields[..] else {
            panic!("six fields separated by tabs: {row}")
        };
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        let content = serde_json::from_str(content).unwrap_or_else(|error| panic!("{kind}: {error}"));
        Kind { group, version, kind, plural, is_namespaced: scope == "namespaced", object_name, content }
    })
    .collect()
}
