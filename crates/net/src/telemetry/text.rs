//! The two text formats that Prometheus reads.

use std::fmt;

use http::{HeaderMap, header};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// A text format for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus' text format 0.0.4, which every scraper reads.
    Prometheus,
    /// OpenMetrics 1.0, which Prometheus prefers.
    OpenMetrics,
}

impl TextFormat {
    /// OpenMetrics for clients that name it in `Accept`, as Prometheus does; the older format for all others.
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        match accepted.any(|value| value.contains("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// The `Content-Type` of the text.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    pub(super) fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut rendered = String::new();
        text::encode(&mut rendered, registry)?;
        Ok(match self {
            Self::OpenMetrics => rendered,
            Self::Prometheus => to_prometheus(&rendered),
        })
    }
}

/// Rewrites OpenMetrics text to format 0.0.4: there a counter's name includes `_total` and that of an info `_info`, and
/// there are neither units nor an end mark.
fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The help text stands before the type, which decides about the name.
    let mut help = "";
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
            continue;
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let (suffix, kind) = match kind {
            "counter" => ("_total", kind),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            _ => ("", kind),
        };
        text.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_format() {
        let open_metrics = "# HELP a_b Things done.\n# TYPE a_b counter\na_b_total{x=\"# EOF\"} 1\n\
            # HELP c_seconds Time.\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 2.5\n\
            # HELP d Build.\n# TYPE d info\nd_info{v=\"1\"} 1\n# EOF\n";
        let prometheus = "# HELP a_b_total Things done.\n# TYPE a_b_total counter\na_b_total{x=\"# EOF\"} 1\n\
            # HELP c_seconds Time.\n# TYPE c_seconds gauge\nc_seconds 2.5\n\
            # HELP d_info Build.\n# TYPE d_info gauge\nd_info{v=\"1\"} 1\n";
        assert_eq!(to_prometheus(open_metrics), prometheus);
    }
}
