//! Carries the streams of an attach or exec session over the connection of its client.

use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::streams::{CarrierStreams, RequestedStreams, V5};
use crate::kubelet::{channels, spdy_streams};

/// Carries the streams of a session over an upgraded connection until the session ends or the client disconnects.
pub(crate) async fn carry(
    carrier: Carrier,
    protocol: &str,
    connection: Upgraded,
    requested: RequestedStreams,
    ends: CarrierStreams,
) {
    match carrier {
        Carrier::WebSocket => {
            channels::carry(handshake::web_socket(connection).await, protocol == V5, requested, ends).await;
        }
        Carrier::Spdy => spdy_streams::carry(connection, requested, ends).await,
    }
}
