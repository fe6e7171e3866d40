//! Small languages in queries, columns and fields: selectors, JSONPath, quantities and schedules.

use portolan_apiserver::fuzzing::read_schedule;
use portolan_object::jsonpath::{JsonPath, MissingKeys, Template};
use portolan_object::quantity::Quantity;
use portolan_object::selector::{FieldSelector, LabelSelector};
use serde_json::json;

/// `labelSelector=…`.
pub(crate) fn label_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(selector) = LabelSelector::parse(text) {
        selector.matches_with(|key| (key == "app").then_some("web"));
    }
}

/// `fieldSelector=…`.
pub(crate) fn field_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(selector) = FieldSelector::parse(text) {
        selector.matches(|field| (field == "metadata.name").then(|| "web".to_owned()));
    }
}

/// A column's path and a template of `kubectl -o jsonpath`.
pub(crate) fn jsonpath(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let object = json!({
        "metadata": { "name": "web", "labels": { "app.kubernetes.io/name": "web" } },
        "spec": { "replicas": 3, "ports": [{ "name": "http", "port": 80 }, { "name": "dns", "port": 53 }] },
    });
    if let Ok(path) = JsonPath::parse(text) {
        path.find(&object);
    }
    if let Ok(template) = Template::parse(text) {
        let _ = template.render(&object, MissingKeys::Skip);
    }
}

/// An amount such as `1.5Gi`.
pub(crate) fn quantity(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let canonical = Quantity::canonical(text);
    assert_eq!(canonical.is_ok(), Quantity::parse(text).is_ok());
    if let Ok(canonical) = canonical {
        assert_eq!(Quantity::canonical(&canonical).as_ref(), Ok(&canonical), "of {text:?}");
    }
}

/// `spec.schedule` of a CronJob.
pub(crate) fn cron_schedule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    read_schedule(text);
}
