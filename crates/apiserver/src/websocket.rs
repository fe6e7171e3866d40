//! Answers that are sent over a WebSocket: watches and logs, for browsers and for clients that watch that way by default.
//!
//! The client asks with `Upgrade: websocket`. What it sends is read and ignored. A token may stand among the protocols that
//! it offers, because browsers cannot set the header `Authorization`. Upstream: kubernetes
//! staging/src/k8s.io/apiserver/pkg/endpoints/handlers/watch.go `HandleWS`,
//! staging/src/k8s.io/streaming/pkg/httpstream/wsstream.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portolan_net::Shutdown;
use portolan_object::Status;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::respond::{self, Body};

/// Greatest message that a client may send, in bytes. Nothing that it sends has a meaning.
const MAX_RECEIVED: usize = 16 * 1024;
/// Time in which a client has to take one message.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for the handshake and for the end of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Prefix of a protocol that is a bearer token.
const BEARER_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// How a body becomes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// One text message for each line.
    Lines,
    /// One binary message for each chunk.
    Chunks,
    /// One text message with the base64 of each chunk.
    Base64,
}

/// A request for a WebSocket.
pub(crate) struct Asked {
    upgrade: OnUpgrade,
    accept: HeaderValue,
    protocols: Vec<String>,
}

/// Whether a request asks for a WebSocket.
fn is_asked(headers: &HeaderMap) -> bool {
    let is = |value: &HeaderValue, word: &str| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    headers.get(UPGRADE).is_some_and(|value| is(value, "websocket"))
        && headers.get_all(CONNECTION).iter().any(|value| is(value, "upgrade"))
}

/// Takes the WebSocket out of a request that asks for one.
///
/// # Errors
/// 400 for a handshake without a key, or over a connection that cannot be upgraded.
pub(crate) fn take(headers: &HeaderMap, extensions: &mut http::Extensions) -> Result<Option<Asked>, Status> {
    if !is_asked(headers) {
        return Ok(None);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| Status::bad_request("the header Sec-WebSocket-Key is missing"))?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(Status::internal)?;
    let upgrade = extensions.remove::<OnUpgrade>();
    let upgrade =
        upgrade.ok_or_else(|| Status::bad_request("the connection cannot be upgraded to a WebSocket"))?;
    let offered = protocols(headers).filter(|offer| !offer.starts_with(BEARER_PREFIX));
    Ok(Some(Asked { upgrade, accept, protocols: offered.map(str::to_owned).collect() }))
}

/// The token among the protocols that a request for a WebSocket offers, as the header `Authorization` would have it.
///
/// A token that is not one is passed on, so that it is refused instead of ignored.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Vec<u8>> {
    if headers.contains_key(AUTHORIZATION) || !is_asked(headers) {
        return None;
    }
    let mut tokens = protocols(headers).filter_map(|offer| offer.strip_prefix(BEARER_PREFIX));
    let token = tokens.next()?;
    // One protocol has to be left to answer with.
    let is_alone = protocols(headers).all(|offer| offer.starts_with(BEARER_PREFIX));
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().filter(|_| tokens.next().is_none() && !is_alone);
    Some([b"Bearer ", decoded.as_deref().unwrap_or(b"malformed")].concat())
}

fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|offer| !offer.is_empty())
}

impl Asked {
    /// Sends a stream of lines, one text message for each.
    ///
    /// # Errors
    /// 403 when the client offers several protocols: there are none to choose from.
    pub(crate) fn send_lines(self, body: Body, scope: &Shutdown) -> Result<Response<Body>, Status> {
        match self.protocols.as_slice() {
            [] => Ok(self.switch("", Framing::Lines, body, scope)),
            [only] => {
                let only = only.clone();
                Ok(self.switch(&only, Framing::Lines, body, scope))
            }
            _ => Err(self.refuse(&[])),
        }
    }

    /// Sends a stream of bytes.
    ///
    /// # Errors
    /// 403 when the client offers only protocols that are not known.
    pub(crate) fn send_bytes(self, body: Body, scope: &Shutdown) -> Result<Response<Body>, Status> {
        const KNOWN: [(&str, Framing); 2] =
            [("binary.k8s.io", Framing::Chunks), ("base64.binary.k8s.io", Framing::Base64)];
        if self.protocols.is_empty() {
            return Ok(self.switch("", Framing::Chunks, body, scope));
        }
        let chosen =
            self.protocols.iter().find_map(|offer| KNOWN.into_iter().find(|(name, _)| name == offer));
        match chosen {
            Some((name, framing)) => Ok(self.switch(name, framing, body, scope)),
            None => Err(self.refuse(&KNOWN.map(|(name, _)| name))),
        }
    }

