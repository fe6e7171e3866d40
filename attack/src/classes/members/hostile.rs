//! A server before a member's API server that passes requests on, until it turns hostile.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context as TaskContext, Poll};

use anyhow::Result;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::certificates::server_on_loopback;
use crate::client::Client;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type AnswerBody = BoxBody<Bytes, BoxError>;

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// By the API server behind.
    Honest,
    /// Never.
    Hang,
    /// With bytes that are no JSON.
    Garbage,
    /// With a list that does not end.
    EndlessList,
    /// With pages that always continue.
    EndlessPages,
    /// With events of ever new objects.
    EventFlood,
    /// With a line that does not end.
    EndlessLine,
    /// With a small body that unpacks to gigabytes.
    GzipBomb,
    /// With arrays in arrays.
    DeepJson,
    /// With a redirection to another server.
    Redirect,
    /// With a megabyte of headers.
    HeaderBomb,
    /// With objects of which the fields have the wrong types.
    WrongTypes,
    /// With an error.
    Errors,
    /// With a body that ends in the middle.
    BrokenBody,
}

impl Mode {
    /// The hostile ones.
    pub(super) const ALL: [Self; 13] = [
        Self::Hang,
        Self::Garbage,
        Self::EndlessList,
        Self::EndlessPages,
        Self::EventFlood,
        Self::EndlessLine,
        Self::GzipBomb,
        Self::DeepJson,
        Self::Redirect,
        Self::HeaderBomb,
        Self::WrongTypes,
        Self::Errors,
        Self::BrokenBody,
    ];
}

/// The running server.
pub(super) struct HostileServer {
    address: SocketAddr,
    authority: String,
    mode: watch::Sender<Mode>,
}

impl HostileServer {
    pub(super) async fn start(behind: Client) -> Result<Self> {
        let (tls, authority) = server_on_loopback()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, current) = watch::channel(Mode::Honest);
        let acceptor = TlsAcceptor::from(tls);
        LazyLock::force(&GZIP_BOMB);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind, mut mode) = (acceptor.clone(), behind.clone(), current.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answered_by = *mode.borrow_and_update();
                    let service = hyper::service::service_fn(|request| answer(request, &behind, answered_by));
                    let served = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // The hub may leave at any time; a change of the mode ends all connections, watches too.
                    tokio::select! {
                        _ = served => {}
                        _ = mode.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, authority, mode })
    }

    /// Ends all connections, and answers new ones by `mode`.
    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority of its certificate, as PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

async fn answer(
    request: Request<Incoming>,
    behind: &Client,
    mode: Mode,
) -> Result<Response<AnswerBody>, Infallible> {
    let answer = match mode {
        Mode::Honest => pass_on(request, behind).await.unwrap_or_else(|_| status(StatusCode::BAD_GATEWAY)),
        Mode::Hang => std::future::pending().await,
        _ => lie(mode, request.uri()),
    };
    Ok(answer)
}

