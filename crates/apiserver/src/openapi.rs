//! OpenAPI v3: the list of documents, and one document for each group version.
//!
//! Clients fetch the list before most writes and cache documents by hash, so documents are built once and sent as
//! immutable. Those of built-in kinds are compressed constants; those of custom resources are built from their schemas
//! at the first request and kept while the resources do not change.

mod version2;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EXPIRES, HeaderValue,
    IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, Response, StatusCode};
use portolan_object::{GroupVersion, Status, builtin};
use ring::digest;
use serde_json::{Value, json};

use crate::crd::CustomVersion;
use crate::discovery::upper_hex;
use crate::negotiate::{Offer, Reply};
use crate::request::query::Query;
use crate::resources::{Group, Snapshot, Source, Version};
use crate::respond::{self, Body};
use version2::Version2;

/// A document with its hash.
#[derive(Debug, Clone)]
struct Encoded {
    bytes: Bytes,
    is_gzip: bool,
    hash: String,
}

/// One document.
#[derive(Debug)]
enum Document {
    /// For built-in kinds.
    Builtin(&'static Encoded),
    /// For custom resources; encoded at the first request.
    Custom { versions: Vec<Arc<CustomVersion>>, made: OnceLock<Encoded> },
}

/// The documents of one snapshot.
#[derive(Debug, Default)]
pub struct Specifications {
    /// Those of version 3 by path, such as `apis/apps/v1`.
    documents: BTreeMap<String, Arc<Document>>,
    version2: Version2,
}

/// The documents of built-in group versions, hashed once.
static BUILTIN: LazyLock<BTreeMap<String, Encoded>> = LazyLock::new(|| {
    let encode = |group_version: GroupVersion| {
        let bytes = builtin::openapi_gzip(&group_version)?;
        let hash = hash(bytes);
        let encoded = Encoded { bytes: Bytes::from_static(bytes), is_gzip: true, hash };
        Some((path_of(&group_version.group, &group_version.version), encoded))
    };
    builtin::group_versions().into_iter().filter_map(encode).collect()
});

fn hash(bytes: &[u8]) -> String {
    upper_hex(digest::digest(&digest::SHA512, bytes).as_ref())
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

impl Specifications {
    /// The documents of all groups; unchanged ones are taken from `former`.
    pub fn new(groups: &[Group], former: Option<&Self>) -> Self {
        let mut documents = BTreeMap::new();
        for group in groups {
            for version in &group.versions {
                let path = path_of(&group.name, &version.name);
                let known = former.and_then(|former| former.documents.get(&path));
                if let Some(document) = Document::of(&path, version, known) {
                    documents.insert(path, document);
                }
            }
        }
        Self { documents, version2: Version2::default() }
    }

    /// The documents of custom resources.
    fn custom(&self) -> Vec<Value> {
        let versions = self.documents.values().filter_map(|document| match &**document {
            Document::Builtin(_) => None,
            Document::Custom { versions, .. } => Some(versions),
        });
        versions.map(|versions| custom_document(versions)).collect()
    }

    /// The document that lists all documents.
    fn root(&self) -> Value {
        let entry = |(path, document): (&String, &Arc<Document>)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.encoded().hash);
            (path.clone(), json!({ "serverRelativeURL": url }))
        };
        json!({ "paths": self.documents.iter().map(entry).collect::<serde_json::Map<_, _>>() })
    }
}

impl Document {
    fn of(path: &str, version: &Version, known: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        if let Some(encoded) = BUILTIN.get(path) {
            return Some(Arc::new(Self::Builtin(encoded)));
        }
        let versions: Vec<Arc<CustomVersion>> = version
            .resources
            .iter()
            .filter_map(|resource| match &resource.source {
                Source::Custom(version) => Some(Arc::clone(version)),
                Source::Builtin(_) => None,
            })
            .collect();
        if versions.is_empty() {
            return None;
        }
        match known {
            Some(known) if known.is_of(&versions) => Some(Arc::clone(known)),
            _ => Some(Arc::new(Self::Custom { versions, made: OnceLock::new() })),
        }
    }

