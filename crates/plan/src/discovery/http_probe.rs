//! Probes of endpoints by HTTP requests, which a TrafficPolicy asks for.
//!
//! The control plane writes the request into an annotation of the imported EndpointSlices; the agents read it there and send it.

use std::net::SocketAddr;
use std::time::Duration;

use portolan_api::annotations::endpoint_slice::HTTP_PROBE;
use portolan_api::traffic::HttpProbe;
use portolan_object::Object;
use serde_json::Value;

/// Time for which every probe of a service in one cluster fails before its endpoints count as failing.
const FAILING: Duration = Duration::from_secs(10);
/// Time for which probes succeed before they do not any more.
const BACK: Duration = Duration::from_secs(5);

/// The request of a slice; `None` without one, or if it cannot be read.
pub fn of_slice(slice: &Object) -> Option<HttpProbe> {
    let probe: HttpProbe = serde_json::from_str(slice.annotation(HTTP_PROBE)?).ok()?;
    // Others may write the annotation: a line break would begin another header.
    let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    (probe.path.starts_with('/') && is_visible(&probe.path))
        .then_some(probe)
        .filter(|probe| probe.host.as_deref().is_none_or(is_visible))
}

/// Writes the request into a slice.
pub(super) fn set(slice: &mut Object, probe: Option<&HttpProbe>) {
    match probe.and_then(|probe| serde_json::to_string(probe).ok()) {
        Some(text) => slice.set_annotation(HTTP_PROBE, text),
        None => {
            if let Some(annotations) =
                slice.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut)
            {
                annotations.remove(HTTP_PROBE);
            }
        }
    }
}

/// Whether two slices have the same request.
pub(crate) fn is_same(one: &Object, other: &Object) -> bool {
    one.annotation(HTTP_PROBE) == other.annotation(HTTP_PROBE)
}

/// The bytes of the request.
pub fn request(probe: &HttpProbe, endpoint: SocketAddr) -> String {
    let endpoint = endpoint.to_string();
    let host = probe.host.as_deref().unwrap_or(&endpoint);
    let path = &probe.path;
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: portolan-agent\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// Judges the first line of the answer.
///
/// # Errors
/// Why the probe failed.
pub fn judge(probe: &HttpProbe, answer: &[u8]) -> Result<(), String> {
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let version = words.next().filter(|version| version.starts_with(b"HTTP/1."));
    let status = words.next().filter(|_| version.is_some()).filter(|status| status.len() == 3);
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse::<u16>().ok());
    match status {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("GET {} answered {status}", probe.path)),
        None => Err(format!("GET {} was not answered in HTTP/1.1", probe.path)),
    }
}

/// The probes of one service in one exporting cluster so far. Times are those of a monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trial {
    is_failing: bool,
    /// Since when the results contradict it.
    doubt: Option<Duration>,
}

impl Trial {
    /// Notes whether a probe succeeded. One endpoint that succeeds is enough for the service.
    pub fn note(&mut self, succeeded: bool, now: Duration) {
        if succeeded != self.is_failing {
            self.doubt = None;
            return;
        }
        let since = *self.doubt.get_or_insert(now);
        let patience = if self.is_failing { BACK } else { FAILING };
        if now.saturating_sub(since) >= patience {
            *self = Self { is_failing: !self.is_failing, doubt: None };
        }
    }

    /// Whether the endpoints count as failing.
    pub fn is_failing(&self) -> bool {
        self.is_failing
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn probe(path: &str, host: Option<&str>) -> HttpProbe {
        HttpProbe { path: path.to_owned(), host: host.map(str::to_owned), port: None }
    }

    #[test]
    fn the_request_of_a_slice_is_what_the_policy_says_and_never_two() {
        let mut slice = Object(json!({ "metadata": { "name": "x" } }));
        assert_eq!(of_slice(&slice), None);
        let health = probe("/healthz?full=1", Some("shop.example"));
        set(&mut slice, Some(&health));
        assert_eq!(of_slice(&slice), Some(health.clone()));
        let endpoint = "10.0.0.1:8080".parse().expect("an address");
        assert!(
            request(&health, endpoint).starts_with("GET /healthz?full=1 HTTP/1.1\r\nHost: shop.example\r\n")
        );
        assert!(request(&probe("/", None), endpoint).contains("Host: 10.0.0.1:8080\r\n"));
        let plain = Object(json!({ "metadata": { "name": "x" } }));
        assert!(!is_same(&slice, &plain));
        set(&mut slice, None);
        assert!(is_same(&slice, &plain) && of_slice(&slice).is_none());
        for wrong in [probe("healthz", None), probe("/\r\nX: y", None), probe("/", Some("a\r\nX: y"))] {
            set(&mut slice, Some(&wrong));
            assert_eq!(of_slice(&slice), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_status_from_200_to_399_is_success() {
        let health = probe("/healthz", None);
        let cases = [
            ("HTTP/1.1 200 OK\r\n", Ok(())),
            ("HTTP/1.0 204\r\n\r\n", Ok(())),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\n", Ok(())),
            ("HTTP/1.1 404 Not Found\r\n", Err("GET /healthz answered 404")),
            ("HTTP/1.1 503 Service Unavailable", Err("GET /healthz answered 503")),
            ("HTTP/1.1 20", Err("GET /healthz was not answered in HTTP/1.1")),
            ("SSH-2.0-x\r\n", Err("GET /healthz was not answered in HTTP/1.1")),
            ("", Err("GET /healthz was not answered in HTTP/1.1")),
        ];
        for (answer, want) in cases {
            assert_eq!(judge(&health, answer.as_bytes()), want.map_err(str::to_owned), "{answer:?}");
        }
    }

    #[test]
    fn endpoints_fail_after_ten_seconds_and_are_back_after_five() {
        let mut trial = Trial::default();
        let mut run = |results: &[(u64, bool)]| {
            results.iter().for_each(|(second, good)| trial.note(*good, Duration::from_secs(*second)));
            trial.is_failing()
        };
        assert!(!run(&[(0, true), (1, false), (9, false)]));
        assert!(!run(&[(10, true), (12, false), (21, false)]), "one success starts the time again");
        assert!(run(&[(22, false)]));
        assert!(run(&[(23, true), (25, false), (26, true), (30, true)]));
        assert!(!run(&[(31, true)]));
    }
}
