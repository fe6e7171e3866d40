//! Upgrades a request to a connection: WebSocket handshake (RFC 6455) or SPDY/3.1.
//!
//! The response is returned immediately; the connection is available after the HTTP server has sent it.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::kubelet::{Body, Refusal};

/// Header with the protocols that a SPDY client offers, and with the one that the server chooses.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const SPDY: &str = "SPDY/3.1";
/// Limit of a WebSocket message; clients of the channel protocols send 32 KiB.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A connection after its upgrade.
pub(crate) type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Protocol that a request asks to upgrade to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    WebSocket,
    Spdy,
}

/// An accepted upgrade.
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// The chosen stream protocol.
    pub(crate) protocol: &'static str,
    pub(crate) response: Response<Body>,
    upgraded: OnUpgrade,
}

impl Carrier {
    /// Reads the requested upgrade.
    pub(crate) fn from_request<B>(request: &Request<B>) -> Result<Self, Refusal> {
        let is = |name: &str| has_token(request.headers(), &header::UPGRADE, name);
        if !has_token(request.headers(), &header::CONNECTION, "upgrade") {
            return Err(Refusal(StatusCode::BAD_REQUEST, "Upgrade request required".to_owned()));
        }
        match (is("websocket"), is(SPDY)) {
            (true, _) => Ok(Self::WebSocket),
            (_, true) => Ok(Self::Spdy),
            _ => {
                let problem = "unable to upgrade: neither to websocket nor to SPDY/3.1";
                Err(Refusal(StatusCode::BAD_REQUEST, problem.to_owned()))
            }
        }
    }
}

/// Accepts an upgrade with the first protocol of the client that is in `known`. A client that names none gets the one
/// with the empty name.
pub(crate) fn accept<B>(
    request: &mut Request<B>,
    carrier: Carrier,
    known: &[&'static str],
) -> Result<Upgrade, Refusal> {
    let offered = match carrier {
        Carrier::WebSocket => tokens(request.headers(), &header::SEC_WEBSOCKET_PROTOCOL),
        Carrier::Spdy => tokens(request.headers(), &STREAM_PROTOCOL),
    };
    let offered = if offered.is_empty() { vec![String::new()] } else { offered };
    let protocol = offered.iter().find_map(|offer| known.iter().copied().find(|name| name == offer));
    let Some(protocol) = protocol else {
        let problem = format!(
            "unable to upgrade: unable to negotiate protocol: client supports {offered:?}, server accepts {known:?}"
        );
        return Err(Refusal(StatusCode::FORBIDDEN, problem));
    };
    let upgraded = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(|| {
        Refusal(StatusCode::BAD_REQUEST, "unable to upgrade: the connection is not HTTP/1.1".to_owned())
    })?;
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    match carrier {
        Carrier::WebSocket => {
            let key = request.headers().get(header::SEC_WEBSOCKET_KEY).ok_or_else(|| {
                Refusal(StatusCode::BAD_REQUEST, "the Sec-WebSocket-Key is missing".to_owned())
            })?;
            let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
                .expect("base64 is a valid header value");
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
            if !protocol.is_empty() {
                headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
            }
        }
        Carrier::Spdy => {
            headers.insert(header::UPGRADE, HeaderValue::from_static(SPDY));
            headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
        }
    }
    Ok(Upgrade { protocol, response, upgraded })
}

/// The connection, once the response is sent; `None` when the client disconnected before.
pub(crate) async fn connection(upgraded: OnUpgrade) -> Option<Upgraded> {
    upgraded.await.ok().map(TokioIo::new)
}

/// The server side of a WebSocket.
pub(crate) async fn web_socket(connection: Upgraded) -> WebSocketStream<Upgraded> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await
}

impl Upgrade {
    /// Splits into protocol, response and future connection.
    pub(crate) fn split(self) -> (&'static str, Response<Body>, OnUpgrade) {
        (self.protocol, self.response, self.upgraded)
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).iter().any(|other| other.eq_ignore_ascii_case(token))
}

/// The comma-separated values of all headers with a name.
fn tokens(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|token| token.trim().to_owned()).collect()
}
