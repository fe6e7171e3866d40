//! Content negotiation: encoding and form of the reply by `Accept`, encoding of the body by `Content-Type`.
//!
//! As upstream, entries of `Accept` that are not supported are skipped: a client that accepts protobuf first and JSON
//! second gets JSON.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use portolan_object::Status;

use crate::request::query::Query;

#[cfg(test)]
mod tests;

/// Encoding and form of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reply {
    /// The encoding.
    pub media: Media,
    /// The form of objects.
    pub form: Form,
    /// The version of tables and of objects with metadata only.
    pub meta: MetaVersion,
    /// Indented.
    pub is_pretty: bool,
}

/// An encoding of replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    #[default]
    Json,
    /// `application/yaml`.
    Yaml,
}

/// A version of the group `meta.k8s.io`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MetaVersion {
    /// `v1`.
    #[default]
    V1,
    /// `v1beta1`, which older clients ask for.
    V1Beta1,
}

impl MetaVersion {
    /// The `apiVersion` of objects in this version.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }

    fn parse(version: &str) -> Option<Self> {
        [(Self::V1, "v1"), (Self::V1Beta1, "v1beta1")]
            .into_iter()
            .find(|(_, name)| *name == version)
            .map(|(meta, _)| meta)
    }
}

/// The form in which objects are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Whole objects.
    #[default]
    Object,
    /// Table rows (`Table` of `meta.k8s.io`).
    Table,
    /// Only `metadata` of one object or of a watch event.
    Metadata,
    /// Only `metadata` of every object of a list.
    MetadataList,
}

/// Forms and encodings that an endpoint supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Objects of a resource, in every form.
    Objects,
    /// A stream of events: every form, only JSON.
    Stream,
    /// A document with one form (discovery, reviews, subresources without a table).
    Document,
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// The protobuf encoding of Kubernetes.
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

impl Reply {
    /// Selects the first supported entry of `Accept`.
    ///
    /// # Errors
    /// 406 when no entry is supported.
    pub fn negotiate(headers: &HeaderMap, query: &Query, offer: Offer) -> Result<Self, Status> {
        let is_pretty = wants_pretty(headers, query);
        let served = entries(headers).iter().find_map(|entry| entry.serve(offer));
        let served = served.ok_or_else(|| not_acceptable(offer))?;
        Ok(Self { is_pretty, ..served })
    }

    /// The encoding of errors: the accepted one if it is supported, otherwise compact JSON.
    pub fn for_error(headers: &HeaderMap, query: &Query) -> Self {
        let reply = Self::negotiate(headers, query, Offer::Document).unwrap_or_default();
        Self { is_pretty: wants_pretty(headers, query), ..reply }
    }
}

fn wants_pretty(headers: &HeaderMap, query: &Query) -> bool {
    if query.non_empty("pretty").is_some() {
        return query.flag("pretty");
    }
    let agent = header(headers, &USER_AGENT);
    ["curl", "Wget", "Mozilla"].iter().any(|prefix| agent.starts_with(prefix))
}

fn not_acceptable(offer: Offer) -> Status {
    let accepted = if offer == Offer::Stream { JSON.to_owned() } else { format!("{JSON}, {YAML}") };
    let text = format!("only the following media types are accepted: {accepted}");
    Status::new(406, "NotAcceptable", text)
}

/// One media range of `Accept`.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaRange<'a> {
    /// For example `application/json`.
    pub media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key, value.trim_matches('"')))
            .collect();
        let quality =
            parameters.iter().find(|(key, _)| *key == "q").and_then(|(_, value)| value.parse().ok());
        Self { media_type, parameters, quality: quality.unwrap_or(1.0) }
    }

    /// A parameter of the entry, empty when it is missing.
    pub fn parameter(&self, name: &str) -> &'a str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// Whether the entry includes JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.media_type, JSON | "*/*" | "application/*")
    }

    fn serve(&self, offer: Offer) -> Option<Reply> {
        let media = match self.media_type {
            _ if self.is_json() => Media::Json,
            YAML if offer != Offer::Stream => Media::Yaml,
            _ => return None,
        };
        let whole = Reply { media, ..Reply::default() };
        if self.parameter("as").is_empty() {
            return Some(whole);
        }
        if offer == Offer::Document || self.parameter("g") != "meta.k8s.io" {
            return None;
        }
        let form = match self.parameter("as") {
            "Table" => Form::Table,
            "PartialObjectMetadata" => Form::Metadata,
            "PartialObjectMetadataList" if offer != Offer::Stream => Form::MetadataList,
            _ => return None,
        };
        Some(Reply { form, meta: MetaVersion::parse(self.parameter("v"))?, ..whole })
    }
}

/// The entries of `Accept` in order of preference; a missing header accepts everything.
pub fn entries(headers: &HeaderMap) -> Vec<MediaRange<'_>> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut entries: Vec<MediaRange<'_>> = values
        .flat_map(|value| value.split(','))
        .filter(|text| !text.trim().is_empty())
        .map(MediaRange::parse)
        .collect();
    entries.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    if entries.is_empty() {
        entries.push(MediaRange::parse("*/*"));
    }
    entries
}

/// The encoding of an object in a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// JSON, also when the header is missing.
    Json,
    /// YAML.
    Yaml,
    /// Protobuf in the envelope of Kubernetes.
    Protobuf,
}

impl BodyType {
    /// The encoding by the `Content-Type` of a create, update or delete.
    ///
    /// # Errors
    /// 415 with the supported types.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Status> {
        match content_type(headers) {
            "" | JSON => Ok(Self::Json),
            YAML | "application/x-yaml" => Ok(Self::Yaml),
            PROTOBUF => Ok(Self::Protobuf),
            _ => Err(unsupported(&[JSON, YAML, PROTOBUF])),
        }
    }
}

/// The type of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge, for built-in kinds.
    Strategic,
    /// Server-side apply.
    Apply,
}

const PATCH_TYPES: [(&str, PatchType); 4] = [
    ("application/json-patch+json", PatchType::Json),
    ("application/merge-patch+json", PatchType::Merge),
    ("application/strategic-merge-patch+json", PatchType::Strategic),
    ("application/apply-patch+yaml", PatchType::Apply),
];

impl PatchType {
    /// The type by the `Content-Type` of a PATCH; `strategic` tells whether the resource supports strategic merge.
    ///
    /// # Errors
    /// 415 for other types, and for strategic merge when it is not supported.
    pub fn from_headers(headers: &HeaderMap, strategic: bool) -> Result<Self, Status> {
        let sent = content_type(headers);
        let (_, found) = PATCH_TYPES
            .into_iter()
            .find(|(name, _)| *name == sent)
            .ok_or_else(|| Status::new(415, UNSUPPORTED, "415: Unsupported Media Type").about("", "", ""))?;
        if found == Self::Strategic && !strategic {
            let accepted = PATCH_TYPES.into_iter().filter(|(_, kind)| *kind != Self::Strategic);
            let names: Vec<&str> = accepted.map(|(name, _)| name).collect();
            return Err(unsupported(&names));
        }
        Ok(found)
    }
}

const UNSUPPORTED: &str = "UnsupportedMediaType";

fn unsupported(accepted: &[&str]) -> Status {
    let text = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        accepted.join(", ")
    );
    Status::new(415, UNSUPPORTED, text)
}

/// `Content-Type` without parameters.
fn content_type(headers: &HeaderMap) -> &str {
    header(headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim()
}

fn header<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
