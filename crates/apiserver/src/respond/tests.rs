use std::io::Read as _;

use serde_json::json;

use super::*;

async fn collect(response: Response<Body>) -> (http::response::Parts, Vec<u8>) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    (parts, bytes)
}

fn gzip() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("br, gzip"));
    headers
}

#[tokio::test]
async fn large_bodies_are_compressed_when_asked() {
    let chunk = Bytes::from(vec![b'x'; 1024]);
    let make = |count: u64| {
        let parts = vec![chunk.clone(); usize::try_from(count).unwrap()].into_iter();
        chunks(parts, count * 1024, Reply::default())
    };
    let cases = [
        ("small", 100, gzip(), false),
        ("large", 128, gzip(), true),
        ("not asked", 128, HeaderMap::new(), false),
    ];
    for (name, count, request, compressed) in cases {
        let (parts, bytes) = collect(finish(&request, &[], make(count))).await;
        assert_eq!(parts.headers.contains_key(CONTENT_ENCODING), compressed, "{name}");
        let mut plain = Vec::new();
        if compressed {
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        } else {
            plain = bytes;
        }
        assert_eq!(plain.len() as u64, count * 1024, "{name}");
    }
}

#[tokio::test]
async fn streams_are_not_compressed() {
    let mut response = chunks(vec![Bytes::from(vec![0; 200_000])].into_iter(), 200_000, Reply::default());
    response.extensions_mut().insert(Streaming);
    let (parts, _) = collect(finish(&gzip(), &[], response)).await;
    assert!(!parts.headers.contains_key(CONTENT_ENCODING));
}

#[tokio::test]
async fn warnings_are_quoted_once_and_bounded() {
    let texts =
        ["unknown field \"spec.a\"".to_owned(), "unknown field \"spec.a\"".to_owned(), "é\n".to_owned()];
    let headers = warning_headers(&texts);
    assert_eq!(headers, [r#"299 - "unknown field \"spec.a\"""#, r#"299 - "  ""#]);
    let long = ["x".repeat(5000), "y".repeat(300)];
    let lengths: Vec<usize> = warning_headers(&long).iter().map(HeaderValue::len).collect();
    assert_eq!(lengths, [256 + 8, 256 + 8]);
}

#[tokio::test]
async fn pretty_and_compact_end_with_a_newline() {
    let tree = json!({ "a": 1 });
    let (_, compact) = collect(value(StatusCode::OK, &tree, Reply::default())).await;
    assert_eq!(compact, b"{\"a\":1}\n");
    let pretty = Reply { is_pretty: true, ..Reply::default() };
    let (_, indented) = collect(encoded(StatusCode::OK, b"{\"a\":1}", pretty)).await;
    assert_eq!(indented, b"{\n  \"a\": 1\n}\n");
}

#[tokio::test]
async fn errors_have_retry_after() {
    let (parts, body) =
        collect(status(&Status::new(429, "TooManyRequests", "slow down"), Reply::default())).await;
    assert_eq!(parts.status, 429);
    assert_eq!(parts.headers[RETRY_AFTER], "1");
    assert!(String::from_utf8(body).unwrap().starts_with(r#"{"kind":"Status","apiVersion":"v1","#));
    let mut unavailable = Status::new(503, "ServiceUnavailable", "a server behind this one is dead");
    let (parts, _) = collect(status(&unavailable, Reply::default())).await;
    assert!(!parts.headers.contains_key(RETRY_AFTER), "clients do not wait for it");
    unavailable.details.get_or_insert_default().retry_after_seconds = Some(7);
    assert_eq!(collect(status(&unavailable, Reply::default())).await.0.headers[RETRY_AFTER], "7");
}
