//! Heads of requests that a server must refuse, because a proxy before it may understand them differently (RFC 9112,
//! sections 3.2 and 6.1).

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};
use portolan_object::Status;

/// Checks the head of a request.
///
/// # Errors
/// 400 unless a request of HTTP/1.1 has one `Host`, 501 for a body in another transfer coding than `chunked`, as Go's server
/// answers.
pub(crate) fn check(version: Version, headers: &HeaderMap) -> Result<(), Status> {
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        let found = if hosts == 0 { "missing required Host header" } else { "too many Host headers" };
        return Err(Status::bad_request(found));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !is_chunked || codings.next().is_some() {
        return Err(Status::new(501, "NotImplemented", "Unsupported transfer encoding"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn heads_that_a_proxy_may_understand_differently_are_refused() {
        let cases: &[(&str, Version, &[(&str, &str)], u16)] = &[
            ("ordinary", Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "Chunked")], 200),
            ("HTTP/2", Version::HTTP_2, &[], 200),
            ("HTTP/1.0", Version::HTTP_10, &[], 200),
            ("no host", Version::HTTP_11, &[], 400),
            ("two hosts", Version::HTTP_11, &[("host", "a"), ("host", "b")], 400),
            ("two codings", Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "gzip, chunked")], 501),
            (
                "twice chunked",
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                501,
            ),
        ];
        for (name, version, headers, want) in cases {
            let mut map = HeaderMap::new();
            for (header, value) in *headers {
                map.append(HeaderName::from_static(header), HeaderValue::from_static(value));
            }
            assert_eq!(check(*version, &map).map_or_else(|status| status.code, |()| 200), *want, "{name}");
        }
    }
}
