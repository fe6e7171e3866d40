//! A SPDY session: streams that the peer opens, over any byte stream.
//!
//! [`Session::serve`] returns a handle and a driver; the owner polls both. Buffers are bounded: [`INBOX_CHUNKS`] chunks per
//! stream, [`OUTBOX_FRAMES`] frames per session. A slow reader of one stream blocks the whole connection, because the peers
//! ignore the credit they are granted.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::spdy::frame::{self, Frame, FrameError, GOAWAY_OK, INITIAL_WINDOW_SIZE, Reset};
use crate::spdy::headers::{Decoder, Encoder, HeaderError, HeaderList};
use crate::spdy::window::{Credit, INITIAL_CREDIT};

/// Size limit of the data in a sent frame, and of a chunk for a reader.
const COPY_CHUNK: usize = 16 << 10;
/// Received chunks that wait for the reader of a stream.
const INBOX_CHUNKS: usize = 16;
/// Frames that wait to be sent.
const OUTBOX_FRAMES: usize = 16;
/// Open streams; more are refused.
const MAX_STREAMS: usize = 256;
/// Time for the peer to close the connection after GOAWAY.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// Consumed bytes after which new credit is granted to the peer.
const GRANT_THRESHOLD_BYTES: usize = INITIAL_CREDIT as usize / 2;

/// Handle of a session.
#[derive(Debug)]
pub(crate) struct Session {
    opened: mpsc::Receiver<Stream>,
    outbox: mpsc::Sender<Outgoing>,
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) headers: HeaderList,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// Receives the data of a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    id: u32,
    inbox: mpsc::Receiver<Inbound>,
    outbox: mpsc::Sender<Outgoing>,
    consumed: usize,
}

/// Sends data on a stream; dropping it before [`Writer::finish`] resets the stream.
#[derive(Debug)]
pub(crate) struct Writer {
    id: u32,
    state: Arc<SessionState>,
    outbox: mpsc::Sender<Outgoing>,
    finished: bool,
}

/// The stream was reset by the peer, or the session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream was reset")]
pub(crate) struct StreamError;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the connection failed")]
    Connection(#[from] io::Error),
    #[error("the peer does not speak SPDY/3")]
    Frame(#[from] FrameError),
    #[error("the peer's headers are unreadable")]
    Headers(#[from] HeaderError),
    #[error("the peer granted more credit than can be counted")]
    Credit,
}

#[derive(Debug)]
enum Inbound {
    Chunk(Bytes),
    End,
}

#[derive(Debug)]
enum Outgoing {
    Reply(u32),
    Frame(Frame),
    /// The last frame; the session ends after it.
    GoAway,
}

#[derive(Debug)]
struct SessionState {
    credit: Mutex<Credit>,
    credit_changed: Notify,
    streams: Mutex<BTreeMap<u32, StreamState>>,
}

/// Open directions of a stream.
#[derive(Debug)]
struct StreamState {
    /// `None` after the peer has finished.
    inbox: Option<mpsc::Sender<Inbound>>,
    writing: bool,
}

impl Session {
    /// Creates a session over `connection`, and its driver, which must be polled. The driver ends with the connection, or
    /// after [`Session::close`].
    pub(crate) fn serve<C>(connection: C) -> (Self, impl Future<Output = Result<(), SessionError>> + Send)
    where
        C: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (outbox, outgoing) = mpsc::channel(OUTBOX_FRAMES);
        let (opening, opened) = mpsc::channel(MAX_STREAMS);
        let state = Arc::new(SessionState {
            credit: Mutex::new(Credit::new()),
            credit_changed: Notify::new(),
            streams: Mutex::default(),
        });
        let receiver = Receiver {
            state: state.clone(),
            opening,
            outbox: outbox.clone(),
            decoder: Decoder::new(),
            last: 0,
        };
        let driver = async move {
            let (reader, writer) = tokio::io::split(connection);
            let receiving = receiver.run(reader);
            tokio::pin!(receiving);
            let result = tokio::select! {
                received = receiving.as_mut() => received,
                sent = send(writer, outgoing) => match sent {
                    // Closing the connection while the peer sends would reset it, and the peer could lose unread frames.
                    Ok(()) => timeout(LINGER_TIMEOUT, receiving).await.unwrap_or(Ok(())),
                    Err(error) => Err(error.into()),
                },
            };
            state.close_all();
            result
        };
        (Self { opened, outbox }, driver)
    }

    /// The next stream that the peer opens; `None` after the session has ended.
    pub(crate) async fn accept(&mut self) -> Option<Stream> {
        self.opened.recv().await
    }

    /// Sends the queued frames and GOAWAY, and ends the session.
    pub(crate) async fn close(&self) {
        // Fails if the session has ended.
        let _ = self.outbox.send(Outgoing::GoAway).await;
    }
}

impl Reader {
    /// The next bytes; `None` after the peer has finished.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        match self.inbox.recv().await {
            Some(Inbound::Chunk(bytes)) => {
                self.consumed += bytes.len();
                if self.consumed >= GRANT_THRESHOLD_BYTES {
                    let delta = std::mem::take(&mut self.consumed) as u32;
                    for stream in [self.id, 0] {
                        let grant = Outgoing::Frame(Frame::WindowUpdate { stream, delta });
                        // Fails if the session has ended; the bytes are valid anyway.
                        let _ = self.outbox.send(grant).await;
                    }
                }
                Ok(Some(bytes))
            }
            Some(Inbound::End) => Ok(None),
            None => Err(StreamError),
        }
    }
}

