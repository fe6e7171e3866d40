//! The address of the collector.

use std::fmt;

use http::Uri;

/// Base URL of a collector; `/v1/traces` is appended (OTLP 1.x, "Endpoint URLs for OTLP/HTTP").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CollectorEndpoint {
    base: String,
}

impl CollectorEndpoint {
    /// The URL that batches of spans are posted to.
    pub(crate) fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.base)
    }
}

impl fmt::Display for CollectorEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// Why a URL is not that of a collector.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("not a URL ({0}); give one such as http://127.0.0.1:4318")]
    NotUrl(#[from] http::uri::InvalidUri),
    #[error(
        "traces are exported without TLS: give the http:// URL of a collector on this machine or in this cluster"
    )]
    NotHttp,
}

/// Parses an `http` URL.
pub(crate) fn parse_endpoint(text: &str) -> Result<CollectorEndpoint, EndpointError> {
    let uri: Uri = text.parse()?;
    if uri.scheme_str() != Some("http") || uri.authority().is_none() {
        return Err(EndpointError::NotHttp);
    }
    Ok(CollectorEndpoint { base: text.trim_end_matches('/').to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_appended() {
        for text in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
            assert_eq!(parse_endpoint(text).expect("valid").traces_url(), "http://127.0.0.1:4318/v1/traces");
        }
        let below = parse_endpoint("http://collector:4318/otlp").expect("valid");
        assert_eq!(below.traces_url(), "http://collector:4318/otlp/v1/traces");
    }

    #[test]
    fn only_http_is_accepted() {
        for text in ["https://collector:4318", "collector:4318", "", "/otlp"] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }
}
