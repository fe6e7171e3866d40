//! Changes inside a field that contains JSON or YAML as text, such as a file in a ConfigMap.

use portolan_api::policy::{FieldOverrider, FieldPatch};
use portolan_object::{Object, yaml};
use serde_json::Value;

use super::{OverrideFault, patch};

/// Parses the text, applies the patches, and writes it back; YAML wins when both are given.
pub(super) fn apply(overrider: &FieldOverrider, object: &mut Object) -> Result<(), OverrideFault> {
    let path = &overrider.field_path;
    let missing = || OverrideFault::NoSuchPath { operator: "change", path: path.clone() };
    let field = object.0.pointer_mut(path).ok_or_else(missing)?;
    let Value::String(text) = field else {
        return Err(OverrideFault::WrongType { path: path.clone(), wanted: "a string" });
    };
    let is_yaml = !overrider.yaml.is_empty();
    let format = if is_yaml { "YAML" } else { "JSON" };
    let unreadable = |cause: String| OverrideFault::UnreadableText { path: path.clone(), format, cause };
    let mut content = if is_yaml {
        yaml::parse_documents(text)
            .map_err(|error| unreadable(error.to_string()))?
            .into_iter()
            .next()
            .unwrap_or_default()
    } else {
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?
    };
    let patches: &[FieldPatch] = if is_yaml { &overrider.yaml } else { &overrider.json };
    for FieldPatch { sub_path, operator, value } in patches {
        patch(&mut content, sub_path, *operator, value.as_ref())?;
    }
    *text = if is_yaml { yaml::to_string(&content) } else { content.to_string() };
    Ok(())
}
