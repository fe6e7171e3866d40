//! A plain HTTP listener for operators: `/healthz`, `/livez`, `/readyz` and `/metrics`.
//!
//! It has neither TLS nor authorization and changes nothing; its address should be a loopback one, or one that only
//! the monitoring system reaches.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower::service_fn;

use super::Metrics;
use crate::server::Server;
use crate::shutdown::Shutdown;

const TEXT: &str = "text/plain; charset=utf-8";

/// Whether the process can do its work, for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Ready; a note is appended to `ok`.
    Ready(Option<String>),
    /// Not ready, and why.
    NotReady(String),
}

/// The pages of a process; clones share everything.
#[derive(Clone)]
pub struct Pages {
    metrics: Metrics,
    readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

impl Pages {
    /// Pages that report `metrics` and ask `readiness` on every request for `/readyz`.
    pub fn new(metrics: Metrics, readiness: impl Fn() -> Readiness + Send + Sync + 'static) -> Self {
        Self { metrics, readiness: Arc::new(readiness) }
    }

    /// Serves the pages until `scope` is asked to stop.
    pub fn serve(self, listener: TcpListener, scope: &Shutdown) {
        let service = service_fn(move |request: Request<Incoming>| {
            let response = self.answer(&request).map(|body| Full::new(Bytes::from(body)));
            std::future::ready(Ok::<_, Infallible>(response))
        });
        Server::plain(listener).spawn(service, scope);
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<String> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return page(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        }
        match request.uri().path() {
            // The process answers, which is all that this says: a restart does not bring an API server back.
            "/healthz" | "/livez" => page(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match (self.readiness)() {
                Readiness::Ready(None) => page(StatusCode::OK, "ok\n".to_owned()),
                Readiness::Ready(Some(note)) => page(StatusCode::OK, format!("ok, {note}\n")),
                Readiness::NotReady(reason) => {
                    page(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n"))
                }
            },
            "/metrics" => self.metrics.respond(request.headers()),
            _ => page(StatusCode::NOT_FOUND, "there are /healthz, /livez, /readyz and /metrics\n".to_owned()),
        }
    }
}

fn page(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Build;

    fn ask(readiness: Readiness, method: &str, path: &str) -> (u16, String) {
        let metrics = Metrics::new(Build { version: "1", role: "agent" });
        let pages = Pages::new(metrics, move || readiness.clone());
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let response = pages.answer(&request);
        (response.status().as_u16(), response.into_body())
    }

    #[test]
    fn probes_and_unknown_paths() {
        let ready = || Readiness::Ready(None);
        let stale = Readiness::Ready(Some("with the state of 9 s ago".to_owned()));
        let cases = [
            (ready(), "GET", "/healthz", 200, "ok\n"),
            (Readiness::NotReady("no list yet".to_owned()), "GET", "/livez", 200, "ok\n"),
            (ready(), "GET", "/readyz", 200, "ok\n"),
            (stale, "HEAD", "/readyz", 200, "ok, with the state of 9 s ago\n"),
            (
                Readiness::NotReady("no list yet".to_owned()),
                "GET",
                "/readyz",
                503,
                "not ready: no list yet\n",
            ),
            (ready(), "POST", "/readyz", 405, "only GET and HEAD\n"),
            (ready(), "GET", "/", 404, "there are /healthz, /livez, /readyz and /metrics\n"),
        ];
        for (readiness, method, path, status, text) in cases {
            assert_eq!(ask(readiness, method, path), (status, text.to_owned()), "{method} {path}");
        }
        assert!(ask(ready(), "GET", "/metrics").1.contains("portolan_build_info"));
    }
}
