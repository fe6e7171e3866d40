//! Heads of requests that a server must refuse, because a proxy before it may understand them differently (RFC 9112,
//! sections 3.2 and 6.1).

use http::header::{EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};
use portolan_object::Status;

/// Checks the head of a request; `is_http1` if it came in HTTP/1.1, where `Host` is required.
///
/// # Errors
/// 400 for a missing or a second `Host`, 417 for an `Expect` other than `100-continue`, 501 for a body in another transfer
/// coding than `chunked`, as Go's server answers.
pub(crate) fn check(headers: &HeaderMap, is_http1: bool) -> Result<(), Status> {
    if is_http1 && !headers.contains_key(HOST) {
        return Err(Status::bad_request("missing required Host header"));
    }
    let is_met = |expected: &HeaderValue| expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !headers.get_all(EXPECT).iter().all(is_met) {
        return Err(Status::new(417, "ExpectationFailed", "only 100-continue can be expected"));
    }
    if headers.get_all(HOST).iter().count() > 1 {
        return Err(Status::bad_request("too many Host headers"));
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
    use http::HeaderName;

    use super::*;

    #[test]
    fn http_1_needs_a_host() {
        let code = |is_http1| check(&HeaderMap::new(), is_http1).map_or_else(|status| status.code, |()| 200);
        assert_eq!((code(true), code(false)), (400, 200));
    }

    #[test]
    fn heads_that_a_proxy_may_understand_differently_are_refused() {
        const HOST: (&str, &str) = ("host", "a");
        let coding = |coding| ("transfer-encoding", coding);
        let cases = [
            ("ordinary", vec![HOST, coding("Chunked")], 200),
            ("HTTP/2", vec![], 200),
            ("two hosts", vec![HOST, ("host", "b")], 400),
            ("two codings", vec![HOST, coding("gzip, chunked")], 501),
            ("twice chunked", vec![HOST, coding("chunked"), coding("chunked")], 501),
            ("expects to go on", vec![HOST, ("expect", "100-Continue")], 200),
            ("expects something else", vec![HOST, ("expect", "200-ok")], 417),
        ];
        for (name, headers, want) in cases {
            let mut map = HeaderMap::new();
            for (header, value) in headers {
                map.append(HeaderName::from_static(header), HeaderValue::from_static(value));
            }
            assert_eq!(check(&map, false).map_or_else(|status| status.code, |()| 200), want, "{name}");
        }
    }
}
