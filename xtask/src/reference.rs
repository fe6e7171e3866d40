//! `cargo xtask reference`: the fields of every kind of the federation as pages, from the types in `crates/api`.

use serde_json::Value;

use crate::fields::{Field, fields};
use crate::generated::Generated;

const NOTE: &str =
    "<!-- Generated from the types in crates/api by `cargo xtask reference`; do not edit. -->\n";

/// The files of `docs/reference`, one page per kind and an index.
pub(crate) fn generated() -> Generated {
    Generated { folder: "docs/reference", command: "cargo xtask reference", files: pages() }
}

/// File names and texts.
fn pages() -> Vec<(String, String)> {
    let mut definitions = portolan_api::crd::all();
    definitions.sort_by_key(|definition| {
        (text(&definition["spec"]["group"]).to_owned(), text(&definition["spec"]["names"]["kind"]).to_owned())
    });
    let mut index =
        format!("{NOTE}# Fields of every kind\n\n| group | kind | what it is |\n| --- | --- | --- |\n");
    let mut pages = Vec::new();
    for definition in &definitions {
        let spec = &definition["spec"];
        let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
        let name = format!("{}.md", kind.to_lowercase());
        let description = text(&schema(definition)["description"]);
        index += &format!("| `{group}` | [{kind}]({name}) | {} |\n", cell(description));
        pages.push((name, page(definition)));
    }
    pages.push(("README.md".to_owned(), index));
    pages
}

fn page(definition: &Value) -> String {
    let spec = &definition["spec"];
    let kind = text(&spec["names"]["kind"]);
    let versions: Vec<&str> = list(&spec["versions"]).iter().map(|version| text(&version["name"])).collect();
    let short: Vec<&str> = list(&spec["names"]["shortNames"]).iter().map(text).collect();
    let mut page = format!("{NOTE}# {kind}\n\n{}\n\n", text(&schema(definition)["description"]));
    page += &format!(
        "Group `{}`, version {}, {}; resource `{}`",
        text(&spec["group"]),
        versions.iter().map(|version| format!("`{version}`")).collect::<Vec<_>>().join(" and "),
        if spec["scope"] == "Namespaced" { "in a namespace" } else { "cluster-scoped" },
        text(&spec["names"]["plural"]),
    );
    if !short.is_empty() {
        page += &format!(" (short: `{}`)", short.join("`, `"));
    }
    page += ".\n\n| field | type | meaning |\n| --- | --- | --- |\n";
    for field in fields(schema(definition)) {
        page += &row(&field);
    }
    page
}

fn row(field: &Field<'_>) -> String {
    let mut kind = type_name(field.schema);
    if field.is_required {
        kind += ", required";
    }
    let mut meaning = cell(text(&field.schema["description"]));
    let values: Vec<String> =
        list(&field.schema["enum"]).iter().map(|value| format!("`{}`", plain(value))).collect();
    if !values.is_empty() {
        meaning += &format!(" One of {}.", values.join(", "));
    }
    match field.schema.get("default") {
        Some(Value::Object(_) | Value::Array(_)) | None => {}
        Some(default) => meaning += &format!(" Default: `{}`.", plain(default)),
    }
    format!("| `{}` | {kind} | {} |\n", field.path, meaning.trim())
}

/// The type of a field, in the words of the Kubernetes API reference.
fn type_name(schema: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    match text(&schema["type"]) {
        "array" => format!("list of {}", type_name(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_name(&schema["additionalProperties"]))
        }
        "" => "any".to_owned(),
        other => other.to_owned(),
    }
}

/// The schema of the stored version.
fn schema(definition: &Value) -> &Value {
    let versions = list(&definition["spec"]["versions"]);
    let stored = versions.iter().find(|version| version["storage"] == true).unwrap_or(&Value::Null);
    &stored["schema"]["openAPIV3Schema"]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A scalar without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text in a cell of a table: on one line, without column separators.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_row_for_each_field() {
        let pages = pages();
        let (_, policy) = pages.iter().find(|(name, _)| name == "propagationpolicy.md").expect("its page");
        for row in [
            "| `spec.placement.clusterAffinity.clusterNames` | list of string |",
            "| `spec.conflictResolution` | string |",
            "One of `Abort`, `Overwrite`. Default: `Abort`.",
        ] {
            assert!(policy.contains(row), "{row} is missing in:\n{policy}");
        }
    }

    #[test]
    fn the_committed_pages_are_up_to_date() {
        generated().check().unwrap();
    }
}
