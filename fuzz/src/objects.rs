//! Whole objects: JSON, protobuf and YAML bodies.

use portolan_object::envelope::Envelope;
use portolan_object::schema::decode::{Source, decode};
use portolan_object::schema::{json, prune};
use portolan_object::{GroupVersionKind, builtin, proto, yaml};

/// A request body in Kubernetes' protobuf envelope.
pub(crate) fn protobuf(data: &[u8]) {
    // Errors are expected; a panic is not.
    let _ = proto::decode(data);
}

/// A YAML stream of objects, as in `kubectl apply` bodies and files.
pub(crate) fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(documents) = yaml::parse_documents(text) else { return };
    for document in documents {
        let printed = yaml::to_string(&document);
        assert_eq!(
            yaml::parse_documents(&printed).as_deref(),
            Ok([document].as_slice()),
            "printed:\n{printed}"
        );
    }
}

/// A JSON body of a Pod, read strictly and decoded as Go does.
pub(crate) fn pod(data: &[u8]) {
    let _ = Envelope::parse(data);
    let Some(schema) = builtin::schema(&GroupVersionKind::new("", "v1", "Pod")) else { return };
    let Ok(parsed) = json::parse_as(data, schema) else { return };
    for source in [Source::Json, Source::Tree] {
        let mut pod = parsed.value.clone();
        prune::unknown_fields(&pod, schema);
        if decode(&mut pod, schema, source).is_err() {
            continue;
        }
        let mut again = pod.clone();
        assert_eq!(decode(&mut again, schema, source), Ok(()), "{pod}");
        assert_eq!(again, pod, "decoding twice is decoding once");
        assert!(prune::prune(&mut again, schema).is_empty(), "{pod}");
    }
}
