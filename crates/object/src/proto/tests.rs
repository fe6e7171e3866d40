use serde_json::json;

use super::*;

macro_rules! recorded {
    ($($name:literal)*) => {
        [$((
            $name,
            &include_bytes!(concat!("testdata/", $name, ".pb"))[..],
            include_str!(concat!("testdata/", $name, ".json")),
        )),*]
    };
}

/// Bodies that client-go 0.36 sends, and what Go prints for the same objects, without `null` fields and without
/// the target port 0 that a service without one has in Go.
#[test]
fn recorded_bodies_decode_to_what_go_prints() {
    let recorded = recorded! {
        "configmap" "deleteoptions" "deployment" "event" "event-v1" "lease" "namespace" "role" "secret"
        "selfsubjectaccessreview" "service" "tokenrequest"
    };
    for (name, body, want) in recorded {
        let want: Value = serde_json::from_str(want).expect("JSON");
        assert_eq!(decode(body), Ok(want), "{name}");
    }
}

/// One field of the wire type for bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128, "one byte of length");
    let length = u8::try_from(content.len()).expect("short");
    [&[number << 3 | 2, length], content].concat()
}

fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), bytes(1, &type_meta), bytes(2, raw)].concat()
}

#[test]
fn json_schemas_decode_with_their_unions() {
    let string = bytes(5, b"string");
    // Field 24 of a schema is `items`, whose field 1 is one schema; its tag takes two bytes.
    let union = bytes(1, &string);
    let items = [&[0xc2, 0x01, u8::try_from(union.len()).expect("short")], &union[..]].concat();
    let schema = [bytes(5, b"array"), items].concat();
    // Field 4 of a version is `schema`, whose field 1 is `openAPIV3Schema`.
    let version = [bytes(1, b"v1"), bytes(4, &bytes(1, &schema))].concat();
    let raw = bytes(2, &bytes(7, &version));
    let decoded =
        decode(&body("apiextensions.k8s.io/v1", "CustomResourceDefinition", &raw)).expect("decodes");
    let want = json!({"type": "array", "items": {"type": "string"}});
    assert_eq!(decoded["spec"]["versions"][0]["schema"]["openAPIV3Schema"], want);
}

#[test]
fn json_inside_protobuf_is_kept() {
    // Field 2 of a ControllerRevision is `data`, a RawExtension with JSON in field 1.
    let raw = [bytes(2, &bytes(1, br#"{"a": [1]}"#)), vec![3 << 3, 7]].concat();
    let want = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {}, "data": {"a": [1]}, "revision": 7,
    });
    assert_eq!(decode(&body("apps/v1", "ControllerRevision", &raw)), Ok(want));
    let raw = bytes(2, &bytes(1, b"{"));
    let error = decode(&body("apps/v1", "ControllerRevision", &raw));
    assert_eq!(error, Err(ProtoError::Json("unexpected end of JSON input".to_owned())));
}

#[test]
fn fields_of_newer_versions_are_skipped() {
    let raw =
        [bytes(15, b"new"), bytes(2, &[bytes(1, b"k"), bytes(2, b"v"), bytes(9, b"x")].concat())].concat();
    assert_eq!(decode(&body("v1", "ConfigMap", &raw)).expect("decodes")["data"], json!({"k": "v"}));
}

#[test]
fn bad_bodies_are_refused() {
    let unknown = ProtoError::UnknownKind { api_version: "v1".to_owned(), kind: "Widget".to_owned() };
    let cases = [
        ("JSON", b"{}".to_vec(), ProtoError::Prefix),
        ("no type", MAGIC.to_vec(), ProtoError::NoKind),
        ("custom resource", body("v1", "Widget", b""), unknown),
        ("truncated", body("v1", "ConfigMap", &[0x0a, 5]), ProtoError::Malformed("unexpected end")),
        ("wrong wire type", body("v1", "ConfigMap", &[0x08, 5]), ProtoError::Malformed("wrong wire type")),
    ];
    for (name, body, want) in cases {
        assert_eq!(decode(&body), Err(want), "{name}");
    }
    let compressed = [body("v1", "ConfigMap", b""), bytes(3, b"gzip")].concat();
    assert!(matches!(decode(&compressed), Err(ProtoError::Content { .. })));
}

#[test]
fn no_prefix_of_a_body_panics() {
    let body = include_bytes!("testdata/deployment.pb");
    for end in 0..body.len() {
        let _ = decode(&body[..end]);
    }
    for at in 0..body.len() {
        let mut broken = body.to_vec();
        broken[at] ^= 0xff;
        let _ = decode(&broken);
    }
}

#[test]
fn nesting_is_bounded() {
    // Field 28 of a JSON schema is `not`, another schema.
    let mut schema = Vec::new();
    for _ in 0..200 {
        let mut length = schema.len();
        let mut outer = vec![0xe2, 0x01];
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).expect("seven bits"));
        outer.append(&mut schema);
        schema = outer;
    }
    let table = builtin::table();
    let model = table.model_named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
    let decoded = Decoder::new(table).message(model.expect("known"), &schema, 0);
    assert_eq!(decoded, Err(ProtoError::TooDeep));
}
