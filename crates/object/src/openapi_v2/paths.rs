//! Paths of OpenAPI v3 in the form of version 2: a parameter has its type beside its name instead of in a schema.
//!
//! kubectl up to 1.26 looks there for what a kind can do: `dryRun` among the parameters of its PATCH operation.

use serde_json::{Value, json};

/// What the parameters are for (k8s.io/apimachinery pkg/apis/meta/v1/types.go). The documents of version 3 do not say.
const DESCRIPTIONS: [(&str, &str); 26] = [
    ("allowWatchBookmarks", "Requests watch events with type \"BOOKMARK\"."),
    ("command", "The remote command to execute: its program and its arguments."),
    ("container", "The container of the pod; needed when the pod has several."),
    ("continue", "The continue token of the page before; for more results of a list."),
    ("dryRun", "When present, indicates that modifications should not be persisted. Valid: All."),
    ("fieldManager", "A name associated with the actor that makes these changes."),
    (
        "fieldSelector",
        "A selector to restrict the list of returned objects by their fields. Defaults to everything.",
    ),
    ("fieldValidation", "What happens to unknown and duplicate fields: Ignore, Warn or Strict."),
    ("follow", "Follow the log stream of the pod."),
    ("force", "Force an apply request: take fields that other managers own."),
    ("gracePeriodSeconds", "The duration in seconds before the object should be deleted."),
    (
        "labelSelector",
        "A selector to restrict the list of returned objects by their labels. Defaults to everything.",
    ),
    (
        "limit",
        "The maximum number of responses to return for a list call; a continue token leads to the others.",
    ),
    ("limitBytes", "The number of bytes to read from the server before the log output ends."),
    ("name", "Name of the object."),
    ("namespace", "Object name and auth scope, such as for teams and projects."),
    ("path", "The part of the URL that is passed on."),
    ("pretty", "If 'true', then the output is pretty printed."),
    ("previous", "Return the logs of the container that was terminated last."),
    (
        "propagationPolicy",
        "Whether and how garbage collection will be performed: Orphan, Background or Foreground.",
    ),
    ("resourceVersion", "The resource version for which the request is answered."),
    ("resourceVersionMatch", "How resourceVersion is applied to list calls: Exact or NotOlderThan."),
    ("sendInitialEvents", "Begin a watch with events for all objects that exist."),
    ("tailLines", "The number of lines from the end of the logs to show."),
    ("timeoutSeconds", "Limits the duration of the call, regardless of any activity or inactivity."),
    (
        "watch",
        "Watch for changes to the described resources and return them as a stream of add, update, and remove notifications.",
    ),
];

/// A path with its operations and the parameters that they share.
pub fn path_item(item: &Value) -> Value {
    let entry = |(key, value): (&String, &Value)| {
        let value = if key == "parameters" { parameters(value) } else { operation(value) };
        (key.clone(), value)
    };
    item.as_object().map_or_else(|| item.clone(), |item| Value::Object(item.iter().map(entry).collect()))
}

fn operation(operation: &Value) -> Value {
    let mut made = operation.clone();
    if let (Some(list), Some(made)) = (operation.get("parameters"), made.as_object_mut()) {
        made.insert("parameters".to_owned(), parameters(list));
    }
    made
}

fn parameters(list: &Value) -> Value {
    list.as_array().into_iter().flatten().map(parameter).collect()
}

fn parameter(parameter: &Value) -> Value {
    let mut made = parameter.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(schema)) = made.remove("schema") {
        made.extend(schema);
    }
    let name = made.get("name").and_then(Value::as_str).unwrap_or_default();
    if let Some((_, description)) = DESCRIPTIONS.iter().find(|(known, _)| *known == name) {
        made.entry("description").or_insert_with(|| json!(description));
    }
    Value::Object(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_their_type_and_a_description() {
        let item = json!({
            "parameters": [{ "in": "path", "name": "name", "required": true, "schema": { "type": "string" } }],
            "patch": { "operationId": "o", "parameters": [
                { "in": "query", "name": "dryRun", "schema": { "type": "string", "uniqueItems": true } },
                { "in": "query", "name": "other", "schema": { "type": "boolean" } } ] },
            "get": { "operationId": "g" },
        });
        let (name, dry_run) = (DESCRIPTIONS[14].1, DESCRIPTIONS[4].1);
        let want = json!({
            "parameters": [{ "in": "path", "name": "name", "required": true, "type": "string", "description": name }],
            "patch": { "operationId": "o", "parameters": [
                { "in": "query", "name": "dryRun", "type": "string", "uniqueItems": true, "description": dry_run },
                { "in": "query", "name": "other", "type": "boolean" } ] },
            "get": { "operationId": "g" },
        });
        assert_eq!(path_item(&item), want);
    }
}
