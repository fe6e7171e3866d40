//! CustomResourceDefinitions of a server: the kinds that they establish, and a cache without their schemas.

use portolan_api::kubernetes::{CustomResourceDefinition, View};
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
    let view = CustomResourceDefinition::read(definition).ok()?;
    let is_served = view.is_established() && !definition.is_deleting();
    is_served.then(|| GroupKind { group: view.spec.group.to_owned(), kind: view.spec.names.kind.to_owned() })
}

/// Keeps group, kind, versions, labels and conditions. Schemas are large, and no controller reads them.
fn trim_definition(definition: &mut Object) {
    let conditions = definition.at(&["status", "conditions"]).cloned().unwrap_or_default();
    let mut kept = Object::new(&definition.group_version_kind(), &definition.key());
    let spec = CustomResourceDefinition::read(definition).map(|view| view.spec).unwrap_or_default();
    let versions: Value = spec
        .versions
        .iter()
        .map(|version| json!({ "name": version.name, "served": version.served }))
        .collect();
    kept.0["spec"] =
        json!({ "group": spec.group, "names": { "kind": spec.names.kind }, "versions": versions });
    definition.labels().into_iter().for_each(|(label, value)| kept.set_label(&label, value));
    kept.0["status"] = json!({ "conditions": conditions });
    *definition = kept;
}
