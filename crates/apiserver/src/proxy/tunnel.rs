//! Copies bytes between two upgraded connections.

use http::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portolan_net::Shutdown;
use tokio::io::copy_bidirectional_with_sizes;

/// Negotiation of SPDY: clients offer protocols, servers reply with one.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_PROTOCOLS: HeaderName = HeaderName::from_static("x-accepted-stream-protocol-versions");

/// Prefix of a WebSocket protocol that is a bearer token.
const BEARER_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// Copy buffer size in each direction, in bytes.
const BUFFER: usize = 32 * 1024;

/// Request headers that are forwarded to the kubelet. All others, especially credentials, are dropped.
const REQUEST_HEADERS: [HeaderName; 7] = [
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
    STREAM_PROTOCOL,
];

/// Response headers that are forwarded to the client.
const ANSWER_HEADERS: [HeaderName; 7] = [
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
    STREAM_PROTOCOL,
    ACCEPTED_PROTOCOLS,
];

/// Whether a request asks for a connection upgrade.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let asks = |value: &http::HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
    };
    headers.contains_key(UPGRADE) && headers.get_all(CONNECTION).iter().any(asks)
}

/// Copies the headers for the kubelet. Browsers send a token as a WebSocket protocol; it is dropped.
pub(super) fn copy_request_headers(from: &HeaderMap, to: &mut HeaderMap) {
    copy(&REQUEST_HEADERS, from, to);
    let offers = from.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offers = offers.flat_map(|value| value.split(',')).map(str::trim);
    let kept: Vec<&str> = offers.filter(|offer| !offer.starts_with(BEARER_PREFIX)).collect();
    to.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(value) = http::HeaderValue::try_from(kept.join(", "))
        && !kept.is_empty()
    {
        to.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

pub(super) fn copy_answer_headers(from: &HeaderMap, to: &mut HeaderMap) {
    copy(&ANSWER_HEADERS, from, to);
}

fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// Copies bytes both ways until both sides have ended, one fails, or the scope stops. The end of one side is passed to
/// the other, which may continue to send.
pub(super) async fn join(client: OnUpgrade, kubelet: OnUpgrade, scope: &Shutdown) {
    let both = async {
        let (client, kubelet) = (client.await.ok()?, kubelet.await.ok()?);
        let (mut client, mut kubelet) = (TokioIo::new(client), TokioIo::new(kubelet));
        let copied = copy_bidirectional_with_sizes(&mut client, &mut kubelet, BUFFER, BUFFER).await;
        if let Err(error) = copied {
            tracing::debug!(%error, "a stream of a pod broke");
        }
        Some(())
    };
    tokio::select! {
        _ = both => {}
        () = scope.requested() => {}
    }
}
