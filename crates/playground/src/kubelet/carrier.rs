//! Carries the streams of an attach or exec session over the connection of its client.

use crate::kubelet::channels::{self, ChannelProtocol};
use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::spdy_streams;
use crate::kubelet::streams::{CarrierStreams, PROTOCOLS, RequestedStreams};

/// The stream protocols of attach and exec.
pub(crate) fn protocols(carrier: Carrier) -> &'static [&'static str] {
    match carrier {
        Carrier::WebSocket => channels::NAMES,
        Carrier::Spdy => PROTOCOLS,
    }
}

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
            let socket = handshake::web_socket(connection).await;
            channels::carry(socket, ChannelProtocol::named(protocol), requested, ends).await;
        }
        Carrier::Spdy => spdy_streams::carry(connection, requested, ends).await,
    }
}
