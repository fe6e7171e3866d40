//! The answer to a deletion.

use http::{Response, StatusCode};
use portolan_object::status::{Details, StatusDocument};
use serde_json::Value;

use super::metadata;
use crate::call::Call;
use crate::negotiate::Reply;
use crate::respond::{self, Body};

/// The `Status` for a deleted object.
pub(super) fn success(call: &Call, code: StatusCode, object: &Value, reply: Reply) -> Response<Body> {
    let details = Details {
        name: metadata::name_of(object).to_owned(),
        group: call.resource.kind.group.clone(),
        kind: call.resource.plural.clone(),
        uid: object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        ..Details::default()
    };
    respond::value(code, &StatusDocument { details: Some(&details), ..StatusDocument::success() }, reply)
}
