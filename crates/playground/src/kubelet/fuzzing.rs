//! Entry points of the fuzz targets: the parsers of the kubelet without a connection.

use bytes::{Bytes, BytesMut};
use http::Request;

use crate::kubelet::channels;
use crate::kubelet::forward;
use crate::kubelet::logs::LogOptions;
use crate::kubelet::query::Query;
use crate::kubelet::streams::{ClientMessage, RequestedStreams};
use crate::spdy::frame::{self, Frame};
use crate::spdy::headers::{Decoder, Encoder};

/// Reads one direction of a SPDY connection, and checks that frames and header lists survive being written again.
pub fn read_spdy(bytes: &[u8]) {
    let (mut decoder, mut encoder, mut reader) = (Decoder::new(), Encoder::new(), Decoder::new());
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::decode(&mut buffer) {
        let mut wire = BytesMut::new();
        frame.encode(&mut wire);
        let again = frame::decode(&mut wire);
        assert!(
            matches!(frame, Frame::Unknown(_)) || again.as_ref() == Ok(&Some(frame.clone())),
            "{again:?}"
        );
        let (Frame::SynStream { block, .. } | Frame::SynReply { block, .. } | Frame::Headers { block, .. }) =
            frame
        else {
            continue;
        };
        // The block after an unreadable one cannot be read either.
        let Ok(headers) = decoder.decode(&block) else { return };
        assert_eq!(reader.decode(&encoder.encode(&headers)).as_ref(), Ok(&headers));
    }
}

/// Reads a WebSocket message of an attach or exec session.
pub fn read_channel_message(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for closes in [false, true] {
        if let Some(ClientMessage::Input(input)) = channels::client_message(&bytes, closes) {
            assert_eq!(input.len() + 1, bytes.len());
        }
    }
}

/// Reads a query string as the options of logs, attach, exec and port forwarding.
pub fn read_query(text: &str) {
    let Ok(request) = Request::get(format!("/?{text}")).body(()) else { return };
    let query = Query::from_request(&request);
    // Errors are expected; a panic is not.
    let _ = LogOptions::from_query(&query);
    let _ = RequestedStreams::from_query(&query);
    let _ = forward::ports(&query);
}
