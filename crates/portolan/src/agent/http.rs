//! The HTTP pages of an agent: `/healthz`, `/readyz` and `/metrics`.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use portolan_net::Shutdown;
use portolan_net::server::Server;
use tokio::net::TcpListener;
use tower::service_fn;

use super::metrics::{CONTENT_TYPE, Observed};

const TEXT: &str = "text/plain; charset=utf-8";

/// Serves the pages until `scope` is asked to stop.
pub(super) fn serve(listener: TcpListener, observed: Arc<Observed>, scope: &Shutdown) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (status, kind, body) = page(request.method(), request.uri().path(), &observed);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        std::future::ready(Ok::<_, Infallible>(response))
    });
    Server::plain(listener).spawn(service, scope);
}

fn page(method: &Method, path: &str, observed: &Arc<Observed>) -> (StatusCode, &'static str, String) {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
    }
    match path {
        // Liveness does not depend on the API server: a restart of the agent would not repair it.
        "/healthz" | "/livez" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => readiness(observed),
        "/metrics" => match observed.render() {
            Ok(text) => (StatusCode::OK, CONTENT_TYPE, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        _ => (StatusCode::NOT_FOUND, TEXT, "there are /healthz, /readyz and /metrics\n".to_owned()),
    }
}

/// Ready after the first complete sync. Later errors are reported; the agent keeps answering.
fn readiness(observed: &Observed) -> (StatusCode, &'static str, String) {
    let state = observed.follower.state();
    match (state.waiting_for, state.trouble) {
        (Some(reason), _) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
        (None, Some(trouble)) => {
            let age = state.age.as_secs();
            (StatusCode::OK, TEXT, format!("ok, with the state of {age} s ago: {trouble}\n"))
        }
        (None, None) => (StatusCode::OK, TEXT, "ok\n".to_owned()),
    }
}
