//! Discovery: the served groups, versions and resources.
//!
//! There are two forms. The legacy one has a document for each group version, the aggregated one is a single document
//! with an `ETag`, built once for each [`Snapshot`](crate::resources::Snapshot).

mod aggregated;
mod legacy;
mod storage_hash;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{HeaderMap, Response, StatusCode};
use portolan_object::Status;
use ring::digest;
use serde::Serialize;

use crate::negotiate::{self, Offer, Reply};
use crate::request::query::Query;
use crate::resources::{Group, Snapshot};
use crate::respond::{self, Body};

/// The content type of the aggregated form. Clients compare its parameters.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The aggregated documents of one snapshot.
#[derive(Debug)]
pub struct Documents {
    core: Tagged,
    named: Tagged,
}

/// A document and its `ETag`.
#[derive(Debug)]
struct Tagged {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Documents {
    /// Builds the documents of all groups.
    pub fn new(groups: &[Group]) -> Self {
        let (core, named): (Vec<&Group>, Vec<&Group>) =
            groups.iter().partition(|group| group.name.is_empty());
        Self { core: Tagged::new(&aggregated::list(&core)), named: Tagged::new(&aggregated::list(&named)) }
    }
}

impl Tagged {
    fn new(document: &impl Serialize) -> Self {
        // Names and lists of names are always valid JSON.
        let mut bytes = serde_json::to_vec(document).unwrap_or_default();
        bytes.push(b'\n');
        let hash = upper_hex(digest::digest(&digest::SHA512, &bytes).as_ref());
        let tag =
            HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits are a header value");
        Self { bytes: bytes.into(), tag }
    }

    fn respond(&self, headers: &HeaderMap) -> Response<Body> {
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|sent| is_among(sent, &self.tag));
        let mut response = match known {
            true => {
                let mut response = Response::new(respond::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response
            }
            false => respond::typed(StatusCode::OK, AGGREGATED, respond::full(self.bytes.clone())),
        };
        response.headers_mut().insert(ETAG, self.tag.clone());
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }
}

fn is_among(sent: &HeaderValue, tag: &HeaderValue) -> bool {
    let sent = sent.to_str().unwrap_or_default();
    sent.split(',').any(|one| one.trim().trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

/// Upper-case hexadecimal digits.
pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Answers a discovery path; `None` if this is not a discovery path.
///
/// # Errors
/// 406 when no encoding is acceptable.
pub(crate) fn answer(
    snapshot: &Snapshot,
    path: &str,
    headers: &HeaderMap,
    query: &Query,
) -> Option<Result<Response<Body>, Status>> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let reply = Reply::negotiate(headers, query, Offer::Document);
    match segments.as_slice() {
        ["api"] | ["apis"] if wants_aggregated(headers) => {
            let documents = snapshot.discovery();
            let tagged = if segments == ["api"] { &documents.core } else { &documents.named };
            Some(Ok(tagged.respond(headers)))
        }
        ["api"] => Some(show(reply, &legacy::versions()).map(varying)),
        ["apis"] => Some(show(reply, &legacy::groups(&snapshot.groups)).map(varying)),
        ["apis", group] => Some(show(reply, &legacy::group(snapshot.group(group)?))),
        ["api", version] if snapshot.has_version("", version) => {
            Some(show(reply, &legacy::resources(snapshot, "", version)))
        }
        ["apis", group, version] if snapshot.has_version(group, version) => {
            Some(show(reply, &legacy::resources(snapshot, group, version)))
        }
        _ => None,
    }
}

fn show(reply: Result<Reply, Status>, document: &impl Serialize) -> Result<Response<Body>, Status> {
    Ok(respond::value(StatusCode::OK, document, reply?))
}

/// Notes that the answer depends on `Accept`.
fn varying(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Whether the first acceptable entry asks for the aggregated form.
fn wants_aggregated(headers: &HeaderMap) -> bool {
    let entries = negotiate::entries(headers);
    let understood = entries.iter().filter(|entry| entry.is_json()).find_map(|entry| {
        match (entry.parameter("as"), entry.parameter("g"), entry.parameter("v")) {
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(true),
            ("", ..) => Some(false),
            _ => None,
        }
    });
    understood.unwrap_or(false)
}