impl Writer {
    /// Sends bytes, waiting for credit and for room in the queue.
    pub(crate) async fn send(&mut self, mut bytes: Bytes) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            let granted = self.credit(bytes.len().min(COPY_CHUNK)).await?;
            let frame = Frame::Data { stream: self.id, fin: false, bytes: bytes.split_to(granted) };
            self.outbox.send(Outgoing::Frame(frame)).await.map_err(|_| StreamError)?;
        }
        Ok(())
    }

    /// Ends the data of the stream.
    pub(crate) async fn finish(mut self) -> Result<(), StreamError> {
        self.finished = true;
        let last = Frame::Data { stream: self.id, fin: true, bytes: Bytes::new() };
        let sent = self.outbox.send(Outgoing::Frame(last)).await;
        self.state.stop_writing(self.id);
        sent.map_err(|_| StreamError)
    }

    async fn credit(&self, wanted: usize) -> Result<usize, StreamError> {
        loop {
            let changed = self.state.credit_changed.notified();
            if !self.state.is_open(self.id) {
                return Err(StreamError);
            }
            match self.state.credit.lock().take(self.id, wanted) {
                0 => {}
                granted => return Ok(granted),
            }
            changed.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished && self.state.close(self.id) {
            let frame = Frame::RstStream { stream: self.id, status: Reset::Cancel as u32 };
            // If the queue is full, the peer notices at the end of the session.
            let _ = self.outbox.try_send(Outgoing::Frame(frame));
        }
    }
}

impl SessionState {
    /// Adds a stream; `false` when there are too many.
    fn open(&self, stream: u32, inbox: mpsc::Sender<Inbound>) -> bool {
        let mut streams = self.streams.lock();
        if streams.len() >= MAX_STREAMS {
            return false;
        }
        streams.insert(stream, StreamState { inbox: Some(inbox), writing: true });
        self.credit.lock().open(stream);
        true
    }

    fn is_open(&self, stream: u32) -> bool {
        self.streams.lock().get(&stream).is_some_and(|stream_state| stream_state.writing)
    }

    /// Removes a stream; `false` when it is unknown.
    fn close(&self, stream: u32) -> bool {
        let was_open = self.streams.lock().remove(&stream).is_some();
        self.credit.lock().close(stream);
        self.credit_changed.notify_waiters();
        was_open
    }

    fn close_all(&self) {
        self.streams.lock().clear();
        self.credit_changed.notify_waiters();
    }

    fn stop_writing(&self, stream: u32) {
        let has_ended = {
            let mut streams = self.streams.lock();
            streams.get_mut(&stream).is_some_and(|stream_state| {
                stream_state.writing = false;
                stream_state.inbox.is_none()
            })
        };
        if has_ended {
            self.close(stream);
        }
    }

    /// Takes the inbox of a stream after the peer has finished.
    fn stop_reading(&self, stream: u32) -> Option<mpsc::Sender<Inbound>> {
        let (inbox, has_ended) = {
            let mut streams = self.streams.lock();
            let stream_state = streams.get_mut(&stream)?;
            (stream_state.inbox.take(), !stream_state.writing)
        };
        if has_ended {
            self.close(stream);
        }
        inbox
    }

    fn inbox(&self, stream: u32) -> Option<mpsc::Sender<Inbound>> {
        self.streams.lock().get(&stream)?.inbox.clone()
    }
}

/// Handles the frames of the peer.
struct Receiver {
    state: Arc<SessionState>,
    opening: mpsc::Sender<Stream>,
    outbox: mpsc::Sender<Outgoing>,
    decoder: Decoder,
    /// Highest stream id of the peer.
    last: u32,
}

