//! Heads of requests that a server must refuse, because a proxy before it may understand them differently (RFC 9112,
//! sections 3.2 and 6.1).

use http::HeaderMap;
use http::header::{HOST, TRANSFER_ENCODING};
use portolan_object::Status;

/// Checks the head of a request.
///
/// # Errors
/// 400 for a second `Host`, 501 for a body in another transfer coding than `chunked`, as Go's server answers.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Status> {
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
    use http::{HeaderName, HeaderValue};

    use super::*;

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
        ];
        for (name, headers, want) in cases {
            let mut map = HeaderMap::new();
            for (header, value) in headers {
                map.append(HeaderName::from_static(header), HeaderValue::from_static(value));
            }
            assert_eq!(check(&map).map_or_else(|status| status.code, |()| 200), want, "{name}");
        }
    }
}
