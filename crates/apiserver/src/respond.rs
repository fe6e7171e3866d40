//! Replies: encoding, indentation, compression, and the headers that every reply has.
//!
//! Handlers build a reply with [`status`], [`value`], [`encoded`] or [`chunks`]; `dispatch` applies [`finish`] to every
//! reply. A watch stream is not compressed and not buffered.

mod body;

use bytes::Bytes;
use flate2::Compression;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER, VARY, WARNING,
};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use portolan_object::Status;
use serde::Serialize;
use serde_json::{Value, json};

use crate::negotiate::{Media, Reply};

#[cfg(test)]
mod tests;

use body::Slices;
pub use body::{Chunks, Compressed};

/// Error while a body is read.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bodies of requests and replies.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Smallest body that is compressed, in bytes.
const COMPRESS_FROM: u64 = 128 * 1024;

/// Total size of warnings, in bytes, above which each is cut to [`SHORT_WARNING`].
const WARNINGS_BUDGET: usize = 4096;

/// Length of a cut warning, in characters.
const SHORT_WARNING: usize = 256;

/// A body from bytes. Long ones are sent slice by slice, so that a client that does not read holds one slice only.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    if bytes.len() > body::SLICE { Slices::new(bytes).boxed_unsync() } else { whole(bytes) }
}

/// A body in one piece, for readers in this process.
pub fn whole(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The reply to HEAD: the headers of the whole reply. Over HTTP/2, a client takes content for a broken connection.
pub(crate) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        parts.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(parts, empty())
}

/// A body without content.
pub fn empty() -> Body {
    full(Bytes::new())
}

/// Plain text.
pub fn plain_text(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    typed(code, "text/plain; charset=utf-8", full(text))
}

/// A reply with a content type.
pub fn typed(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The reply for a [`Status`].
pub fn status(status: &Status, reply: Reply) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = value(code, &status.document(), reply);
    let wait = status.details.as_ref().and_then(|details| details.retry_after_seconds);
    // client-go repeats what has this header ten times: a 503 has it only where waiting helps.
    if let Some(seconds) = wait.or((status.code == 429).then_some(1)) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(status.code, 401 | 403) {
        let nosniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(HeaderName::from_static("x-content-type-options"), nosniff);
    }
    response
}

/// A document in the negotiated encoding.
pub fn value(code: StatusCode, value: &impl Serialize, reply: Reply) -> Response<Body> {
    match reply.media {
        Media::Json if reply.is_pretty => json(code, indented(value)),
        Media::Json => {
            let mut bytes = serde_json::to_vec(value).unwrap_or_default();
            bytes.push(b'\n');
            json(code, bytes)
        }
        Media::Yaml => typed(code, "application/yaml", full(portolan_object::yaml::to_string(&json!(value)))),
    }
}

/// One object or document that is already encoded as JSON, without the final newline.
pub fn encoded(code: StatusCode, bytes: &[u8], reply: Reply) -> Response<Body> {
    if reply.media == Media::Json && !reply.is_pretty {
        let mut line = Vec::with_capacity(bytes.len() + 1);
        line.extend_from_slice(bytes);
        line.push(b'\n');
        return json(code, line);
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(tree) => value(code, &tree, reply),
        Err(error) => status(&Status::internal(error), Reply::default()),
    }
}

/// A JSON document that is encoded chunk by chunk while it is sent; `length` is their total, in bytes.
pub fn chunks<I>(chunks: I, length: u64, reply: Reply) -> Response<Body>
where
    I: Iterator<Item = Bytes> + Send + Unpin + 'static,
{
    if reply.media == Media::Json && !reply.is_pretty {
        let body = Chunks::new(chunks, length).boxed_unsync();
        return typed(StatusCode::OK, "application/json", body);
    }
    let whole: Vec<u8> = chunks.flatten().collect();
    encoded(StatusCode::OK, &whole, reply)
}

/// Compact JSON.
pub fn json(code: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    typed(code, "application/json", full(bytes))
}

fn indented(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Marks a reply as a stream that must not be compressed or buffered.
#[derive(Debug, Clone, Copy)]
pub struct Streaming;

/// Adds the headers that every reply has, and compresses a large body if the client accepts gzip.
pub fn finish(request: &HeaderMap, warnings: &[String], response: Response<Body>) -> Response<Body> {
    let mut response = compress(request, response);
    let headers = response.headers_mut();
    headers.insert(AUDIT_ID, audit_id(request));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    for warning in warning_headers(warnings) {
        headers.append(WARNING, warning);
    }
    response
}

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

fn audit_id(request: &HeaderMap) -> HeaderValue {
    let fresh = || HeaderValue::from_str(&uuid::Uuid::new_v4().to_string());
    match request.get(AUDIT_ID) {
        Some(sent) if !sent.is_empty() => sent.clone(),
        _ => fresh().unwrap_or(HeaderValue::from_static("-")),
    }
}

fn compress(request: &HeaderMap, response: Response<Body>) -> Response<Body> {
    let large = response.body().size_hint().lower() >= COMPRESS_FROM;
    let is_stream = response.extensions().get::<Streaming>().is_some();
    if !large || is_stream || !accepts_gzip(request) || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, Compressed::new(body, Compression::fast()).boxed_unsync())
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.trim().split_once(';').unwrap_or((coding.trim(), ""));
        name == "gzip" && quality.replace(' ', "") != "q=0"
    })
}

/// `299 - "text"` for each distinct warning.
fn warning_headers(warnings: &[String]) -> Vec<HeaderValue> {
    let mut distinct: Vec<&String> = Vec::new();
    for warning in warnings {
        if !warning.is_empty() && !distinct.contains(&warning) {
            distinct.push(warning);
        }
    }
    let total: usize = distinct.iter().map(|text| text.len()).sum();
    let limit = if total > WARNINGS_BUDGET { SHORT_WARNING } else { usize::MAX };
    let mut sent = 0;
    let mut headers = Vec::new();
    for text in distinct {
        let quoted: String = text.chars().take(limit).flat_map(quoted).collect();
        sent += quoted.len();
        if sent > 2 * WARNINGS_BUDGET {
            break;
        }
        headers.extend(HeaderValue::from_str(&format!("299 - \"{quoted}\"")));
    }
    headers
}

/// A character of a quoted string. Characters other than printable ASCII become spaces.
fn quoted(letter: char) -> impl Iterator<Item = char> {
    let escape = matches!(letter, '"' | '\\').then_some('\\');
    let shown = if letter.is_ascii_graphic() || letter == ' ' { letter } else { ' ' };
    escape.into_iter().chain([shown])
}