    fn refuse(&self, known: &[&str]) -> Status {
        let text =
            format!("requested protocol(s) are not supported: {:?}; supports {known:?}", self.protocols);
        Status::new(403, "Forbidden", text)
    }

    /// The answer that switches to the WebSocket; a task of `scope` sends the body.
    fn switch(self, protocol: &str, framing: Framing, body: Body, scope: &Shutdown) -> Response<Body> {
        let (upgrade, ended) = (self.upgrade, scope.clone());
        scope.spawn(async move {
            tokio::select! {
                () = carry(upgrade, body, framing) => {}
                () = ended.requested() => {}
            }
        });
        let mut response = Response::new(respond::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Ok(protocol) = HeaderValue::try_from(protocol)
            && !protocol.is_empty()
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Sends a body over an upgraded connection, until it ends or the client leaves or does not read.
async fn carry(upgrade: OnUpgrade, mut body: Body, framing: Framing) {
    let Ok(Ok(upgraded)) = timeout(CLOSE_TIMEOUT, upgrade).await else { return };
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_RECEIVED)).max_frame_size(Some(MAX_RECEIVED));
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let mut rest = BytesMut::new();
    loop {
        tokio::select! {
            received = socket.next() => match received {
                Some(Ok(message)) if !message.is_close() => {}
                _ => return,
            },
            frame = body.frame() => {
                let Some(Ok(frame)) = frame else { break };
                let Ok(data) = frame.into_data() else { continue };
                for message in framing.messages(&mut rest, data) {
                    if !matches!(timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }
    // Fails if the client has left.
    let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
}

impl Framing {
    /// The messages that are complete with the next piece of a body; `rest` keeps the start of a line.
    fn messages(self, rest: &mut BytesMut, data: Bytes) -> Vec<Message> {
        match self {
            Self::Chunks => vec![Message::Binary(data)],
            Self::Base64 => vec![Message::Text(STANDARD.encode(&data).into())],
            Self::Lines => {
                // What was kept has no end of a line.
                let mut searched = rest.len();
                rest.extend_from_slice(&data);
                let mut messages = Vec::new();
                while let Some(end) = rest[searched..].iter().position(|byte| *byte == b'\n') {
                    let line = rest.split_to(searched + end + 1).freeze();
                    searched = 0;
                    // Objects are UTF-8: they are encoded from strings.
                    messages.extend(Utf8Bytes::try_from(line).map(Message::Text));
                }
                messages
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(offers: &str) -> HeaderMap {
        HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("keep-alive, Upgrade")),
            (UPGRADE, HeaderValue::from_static("WebSocket")),
            (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offers).unwrap()),
        ])
    }

    #[test]
    fn lines_become_messages_however_they_are_cut() {
        let mut rest = BytesMut::new();
        let mut messages = Vec::new();
        for piece in ["{\"a\"", ":1}\n{\"b\":2}\n{", "}", "\n"] {
            messages.extend(Framing::Lines.messages(&mut rest, Bytes::from(piece)));
        }
        let texts: Vec<String> =
            messages.into_iter().map(|message| message.into_text().unwrap().to_string()).collect();
        assert_eq!(texts, ["{\"a\":1}\n", "{\"b\":2}\n", "{}\n"]);
        assert!(rest.is_empty());
    }

    #[test]
    fn a_protocol_can_be_a_bearer_token() {
        let token = URL_SAFE_NO_PAD.encode("secret");
        let cases = [
            (format!("binary.k8s.io, {BEARER_PREFIX}{token}"), Some("Bearer secret")),
            (format!("{BEARER_PREFIX}{token}"), Some("Bearer malformed")),
            (format!("{BEARER_PREFIX}{token}, {BEARER_PREFIX}{token}, a"), Some("Bearer malformed")),
            (format!("a, {BEARER_PREFIX}?"), Some("Bearer malformed")),
            ("a, b".to_owned(), None),
        ];
        for (offers, want) in cases {
            assert_eq!(bearer(&asking(&offers)).as_deref(), want.map(str::as_bytes), "{offers}");
        }
        let mut with_header = asking(&format!("a, {BEARER_PREFIX}{token}"));
        with_header.insert(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert_eq!(bearer(&with_header), None);
    }
}
