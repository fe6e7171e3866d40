//! Metrics of the process: one registry, filled by the crates that have figures and rendered when it is scraped.
//!
//! A crate keeps its figures in a plain struct of counters, gauges and [`Histogram`]s and registers it with
//! [`Metrics::register`]. There is no global registry: a process that runs several API servers decides which of them it
//! reports. Updating a figure touches atomics only; reading them is left to the scrape.
//!
//! ```text
//! apiserver, runtime, controllers, dns, … ── register ──► Metrics ── render ──► /metrics
//! ```

mod family;
mod histogram;
mod label;
mod pages;
mod process;
mod text;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use parking_lot::RwLock;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use family::Family;
pub use histogram::Histogram;
pub use label::{BoundedLabel, OTHER};
pub use pages::{Pages, Readiness};
pub use text::TextFormat;

/// The metrics of a process; clones share one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<RwLock<Registry>>,
}

/// Version of the running program, for `portolan_build_info`.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Version of the package, such as `0.1.0`.
    pub version: &'static str,
    /// Role of the process: the subcommand, such as `server`.
    pub role: &'static str,
}

impl Metrics {
    /// A registry with the build and the figures of the process, which every role reports.
    pub fn new(build: Build) -> Self {
        let mut registry = Registry::default();
        let labels = [("version", build.version), ("role", build.role), ("arch", std::env::consts::ARCH)];
        registry.register("portolan_build", "Version and role of the running program", Info::new(labels));
        process::register(&mut registry);
        Self { registry: Arc::new(RwLock::new(registry)) }
    }

    /// Adds metrics. Called once for each set of figures, at start.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry.write());
    }

    /// The present values as text.
    ///
    /// # Errors
    /// When a collector fails; none of ours does.
    pub fn render(&self, format: TextFormat) -> Result<String, fmt::Error> {
        format.encode(&self.registry.read())
    }

    /// The answer to a scrape, in the format that the client's `Accept` header prefers.
    pub fn respond(&self, headers: &HeaderMap) -> Response<String> {
        let format = TextFormat::negotiate(headers);
        let (status, content_type, body) = match self.render(format) {
            Ok(body) => (StatusCode::OK, format.content_type(), body),
            Err(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", format!("{error}\n"))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_reports_its_build_and_itself() {
        let metrics = Metrics::new(Build { version: "1.2.3", role: "server" });
        let text = metrics.render(TextFormat::Prometheus).unwrap();
        assert!(text.contains("portolan_build_info{version=\"1.2.3\",role=\"server\""), "{text}");
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            assert!(value.trim().parse::<f64>().is_ok_and(|value| value > 0.0), "{name} in {text}");
        }
    }

    #[test]
    fn the_format_is_negotiated() {
        let metrics = Metrics::new(Build { version: "1", role: "agent" });
        let cases = [
            (None, "text/plain; version=0.0.4; charset=utf-8", false),
            (Some("text/plain"), "text/plain; version=0.0.4; charset=utf-8", false),
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"),
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                true,
            ),
        ];
        for (accept, content_type, has_end) in cases {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept))));
            let response = metrics.respond(&headers);
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
            assert_eq!(response.body().ends_with("# EOF\n"), has_end, "{accept:?}");
        }
    }
}
