//! The client's end of a session, frame by frame, for tests.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::spdy::frame::{self, Frame};
use crate::spdy::headers::{Encoder, HeaderList};

const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Peer<C> {
    wire: C,
    buffer: BytesMut,
    encoder: Encoder,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Peer<C> {
    pub(crate) fn new(wire: C) -> Self {
        Self { wire, buffer: BytesMut::new(), encoder: Encoder::new() }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.raw(&bytes).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        timeout(DEADLINE, self.wire.write_all(bytes)).await.expect("room").expect("open");
    }

    pub(crate) async fn open(&mut self, stream: u32, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let block = self.encoder.encode(&HeaderList(headers.collect()));
        let frame =
            Frame::SynStream { stream, associated: 0, priority: 0, fin: false, unidirectional: false, block };
        self.send(frame).await;
    }

    pub(crate) async fn data(&mut self, stream: u32, bytes: &'static [u8], fin: bool) {
        self.send(Frame::Data { stream, fin, bytes: Bytes::from_static(bytes) }).await;
    }

    pub(crate) async fn receive(&mut self) -> Frame {
        loop {
            if let Some(frame) = frame::decode(&mut self.buffer).expect("valid frames") {
                return frame;
            }
            let read = timeout(DEADLINE, self.wire.read_buf(&mut self.buffer)).await.expect("a frame");
            assert!(read.expect("open") > 0, "the session ended");
        }
    }

    /// The next frame except WINDOW_UPDATE.
    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            match self.receive().await {
                Frame::WindowUpdate { .. } => {}
                other => return other,
            }
        }
    }

    pub(crate) async fn reply(&mut self, stream: u32) {
        assert!(matches!(self.next().await, Frame::SynReply { stream: replied, .. } if replied == stream));
    }
}
