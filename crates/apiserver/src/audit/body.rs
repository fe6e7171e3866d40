//! Bodies as the log records them: as JSON, whatever they were sent in.

use bytes::Bytes;
use portolan_object::{proto, yaml};
use serde_json::Value;

/// The value of a body with a `Content-Type`; `None` if it is not what it says.
pub(super) fn recorded(content_type: &str, body: &Bytes) -> Option<Value> {
    if content_type.contains("protobuf") {
        return proto::decode(body).ok();
    }
    // JSON is YAML, and its parser is faster.
    let as_json = serde_json::from_slice(body).ok();
    as_json.or_else(|| {
        let text = content_type.contains("yaml").then(|| std::str::from_utf8(body).ok())??;
        yaml::read_document(text).ok().map(|document| document.value)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_recorded_as_json() {
        let cases: [(&str, &[u8], Option<Value>); 8] = [
            ("application/json", br#"{"a":1}"#, Some(json!({ "a": 1 }))),
            ("", br#"{"a":1}"#, Some(json!({ "a": 1 }))),
            ("application/json-patch+json", b"[]", Some(json!([]))),
            ("application/yaml", b"a: [1, b]\n", Some(json!({ "a": [1, "b"] }))),
            ("application/apply-patch+yaml", br#"{"a":1}"#, Some(json!({ "a": 1 }))),
            ("application/json", b"a: 1", None),
            ("application/yaml", b"a: [", None),
            ("application/vnd.kubernetes.protobuf", b"no", None),
        ];
        for (content_type, body, want) in cases {
            assert_eq!(recorded(content_type, &Bytes::copy_from_slice(body)), want, "{content_type}");
        }
    }
}