impl Receiver {
    async fn run(mut self, mut connection: impl AsyncRead + Unpin) -> Result<(), SessionError> {
        let mut buffer = BytesMut::with_capacity(COPY_CHUNK);
        loop {
            while let Some(frame) = frame::decode(&mut buffer)? {
                self.handle(frame).await?;
            }
            if connection.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), SessionError> {
        match frame {
            Frame::SynStream { stream, fin, block, .. } => {
                let headers = self.decoder.decode(&block)?;
                self.open(stream, fin, headers).await;
            }
            Frame::SynReply { block, .. } | Frame::Headers { block, .. } => {
                // Ignored, but the decoder must process every header block.
                self.decoder.decode(&block)?;
            }
            Frame::Data { stream, fin, bytes } => self.data(stream, fin, bytes).await,
            Frame::RstStream { stream, .. } => {
                self.state.close(stream);
            }
            Frame::Ping(id) if id % 2 == 1 => self.push(Outgoing::Frame(Frame::Ping(id))).await,
            Frame::WindowUpdate { stream, delta } => {
                self.state.credit.lock().grant(stream, delta).map_err(|_| SessionError::Credit)?;
                self.state.credit_changed.notify_waiters();
            }
            Frame::Settings(settings) => {
                for (_, size) in settings.into_iter().filter(|(id, _)| *id == INITIAL_WINDOW_SIZE) {
                    self.state.credit.lock().set_initial(size);
                    self.state.credit_changed.notify_waiters();
                }
            }
            // After GOAWAY the peer finishes its streams and closes the connection.
            Frame::GoAway { .. } | Frame::Ping(_) | Frame::Unknown(_) => {}
        }
        Ok(())
    }

    async fn open(&mut self, stream: u32, fin: bool, headers: HeaderList) {
        // Draft 3, section 2.3.2: streams of a client have odd ids that grow.
        if stream.is_multiple_of(2) || stream <= self.last {
            return self.reset(stream, Reset::ProtocolError).await;
        }
        self.last = stream;
        let (sender, inbox) = mpsc::channel(INBOX_CHUNKS);
        if !self.state.open(stream, sender) {
            return self.reset(stream, Reset::RefusedStream).await;
        }
        self.push(Outgoing::Reply(stream)).await;
        let opened = Stream {
            headers,
            reader: Reader { id: stream, inbox, outbox: self.outbox.clone(), consumed: 0 },
            writer: Writer {
                id: stream,
                state: self.state.clone(),
                outbox: self.outbox.clone(),
                finished: false,
            },
        };
        if fin {
            self.end(stream).await;
        }
        // Fails if the owner accepts no more streams; dropping the stream resets it.
        let _ = self.opening.send(opened).await;
    }

    async fn data(&self, stream: u32, fin: bool, mut bytes: Bytes) {
        let Some(inbox) = self.state.inbox(stream) else {
            self.discard(bytes.len()).await;
            if stream > self.last || stream.is_multiple_of(2) {
                self.reset(stream, Reset::InvalidStream).await;
            }
            return;
        };
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(COPY_CHUNK));
            if let Err(refused) = inbox.send(Inbound::Chunk(chunk)).await {
                let Inbound::Chunk(chunk) = refused.0 else { continue };
                self.discard(chunk.len()).await;
            }
        }
        if fin {
            self.end(stream).await;
        }
    }

    async fn end(&self, stream: u32) {
        if let Some(inbox) = self.state.stop_reading(stream) {
            // Fails if the reader was dropped.
            let _ = inbox.send(Inbound::End).await;
        }
    }

    /// Returns the session's credit for discarded bytes.
    async fn discard(&self, length: usize) {
        if length > 0 {
            self.push(Outgoing::Frame(Frame::WindowUpdate { stream: 0, delta: length as u32 })).await;
        }
    }

    async fn reset(&self, stream: u32, reason: Reset) {
        self.push(Outgoing::Frame(Frame::RstStream { stream, status: reason as u32 })).await;
    }

    async fn push(&self, outgoing: Outgoing) {
        // Fails if the session has ended.
        let _ = self.outbox.send(outgoing).await;
    }
}

/// Sends frames until GOAWAY.
async fn send(
    mut connection: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> io::Result<()> {
    let mut encoder = Encoder::new();
    let mut buffer = BytesMut::new();
    let mut has_ended = false;
    while !has_ended && let Some(first) = outgoing.recv().await {
        let mut next = Some(first);
        while let Some(item) = next.take() {
            match item {
                Outgoing::Frame(frame) => frame.encode(&mut buffer),
                Outgoing::Reply(stream) => {
                    let block = encoder.encode(&HeaderList::default());
                    Frame::SynReply { stream, fin: false, block }.encode(&mut buffer);
                }
                Outgoing::GoAway => {
                    Frame::GoAway { last_good: 0, status: GOAWAY_OK }.encode(&mut buffer);
                    has_ended = true;
                    break;
                }
            }
            if buffer.len() < 4 * COPY_CHUNK {
                next = outgoing.try_recv().ok();
            }
        }
        connection.write_all_buf(&mut buffer).await?;
        connection.flush().await?;
    }
    connection.shutdown().await
}

#[cfg(test)]
pub(crate) mod peer;
#[cfg(test)]
mod tests;
