//! A watch as a stream of events.
//!
//! Splits the body into lines as it arrives, so an event is available as soon as its last byte is. The stream ends when the
//! server ends it, or at the first failure; the cache reconnects.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use portolan_object::ObjectKey;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::decode::{self, ManagedFields, WatchEvent};
use crate::client::error::ClientError;
use crate::client::transport::{Body, Transport};
use crate::limits::{Budget, Excess, Reservation};
use crate::resource::Resource;

/// Length of a frame from which on it is decoded on a thread for blocking work: it can take a tenth of a second, in which the
/// other tasks of the thread would wait.
const LONG_FRAME: usize = 64 << 10;

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
    /// When data came last.
    heard: Instant,
    /// Largest frame, which carries one object.
    frame_bytes: usize,
    /// Memory of the buffer.
    reserved: Reservation,
    managed_fields: ManagedFields,
    /// A long frame that is being decoded.
    decoding: Option<JoinHandle<Result<WatchEvent<T>, ClientError>>>,
}

/// Bounds of a watch.
#[derive(Debug, Clone)]
pub(crate) struct WatchBounds {
    /// Longest time without data before the connection counts as dead.
    pub(crate) silence: Duration,
    /// Largest frame, which carries one object.
    pub(crate) frame_bytes: usize,
    /// The budget in which the buffer counts.
    pub(crate) budget: Option<Arc<Budget>>,
}

impl<T> WatchStream<T> {
    pub(crate) fn new(
        transport: Transport,
        body: Body,
        resource: Resource,
        bounds: WatchBounds,
        managed_fields: ManagedFields,
    ) -> Self {
        let WatchBounds { silence, frame_bytes, budget } = bounds;
        let (buffer, searched, heard) = (BytesMut::new(), 0, Instant::now());
        let (reserved, decoding) = (Reservation::new(budget), None);
        Self {
            transport,
            body,
            resource,
            buffer,
            searched,
            silence,
            heard,
            frame_bytes,
            reserved,
            managed_fields,
            decoding,
        }
    }

    /// The error for what the server sent too much of.
    pub(crate) fn excessive(&self, excess: Excess) -> ClientError {
        self.transport.excessive(excess)
    }

    fn check_size(&self, bytes: usize) -> Result<(), ClientError> {
        if bytes > self.frame_bytes {
            return Err(self.excessive(Excess::Object { bytes: self.frame_bytes }));
        }
        Ok(())
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
        match tokio::time::timeout_at(self.heard + self.silence, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                self.heard = Instant::now();
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
}

impl<T: DeserializeOwned + Send + 'static> WatchStream<T> {
    /// The next event; `None` after the server ended the stream in order.
    ///
    /// # Errors
    /// [`ClientError::Expired`] if the server no longer has the version to resume from. The stream is over after any
    /// error.
    pub async fn next(&mut self) -> Result<Option<WatchEvent<T>>, ClientError> {
        self.next_unless(|_, _| false).await
    }

    /// The next event. Objects for which `is_known` holds (key, version) are not decoded: [`WatchEvent::Known`]. Dropping
    /// the future loses no event.
    pub(crate) async fn next_unless(
        &mut self,
        is_known: impl Fn(&ObjectKey, &str) -> bool,
    ) -> Result<Option<WatchEvent<T>>, ClientError> {
        loop {
            if let Some(event) = self.decoded().await {
                return event.map(Some);
            }
            if let Some(line) = self.take_line() {
                self.check_size(line.len())?;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                if line.len() >= LONG_FRAME {
                    self.decode_long(line);
                    continue;
                }
                return decode::frame(&line, &self.resource, self.managed_fields, is_known).map(Some);
            }
            self.check_size(self.buffer.len())?;
            let reserved = self.reserved.at_least(self.buffer.len() as u64);
            reserved.map_err(|excess| self.transport.excessive(excess))?;
            if !self.read().await? {
                return self.last_line();
            }
        }
    }

    /// Starts to decode a long frame. Whether its object is known is not asked: long objects are rare.
    fn decode_long(&mut self, line: Bytes) {
        let (resource, managed_fields) = (self.resource.clone(), self.managed_fields);
        let decode = move || decode::frame(&line, &resource, managed_fields, |_, _| false);
        self.decoding = Some(tokio::task::spawn_blocking(decode));
    }

    /// The long frame, when it is decoded; `None` if there is none.
    async fn decoded(&mut self) -> Option<Result<WatchEvent<T>, ClientError>> {
        let decoded = self.decoding.as_mut()?.await;
        self.decoding = None;
        // Decoding panicked, or the runtime stops.
        Some(decoded.unwrap_or_else(|error| Err(self.transport.unreachable(error.into()))))
    }

    /// The frame after the last line end. A frame that is cut off is dropped; the resumed watch sends it again.
    fn last_line(&mut self) -> Result<Option<WatchEvent<T>>, ClientError> {
        let rest = self.buffer.split().freeze();
        self.searched = 0;
        match decode::frame(&rest, &self.resource, self.managed_fields, |_, _| false) {
            Err(ClientError::Unreadable { .. }) => Ok(None),
            complete => complete.map(Some),
        }
    }
}