    fn is_of(&self, others: &[Arc<CustomVersion>]) -> bool {
        match self {
            Self::Builtin(_) => false,
            Self::Custom { versions, .. } => {
                versions.len() == others.len() && versions.iter().zip(others).all(|(a, b)| Arc::ptr_eq(a, b))
            }
        }
    }

    fn encoded(&self) -> &Encoded {
        match self {
            Self::Builtin(encoded) => encoded,
            Self::Custom { versions, made } => made.get_or_init(|| {
                let bytes = custom_document(versions).to_string();
                Encoded { hash: hash(bytes.as_bytes()), bytes: Bytes::from(bytes), is_gzip: false }
            }),
        }
    }
}

fn custom_document(versions: &[Arc<CustomVersion>]) -> Value {
    let Some(first) = versions.first() else { return Value::Null };
    let group_version = GroupVersion::new(&first.definition.group, &first.name);
    let definitions = versions.iter().map(|version| &*version.definition.source);
    builtin::openapi_for_crds(&group_version, definitions)
}

/// Answers `/openapi/v2` and paths below `/openapi/v3`; `None` when the path is neither.
pub(crate) fn answer(
    snapshot: &Snapshot,
    path: &str,
    headers: &HeaderMap,
    query: &Query,
) -> Option<Result<Response<Body>, Status>> {
    if path.trim_end_matches('/') == "/openapi/v2" {
        let specifications = snapshot.specifications();
        let custom = || specifications.custom();
        return Some(Ok(specifications.version2.answer(crate::config::VERSION, custom, headers)));
    }
    let rest = path.strip_prefix("/openapi/v3")?.trim_matches('/');
    let specifications = snapshot.specifications();
    if rest.is_empty() {
        let reply = Reply::negotiate(headers, query, Offer::Document);
        return Some(reply.map(|reply| tagged(specifications.root(), headers, reply)));
    }
    let encoded = specifications.documents.get(rest)?.encoded();
    Some(Ok(match query.non_empty("hash") {
        Some(hash) if hash != encoded.hash => moved(rest, &encoded.hash),
        wanted => document(encoded, wanted.is_some(), headers),
    }))
}

fn tagged(root: Value, headers: &HeaderMap, reply: Reply) -> Response<Body> {
    let tag = format!("\"{}\"", hash(root.to_string().as_bytes()));
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => not_modified(),
        false => respond::value(StatusCode::OK, &root, reply),
    };
    insert(&mut response, ETAG, &tag);
    response
}

fn document(encoded: &Encoded, is_hashed: bool, headers: &HeaderMap) -> Response<Body> {
    let tag = format!("\"{}\"", encoded.hash);
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => not_modified(),
        false => send(encoded, headers),
    };
    insert(&mut response, ETAG, &tag);
    if is_hashed {
        insert(&mut response, CACHE_CONTROL, "public, immutable");
        // A date far in the future: the hash in the URL changes with the document.
        insert(&mut response, EXPIRES, "Fri, 31 Dec 2049 23:59:59 GMT");
    }
    response
}

fn send(encoded: &Encoded, headers: &HeaderMap) -> Response<Body> {
    let accepts = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !encoded.is_gzip {
        return respond::json(StatusCode::OK, encoded.bytes.clone());
    }
    if accepts.contains("gzip") {
        let mut response = respond::json(StatusCode::OK, encoded.bytes.clone());
        insert(&mut response, CONTENT_ENCODING, "gzip");
        insert(&mut response, VARY, "Accept-Encoding");
        return response;
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&encoded.bytes[..]);
    match std::io::Read::read_to_end(&mut decoder, &mut plain) {
        Ok(_) => respond::json(StatusCode::OK, plain),
        Err(error) => respond::status(&Status::internal(error), Reply::default()),
    }
}

fn not_modified() -> Response<Body> {
    let mut response = Response::new(respond::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// 301 to the current document.
fn moved(path: &str, hash: &str) -> Response<Body> {
    let mut response = Response::new(respond::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    insert(&mut response, LOCATION, &format!("/openapi/v3/{path}?hash={hash}"));
    insert(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn insert(response: &mut Response<Body>, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
