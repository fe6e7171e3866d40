//! Entry points of the fuzz targets: the parsers of requests without a socket.

use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http::{Method, Uri};

use crate::kinds::batch::cron_job::schedule;
use crate::negotiate::{Offer, Reply};
use crate::read::token::ContinueToken;
use crate::request::options::{DeleteOptions, ListOptions, WriteKind, WriteOptions};
use crate::request::query::Query;
use crate::request::{RequestInfo, timeout};

/// Reads `METHOD /path?query` and the options of every verb.
pub fn read_request(text: &str) {
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    // Targets that the HTTP server refuses do not arrive.
    let Ok(target) = target.parse::<Uri>() else { return };
    let query = Query::parse(target.query().unwrap_or_default());
    let info = RequestInfo::parse(&method, target.path(), &query);
    assert_eq!(info.is_resource, !info.resource.is_empty(), "{info:?}");
    timeout::from_query(&query);
    // Errors are expected; a panic is not.
    for is_watch in [false, true] {
        let _ = ListOptions::parse(&query, is_watch);
    }
    for kind in [WriteKind::Create, WriteKind::Update, WriteKind::Patch, WriteKind::Apply] {
        let _ = WriteOptions::parse(&query, kind);
    }
    let _ = DeleteOptions::parse(&query, None);
}

/// Reads the header `Accept`.
pub fn read_accept(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(ACCEPT, value)]);
    for offer in [Offer::Objects, Offer::Stream, Offer::Document] {
        let _ = Reply::negotiate(&headers, &Query::default(), offer);
    }
}

/// Reads a `continue` token, and checks that it survives being written again.
pub fn read_continue_token(text: &str) {
    if let Ok(token) = ContinueToken::decode(text) {
        assert_eq!(ContinueToken::decode(&token.encode()).ok(), Some(token));
    }
}

/// Reads the schedule of a CronJob.
pub fn read_schedule(text: &str) {
    let _ = schedule::check(text);
}
