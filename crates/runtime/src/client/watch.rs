//! A watch as a stream of events.
//!
//! Splits the body into lines as it arrives, so an event is available as soon as its last byte is. The stream ends when the
//! server ends it, or at the first failure; the cache reconnects.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use portolan_object::ObjectKey;
use serde::de::DeserializeOwned;

use crate::client::decode::{self, WatchEvent};
use crate::client::error::ClientError;
use crate::client::transport::{Body, Transport};
use crate::resource::Resource;

/// Largest frame, in bytes. A frame carries one object, and kube-apiserver limits a request to 3 MiB.
const MAX_FRAME_BYTES: usize = 16 << 20;

/// A running watch.
pub struct WatchStream<T> {
    transport: Transport,
    body: Body,
    resource: Resource,
    buffer: BytesMut,
    /// Offset at which the search for the next line end starts.
    searched: usize,
    /// Longest time without data before the connection counts as dead.
    silence: Duration,
    content: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> WatchStream<T> {
    pub(crate) fn new(transport: Transport, body: Body, resource: Resource, silence: Duration) -> Self {
        let (buffer, searched) = (BytesMut::new(), 0);
        Self { transport, body, resource, buffer, searched, silence, content: PhantomData }
    }

    /// The next event; `None` after the server ended the stream in order.
    ///
    /// # Errors
    /// [`ClientError::Expired`] if the server no longer has the version to resume from. The stream is over after any
    /// error.
    pub async fn next(&mut self) -> Result<Option<WatchEvent<T>>, ClientError> {
        self.next_unless(|_, _| false).await
    }

    /// The next event. Objects for which `is_known` holds (key, version) are not decoded: [`WatchEvent::Known`].
    pub(crate) async fn next_unless(
        &mut self,
        is_known: impl Fn(&ObjectKey, &str) -> bool,
    ) -> Result<Option<WatchEvent<T>>, ClientError> {
        loop {
            if let Some(line) = self.take_line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return decode::frame(&line, &self.resource, is_known).map(Some);
            }
            if self.buffer.len() > MAX_FRAME_BYTES {
                return Err(self.transport.unreachable("a watch frame is longer than 16 MiB".into()));
            }
            if !self.read().await? {
                return self.last_line();
            }
        }
    }

    /// Splits off the next complete line.
    fn take_line(&mut self) -> Option<Bytes> {
        let Some(offset) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.searched + offset + 1).freeze();
        self.searched = 0;
        Some(line)
    }

    /// Reads more; false at the end.
    async fn read(&mut self) -> Result<bool, ClientError> {
        match tokio::time::timeout(self.silence, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.buffer.extend_from_slice(&data);
                }
                Ok(true)
            }
            Ok(Some(Err(source))) => Err(self.transport.unreachable(source)),
            Ok(None) => Ok(false),
            Err(_) => {
                let text = format!("a watch was silent for {:?}", self.silence);
                Err(self.transport.unreachable(text.into()))
            }
        }
    }

    /// The frame after the last line end. A frame that is cut off is dropped; the resumed watch sends it again.
    fn last_line(&mut self) -> Result<Option<WatchEvent<T>>, ClientError> {
        let rest = self.buffer.split().freeze();
        self.searched = 0;
        match decode::frame(&rest, &self.resource, |_, _| false) {
            Err(ClientError::Unreadable { .. }) => Ok(None),
            complete => complete.map(Some),
        }
    }
}
