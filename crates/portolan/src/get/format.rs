//! Output formats of `portolan get`: reads `-o`, and renders objects.

mod columns;
mod path;

use std::fs;

use anyhow::{Context, Result, bail};
use portolan_object::jsonpath::{JsonPath, MissingKeys, Template};
use serde_json::{Value, json};

use columns::CustomColumns;
pub(super) use path::relaxed;

/// Formats that kubectl has and this program does not.
const GO_TEMPLATES: [&str; 6] =
    ["go-template", "go-template-file", "template", "templatefile", "go-template-as-json", "kyaml"];

/// How objects are printed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Format {
    /// A table with the columns of the server.
    Table { wide: bool },
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// KIND/NAME of each object.
    Name,
    /// A JSONPath template.
    JsonPath(Template),
    /// The values of a JSONPath as a JSON list.
    JsonPathAsJson(JsonPath),
    /// A table with columns of the user.
    CustomColumns(CustomColumns),
}

impl Format {
    /// Reads `-o` and `--template`, and the file that they name.
    ///
    /// # Errors
    /// An unknown format, a template that cannot be compiled, a file that cannot be read.
    pub(super) fn read(output: Option<&str>, template: Option<&str>) -> Result<Self> {
        let Some(output) = output else { return Ok(Self::Table { wide: false }) };
        let (name, argument) = match output.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (output, template),
        };
        let wanted = |what: &str| {
            argument
                .filter(|text| !text.is_empty())
                .with_context(|| format!("output format {name:?} needs {what}: -o {name}=…"))
        };
        let plain = |format| match argument {
            Some(_) => bail!("output format {name:?} takes no argument"),
            None => Ok(format),
        };
        match name {
            "wide" => plain(Self::Table { wide: true }),
            "json" => plain(Self::Json),
            "yaml" => plain(Self::Yaml),
            "name" => plain(Self::Name),
            "jsonpath" => Ok(Self::JsonPath(template_of(wanted("a template")?)?)),
            "jsonpath-file" => Ok(Self::JsonPath(template_of(&file(wanted("a file")?)?)?)),
            "jsonpath-as-json" => Ok(Self::JsonPathAsJson(relaxed(wanted("a template")?)?)),
            "custom-columns" => Ok(Self::CustomColumns(CustomColumns::parse(wanted("columns")?)?)),
            "custom-columns-file" => {
                Ok(Self::CustomColumns(CustomColumns::parse_file(&file(wanted("a file")?)?)?))
            }
            name if GO_TEMPLATES.contains(&name) => bail!(
                "output format {name:?} is not supported: use jsonpath or custom-columns, or kubectl on one cluster"
            ),
            name => bail!(
                "unknown output format {name:?}; known are wide, json, yaml, name, jsonpath, jsonpath-as-json, \
                 jsonpath-file, custom-columns and custom-columns-file"
            ),
        }
    }

    /// Whether the server's tables are printed.
    pub(super) fn is_table(&self) -> bool {
        matches!(self, Self::Table { .. })
    }

    /// Renders objects that the server sent. `is_single` if one object was asked for, which is printed without a list.
    ///
    /// # Errors
    /// If the template does not fit the objects.
    pub(super) fn render(
        &self,
        mut objects: Vec<Value>,
        is_single: bool,
        has_heading: bool,
    ) -> Result<String> {
        match self {
            Self::Table { .. } => bail!("tables are rendered from the server's columns"),
            Self::Name => Ok(objects.iter().map(|object| name_line(object) + "\n").collect()),
            Self::CustomColumns(columns) => Ok(columns.render(&objects, has_heading)),
            document => {
                let value = match objects.pop() {
                    Some(only) if is_single && objects.is_empty() => only,
                    last => {
                        objects.extend(last);
                        list(objects)
                    }
                };
                document.render_document(&value)
            }
        }
    }

    fn render_document(&self, value: &Value) -> Result<String> {
        match self {
            Self::Yaml => Ok(serde_saphyr::to_string(value)?),
            Self::JsonPath(template) => {
                template.render(value, MissingKeys::Skip).context("error executing jsonpath")
            }
            Self::JsonPathAsJson(path) => {
                let found = path.evaluate(value, MissingKeys::Skip).context("error executing jsonpath")?;
                Ok(serde_json::to_string_pretty(&found)? + "\n")
            }
            _ => Ok(serde_json::to_string_pretty(value)? + "\n"),
        }
    }
}

fn template_of(text: &str) -> Result<Template> {
    // kubectl adds braces to a path without them.
    let text = if text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
    Template::parse(&text).with_context(|| format!("error parsing jsonpath {text}"))
}

fn file(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn list(items: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": items })
}

/// `deployment.apps/web`.
fn name_line(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let api_version = text(&object["apiVersion"]);
    let group = api_version.split_once('/').map(|(group, _)| group).unwrap_or_default();
    let kind = crate::kinds::prefix(&text(&object["kind"]), group);
    format!("{kind}/{}", text(&object["metadata"]["name"]))
}

#[cfg(test)]
mod tests;
