//! Requests to another server, and its answers on their way to the client. Each answer holds a permit until it has ended.

use std::error::Error;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portolan_net::Shutdown;
use tokio::sync::OwnedSemaphorePermit;

use super::dial::Connection;
use super::tunnel;
use crate::respond::{self, Body};

/// Sends a request over a new connection, and waits for the head of the answer. A task of `scope` drives the connection.
pub(super) async fn exchange<C, B>(
    connection: C,
    request: Request<B>,
    scope: &Shutdown,
) -> hyper::Result<Response<Incoming>>
where
    C: Connection + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut sender, driver) = http1::handshake::<_, B>(TokioIo::new(connection)).await?;
    scope.spawn(async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%error, "connection to another server ended");
        }
    });
    sender.send_request(request).await
}

/// A body that is passed on as it comes.
pub(super) fn body(answer: Incoming, permit: OwnedSemaphorePermit) -> Body {
    let frames = answer.map_frame(move |frame| {
        // The permit is held until the body is dropped.
        let _held = &permit;
        frame
    });
    frames.map_err(Into::into).boxed_unsync()
}

/// Status and body of an answer, and the headers that `copy` takes.
pub(super) fn relay(
    answer: Response<Incoming>,
    permit: OwnedSemaphorePermit,
    copy: impl FnOnce(&HeaderMap, &mut HeaderMap),
) -> Response<Body> {
    let (head, incoming) = answer.into_parts();
    let mut response = Response::new(body(incoming, permit));
    *response.status_mut() = head.status;
    copy(&head.headers, response.headers_mut());
    response
}

/// The answer that switches protocols. A task of `scope` copies the bytes of both sides.
pub(super) fn switch(
    client: OnUpgrade,
    mut answer: Response<Incoming>,
    scope: &Shutdown,
    permit: OwnedSemaphorePermit,
) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut answer);
    let ended = scope.clone();
    scope.spawn(async move {
        tunnel::join(client, upgraded, &ended).await;
        drop(permit);
    });
    let mut response = Response::new(respond::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    tunnel::copy_answer_headers(answer.headers(), response.headers_mut());
    response
}
