//! OpenAPI v2: a document without definitions, because version 3 has all.
//!
//! kubectl requests it when version 3 does not have a kind. With an empty document it then reports that the kind does
//! not exist; with an error it would only report that validation failed.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::negotiate::Reply;
use crate::respond::{self, Body};

const TITLE: &str = "Kubernetes";
/// The media type in requests. `@` is not valid in the content type of the reply, which has a dot instead.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document in protobuf if the client accepts it, otherwise in JSON.
pub(super) fn answer(version: &str, headers: &HeaderMap) -> Response<Body> {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let wants_protobuf = accepted.into_iter().any(|value| value.contains(ASKED) || value.contains(PROTOBUF));
    if !wants_protobuf {
        let document =
            json!({ "swagger": "2.0", "info": { "title": TITLE, "version": version }, "paths": {} });
        return respond::value(StatusCode::OK, &document, Reply::default());
    }
    let mut response = respond::json(StatusCode::OK, protobuf(version));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    response
}

/// `openapi.v2.Document { swagger: 1, info: 2 { title: 1, version: 2 }, paths: 8 {} }`.
fn protobuf(version: &str) -> Vec<u8> {
    let mut info = Vec::new();
    field(&mut info, 1, TITLE.as_bytes());
    field(&mut info, 2, version.as_bytes());
    let mut document = Vec::new();
    field(&mut document, 1, b"2.0");
    field(&mut document, 2, &info);
    field(&mut document, 8, b"");
    document
}

/// A length-delimited field. All lengths here are below 128, so that one byte holds them.
fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    let content = &content[..content.len().min(127)];
    out.push(number << 3 | LENGTH_DELIMITED);
    out.push(content.len().to_le_bytes()[0]);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_a_message_of_gnostic() {
        let bytes = protobuf("v1");
        assert_eq!(bytes, b"\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00");
    }

    #[test]
    fn the_type_is_the_one_that_was_asked_for() {
        let kind = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            answer("v1", &headers).headers()[CONTENT_TYPE].clone()
        };
        assert_eq!(kind(ASKED), PROTOBUF);
        assert_eq!(kind("application/json"), "application/json");
    }
}
