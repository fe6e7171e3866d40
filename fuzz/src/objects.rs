//! Whole objects: protobuf and YAML bodies.

use portolan_object::{proto, yaml};

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
