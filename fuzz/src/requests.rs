//! Requests to the API server and to the kubelet.

use portolan_apiserver::fuzzing as apiserver;
use portolan_playground::kubelet::fuzzing as kubelet;

/// Method, path and query of a request to the API server.
pub(crate) fn api_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    apiserver::read_request(text);
}

/// The header `Accept`.
pub(crate) fn accept_header(data: &[u8]) {
    apiserver::read_accept(data);
}

/// `continue=…`.
pub(crate) fn continue_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    apiserver::read_continue_token(text);
}

/// The query of a request to the kubelet.
pub(crate) fn kubelet_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    kubelet::read_query(text);
}

/// A WebSocket message of an attach or exec session.
pub(crate) fn channel_message(data: &[u8]) {
    kubelet::read_channel_message(data);
}

/// One direction of a SPDY connection.
pub(crate) fn spdy(data: &[u8]) {
    kubelet::read_spdy(data);
}
