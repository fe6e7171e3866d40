//! CustomResourceDefinitions of a server: the kinds that they establish, and a cache without their schemas.

use portolan_api::resources;
use portolan_object::{GroupKind, Object};
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member, Resource};
use serde_json::{Value, json};

/// The CustomResourceDefinitions of a member, trimmed to the fields that controllers read. Callers share one cache.
pub(crate) fn definition_cache(member: &Member) -> Cache<Object> {
    let resource = Resource::from(resources::CUSTOM_RESOURCE_DEFINITION);
    member.cache(&resource, Selection::all(), |builder| builder.trim(trim_definition), |_| {})
}

/// The kind of a CustomResourceDefinition with condition `Established`; `None` without it and during deletion.
pub(crate) fn established_kind(definition: &Object) -> Option<GroupKind> {
    let conditions = definition.at(&["status", "conditions"]).and_then(Value::as_array);
    let is_established = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
    (is_established && !definition.is_deleting()).then(|| GroupKind {
        group: definition.str_at(&["spec", "group"]).to_owned(),
        kind: definition.str_at(&["spec", "names", "kind"]).to_owned(),
    })
}

/// Keeps group, kind, versions, labels and conditions. Schemas are large, and no controller reads them.
fn trim_definition(definition: &mut Object) {
    let group = definition.str_at(&["spec", "group"]).to_owned();
    let kind = definition.str_at(&["spec", "names", "kind"]).to_owned();
    let conditions = definition.at(&["status", "conditions"]).cloned().unwrap_or_default();
    let mut kept = Object::new(&definition.group_version_kind(), &definition.key());
    let versions = definition.at(&["spec", "versions"]).and_then(Value::as_array).into_iter().flatten();
    let versions: Value =
        versions.map(|version| json!({ "name": version["name"], "served": version["served"] })).collect();
    kept.0["spec"] = json!({ "group": group, "names": { "kind": kind }, "versions": versions });
    definition.labels().into_iter().for_each(|(label, value)| kept.set_label(&label, value));
    kept.0["status"] = json!({ "conditions": conditions });
    *definition = kept;
}
