//! `/healthz`, `/livez`, `/readyz` and `/version`.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::request::query::Query;
use crate::respond::{self, Body};

/// A health check and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Name in paths and reports.
    pub(crate) name: &'static str,
    /// Whether the check passes.
    pub(crate) is_healthy: bool,
    /// Something to look after although the check passes; shown with `verbose`.
    pub(crate) note: Option<String>,
}

impl Check {
    /// A check with nothing to add.
    pub(crate) fn new(name: &'static str, is_healthy: bool) -> Self {
        Self { name, is_healthy, note: None }
    }
}

/// Whether a path is one of the health checks, which are answered under any load.
pub(crate) fn is_probe(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next();
    matches!(first, Some("healthz" | "livez" | "readyz"))
}

/// Answers `/healthz`, `/livez`, `/readyz`, and single checks below them; `None` for other paths.
pub(crate) fn answer(
    path: &str,
    query: &Query,
    checks: impl FnOnce(Probe) -> Vec<Check>,
) -> Option<Response<Body>> {
    let mut parts = path.trim_matches('/').split('/');
    let probe = match parts.next()? {
        "healthz" => Probe::Health,
        "livez" => Probe::Liveness,
        "readyz" => Probe::Readiness,
        _ => return None,
    };
    let checks = checks(probe);
    match (parts.next(), parts.next()) {
        (None, _) => {
            let excluded: Vec<&str> = query.all("exclude").collect();
            let checks: Vec<Check> =
                checks.into_iter().filter(|check| !excluded.contains(&check.name)).collect();
            Some(report(probe.name(), &checks, query.has("verbose")))
        }
        (Some(name), None) => {
            let check = checks.iter().find(|check| check.name == name);
            Some(match check {
                Some(check) => report(name, std::slice::from_ref(check), query.has("verbose")),
                None => respond::plain_text(StatusCode::NOT_FOUND, "404 page not found\n"),
            })
        }
        _ => Some(respond::plain_text(StatusCode::NOT_FOUND, "404 page not found\n")),
    }
}

/// The endpoint that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// `/healthz`, deprecated upstream: liveness and readiness.
    Health,
    /// `/livez`: whether the process should keep running.
    Liveness,
    /// `/readyz`: whether the process should receive requests.
    Readiness,
}

impl Probe {
    fn name(self) -> &'static str {
        match self {
            Self::Health => "healthz",
            Self::Liveness => "livez",
            Self::Readiness => "readyz",
        }
    }
}

fn report(name: &str, checks: &[Check], is_verbose: bool) -> Response<Body> {
    let is_healthy = checks.iter().all(|check| check.is_healthy);
    if is_healthy && !is_verbose {
        return respond::plain_text(StatusCode::OK, "ok");
    }
    let mut lines = String::new();
    for check in checks {
        let line = match (check.is_healthy, &check.note) {
            (true, Some(note)) => format!("[+]{} ok: {note}\n", check.name),
            (true, None) => format!("[+]{} ok\n", check.name),
            (false, _) => format!("[-]{} failed: reason withheld\n", check.name),
        };
        lines.push_str(&line);
    }
    let (code, outcome) = match is_healthy {
        true => (StatusCode::OK, "passed"),
        false => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    };
    lines.push_str(&format!("{name} check {outcome}\n"));
    respond::plain_text(code, lines)
}

/// The document at `/version`; `version` has the form `v1.36.2`.
pub(crate) fn version(version: &str) -> Value {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let previous =
        minor.parse::<u32>().map_or_else(|_| minor.to_owned(), |minor| minor.saturating_sub(1).to_string());
    json!({
        "major": major, "minor": minor,
        "emulationMajor": major, "emulationMinor": minor,
        "minCompatibilityMajor": major, "minCompatibilityMinor": previous,
        "gitVersion": version, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, go_architecture()),
    })
}

/// `GOARCH` of the processor.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn ask(uri: &str) -> Option<(u16, String)> {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let checks =
            |probe| vec![Check::new("ping", true), Check::new("shutdown", probe != Probe::Readiness)];
        let response = answer(path, &Query::parse(query), checks)?;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Some((code, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn probes() {
        let cases = [
            ("/livez", 200, "ok"),
            ("/livez?verbose", 200, "[+]ping ok\n[+]shutdown ok\nlivez check passed\n"),
            ("/livez/ping", 200, "ok"),
            ("/livez/nope", 404, "404 page not found\n"),
            ("/readyz", 500, "[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n"),
            ("/readyz?exclude=shutdown", 200, "ok"),
        ];
        for (uri, code, text) in cases {
            assert_eq!(ask(uri).await, Some((code, text.to_owned())), "{uri}");
        }
        assert_eq!(ask("/version").await, None);
    }

    #[test]
    fn version_numbers_are_parsed() {
        let document = version("v1.36.2+portolan");
        assert_eq!((&document["major"], &document["minor"]), (&json!("1"), &json!("36")));
        assert_eq!(document["minCompatibilityMinor"], "35");
    }
}