async fn pass_on(request: Request<Incoming>, behind: &Client) -> Result<Response<AnswerBody>> {
    let stream = TokioIo::new(behind.connect(b"http/1.1").await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    // The connection is that of the administrator.
    parts.headers.remove(http::header::AUTHORIZATION);
    let response = sender.send_request(Request::from_parts(parts, body)).await?;
    Ok(response.map(|body| body.map_err(BoxError::from).boxed()))
}

fn lie(mode: Mode, uri: &Uri) -> Response<AnswerBody> {
    let is_watch = uri.query().is_some_and(|query| query.contains("watch"));
    let item = |number: u64| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": format!("o{number}"), "namespace": "default", "uid": format!("u{number}"),
            "resourceVersion": (1_000_000 + number).to_string()}, "data": {"text": "x".repeat(2_000)}})
    };
    match mode {
        Mode::Garbage => whole(vec![0xff; 10_000]),
        Mode::EndlessList => endless(move |number| match number {
            0 => r#"{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":["#.to_owned(),
            _ => format!("{},", item(number)),
        }),
        Mode::EndlessPages => whole(
            json!({"kind": "List", "apiVersion": "v1",
                "metadata": {"resourceVersion": "1", "continue": next_token(uri)},
                "items": (0..500).map(|index| item(next_token(uri).len() as u64 * 500 + index)).collect::<Vec<_>>()})
            .to_string()
            .into_bytes(),
        ),
        Mode::EventFlood if is_watch => {
            endless(move |number| format!("{}\n", json!({"type": "ADDED", "object": item(number)})))
        }
        Mode::EventFlood => whole(
            json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
                .to_string()
                .into_bytes(),
        ),
        Mode::EndlessLine => endless(|_| "x".repeat(16_000)),
        Mode::GzipBomb => {
            let mut answer = endless_bytes(&GZIP_BOMB);
            answer.headers_mut().insert("content-encoding", http::HeaderValue::from_static("gzip"));
            answer
        }
        Mode::DeepJson => whole(vec![b'['; 1_000_000]),
        Mode::Redirect => {
            let mut answer = status(StatusCode::TEMPORARY_REDIRECT);
            let target = http::HeaderValue::from_static("https://127.0.0.1:1/");
            answer.headers_mut().insert("location", target);
            answer
        }
        Mode::HeaderBomb => {
            let mut answer = whole(b"{}".to_vec());
            add_headers(answer.headers_mut());
            answer
        }
        Mode::WrongTypes => whole(
            json!({"kind": 1, "metadata": [], "items": [null, 1, "x", {"metadata": {"name": 1, "labels": []}}]})
                .to_string()
                .into_bytes(),
        ),
        Mode::BrokenBody => {
            let next = |number: u64| match number {
                0 => Ok(Bytes::from_static(b"{\"kind\":\"List\"")),
                _ => Err("the end of the mode".into()),
            };
            json_answer(Generated { next: Box::new(next), number: 0 }.boxed())
        }
        Mode::Errors | Mode::Honest | Mode::Hang => {
            let codes = [401, 403, 404, 409, 410, 422, 429, 500, 503, 504];
            let code = codes.get(uri.path().len() % codes.len()).copied().unwrap_or(500);
            status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// A token that is longer each time.
fn next_token(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default();
    let token =
        query.split('&').find_map(|parameter| parameter.strip_prefix("continue=")).unwrap_or_default();
    let length = if token.len() < 1_000 { token.len() + 1 } else { 1 };
    "t".repeat(length)
}

fn add_headers(headers: &mut HeaderMap) {
    let value = http::HeaderValue::from_str(&"x".repeat(10_000));
    for index in 0..90 {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(format!("x-{index}")), &value) {
            headers.insert(name, value.clone());
        }
    }
}

fn status(code: StatusCode) -> Response<AnswerBody> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "reason": "Hostile", "message": "no"});
    let mut answer = whole(body.to_string().into_bytes());
    *answer.status_mut() = code;
    answer
}

fn whole(body: Vec<u8>) -> Response<AnswerBody> {
    json_answer(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed())
}

fn endless(mut next: impl FnMut(u64) -> String + Send + Sync + 'static) -> Response<AnswerBody> {
    json_answer(Generated { next: Box::new(move |number| Ok(Bytes::from(next(number)))), number: 0 }.boxed())
}

/// Sends the bytes once, then their last quarter again and again.
fn endless_bytes(bytes: &Bytes) -> Response<AnswerBody> {
    let start = bytes.clone();
    let rest = start.slice(start.len() * 3 / 4..);
    let next = move |number: u64| Ok(if number == 0 { start.clone() } else { rest.clone() });
    json_answer(Generated { next: Box::new(next), number: 0 }.boxed())
}

fn json_answer(body: AnswerBody) -> Response<AnswerBody> {
    let mut answer = Response::new(body);
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    answer
}

/// Made once: it takes seconds.
static GZIP_BOMB: LazyLock<Bytes> = LazyLock::new(|| gzip_bomb().into());

fn gzip_bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..200 {
        // Writing to memory does not fail.
        let _ = encoder.write_all(&zeros);
    }
    encoder.finish().unwrap_or_default()
}

/// A body that is made while it is sent, until an error ends it.
struct Generated {
    next: Box<dyn FnMut(u64) -> Result<Bytes, BoxError> + Send + Sync>,
    number: u64,
}

impl Body for Generated {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let number = self.number;
        self.number += 1;
        Poll::Ready(Some((self.next)(number).map(Frame::data)))
    }
}
