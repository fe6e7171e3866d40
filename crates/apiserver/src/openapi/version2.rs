//! OpenAPI v2: one document with the paths and definitions of all kinds, made from the documents of version 3 at the first
//! request.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use portolan_object::{builtin, openapi_v2};
use serde_json::{Value, json};

use super::{Encoded, hash, send};
use crate::respond::Body;

const TITLE: &str = "Kubernetes";
/// The media type in requests. `@` is not valid in the content type of the reply, which has a dot instead.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document of one snapshot, in both encodings.
#[derive(Debug, Default)]
pub(super) struct Version2(OnceLock<Documents>);

#[derive(Debug)]
struct Documents {
    json: Encoded,
    protobuf: Encoded,
}

/// Encoded entries of one part of a document: `"name":{…},` in JSON, messages in protobuf.
#[derive(Debug, Default)]
struct Entries {
    json: Vec<u8>,
    protobuf: Vec<u8>,
}

/// The parts of a document.
#[derive(Debug, Default)]
struct Parts {
    names: BTreeSet<String>,
    definitions: Entries,
    paths: Entries,
}

/// The parts for built-in kinds.
static BUILTIN: LazyLock<Parts> = LazyLock::new(|| {
    let mut parts = Parts::default();
    for group_version in builtin::group_versions() {
        let document = builtin::openapi(&group_version).unwrap_or_default();
        let document: Value = serde_json::from_slice(&document).unwrap_or_default();
        parts.add(&document);
    }
    parts
});

impl Entries {
    fn add(&mut self, name: &str, value: &Value, message: &[u8]) {
        self.json.extend_from_slice(format!("{}:{value},", json!(name)).as_bytes());
        self.protobuf.extend_from_slice(message);
    }

    /// An object of JSON with the entries of both.
    fn object(&self, others: &Self) -> Vec<u8> {
        let mut json = [&b"{"[..], &self.json, &others.json].concat();
        if json.last() == Some(&b',') {
            json.pop();
        }
        json.push(b'}');
        json
    }
}

impl Parts {
    /// Adds the paths of a document of version 3, and its schemas that are not there yet.
    fn add(&mut self, document: &Value) {
        let schemas = document["components"]["schemas"].as_object();
        for (name, schema) in schemas.into_iter().flatten() {
            if self.names.contains(name) {
                continue;
            }
            let definition = openapi_v2::definition(schema);
            self.definitions.add(name, &definition, &openapi_v2::named_definition(name, &definition));
            self.names.insert(name.clone());
        }
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let item = openapi_v2::path_item(item);
            self.paths.add(path, &item, &openapi_v2::named_path(path, &item));
        }
    }
}

impl Version2 {
    /// The document in protobuf if the client accepts it, otherwise in JSON. `custom` makes the documents of version 3 of
    /// custom resources.
    pub(super) fn answer(
        &self,
        version: &str,
        custom: impl FnOnce() -> Vec<Value>,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let documents = self.0.get_or_init(|| Documents::new(version, &custom()));
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let wants_protobuf =
            accepted.into_iter().any(|value| value.contains(ASKED) || value.contains(PROTOBUF));
        if !wants_protobuf {
            return send(&documents.json, headers);
        }
        let mut response = send(&documents.protobuf, headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        response
    }
}

impl Documents {
    fn new(version: &str, custom: &[Value]) -> Self {
        let mut added = Parts { names: BUILTIN.names.clone(), ..Parts::default() };
        custom.iter().for_each(|document| added.add(document));
        let both = |builtin: &Entries, added: &Entries| [&builtin.protobuf[..], &added.protobuf].concat();
        let paths = both(&BUILTIN.paths, &added.paths);
        let definitions = both(&BUILTIN.definitions, &added.definitions);
        let info = json!({ "title": TITLE, "version": version });
        let json = [
            format!("{{\"swagger\":\"2.0\",\"info\":{info},\"paths\":").as_bytes(),
            &BUILTIN.paths.object(&added.paths),
            b",\"definitions\":",
            &BUILTIN.definitions.object(&added.definitions),
            b"}",
        ]
        .concat();
        Self {
            json: compressed(&json),
            protobuf: compressed(&openapi_v2::document(TITLE, version, &paths, &definitions)),
        }
    }
}

/// Compressed with gzip: most clients ask for it, and megabytes become a tenth.
fn compressed(bytes: &[u8]) -> Encoded {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    let bytes = Bytes::from(encoder.finish().unwrap_or_default());
    Encoded { hash: hash(&bytes), bytes, is_gzip: true }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn every_kind_has_a_definition() {
        let custom = || {
            vec![json!({ "components": { "schemas": { "com.example.v1.Widget": {
                "type": "object", "properties": { "a": { "type": "string", "nullable": true } } } } },
                "paths": { "/apis/example.com/v1/widgets": { "get": { "operationId": "list" } } } })]
        };
        let response = Version2::default().answer("v1", custom, &HeaderMap::new());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["swagger"], "2.0");
        let patched = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patched["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert_eq!(patched["parameters"][0]["name"], "dryRun");
        assert_eq!(document["paths"]["/apis/example.com/v1/widgets"]["get"]["operationId"], "list");
        let definitions = document["definitions"].as_object().unwrap();
        assert_eq!(
            definitions["io.k8s.api.apps.v1.Deployment"]["properties"]["metadata"]["$ref"],
            "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        );
        assert_eq!(
            definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"],
            json!({ "description": definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["description"],
                "type": "string", "format": "int-or-string" })
        );
        assert_eq!(
            definitions["com.example.v1.Widget"],
            json!({ "type": "object", "properties": { "a": {} } })
        );
        for (name, definition) in definitions {
            let text = definition.to_string();
            assert!(!text.contains("\"oneOf\":[") && !text.contains("#/components/"), "{name}: {text}");
        }
    }

    #[test]
    fn the_type_is_the_one_that_was_asked_for() {
        let kind = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            Version2::default().answer("v1", Vec::new, &headers).headers()[CONTENT_TYPE].clone()
        };
        assert_eq!(kind(ASKED), PROTOBUF);
        assert_eq!(kind("application/json"), "application/json");
    }
}
