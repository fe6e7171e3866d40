//! One SPDY session: streams that the peer opens, over any byte stream.
//!
//! [`Session::serve`] gives a handle and a driver; the owner polls both. Every buffer is bounded: a stream holds a
//! few frames for its reader and a session a few frames for its peer. A stream whose reader is behind by more than
//! that holds back the whole connection, since peers in the field ignore the credit they are given.

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
use crate::spdy::window::{Credit, INITIAL};

/// The largest piece of data that is sent in a frame or given to a reader at once.
const PIECE: usize = 16 << 10;
/// Pieces that wait for the reader of a stream.
const INBOX: usize = 16;
/// Frames that wait for the peer.
const OUTBOX: usize = 16;
/// Streams that a peer may have open; the next one is refused.
const MOST_STREAMS: usize = 256;
/// How long a peer that was told goodbye may take to close its end.
const LINGER: Duration = Duration::from_secs(5);
/// Consumed bytes after which the peer is granted new credit.
const GRANT_AFTER: usize = INITIAL as usize / 2;

/// The owner's handle of a session.
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

/// What the peer sends on a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    id: u32,
    inbox: mpsc::Receiver<Inbound>,
    outbox: mpsc::Sender<Outgoing>,
    consumed: usize,
}

/// What is sent to the peer on a stream; a writer that is dropped before it finished cancels the stream.
#[derive(Debug)]
pub(crate) struct Writer {
    id: u32,
    shared: Arc<Shared>,
    outbox: mpsc::Sender<Outgoing>,
    finished: bool,
}

/// The stream ended before its time: reset by the peer, or lost with the session.
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
    Piece(Bytes),
    End,
}

#[derive(Debug)]
enum Outgoing {
    Reply(u32),
    Frame(Frame),
    /// The last frame; the session ends when it is sent.
    GoAway,
}

#[derive(Debug)]
struct Shared {
    credit: Mutex<Credit>,
    credit_changed: Notify,
    streams: Mutex<BTreeMap<u32, Sides>>,
}

/// What is still open of a stream.
#[derive(Debug)]
struct Sides {
    /// `None` once the peer has finished.
    inbox: Option<mpsc::Sender<Inbound>>,
    writing: bool,
}

impl Session {
    /// A session over `connection`, and the driver that must be polled for anything to happen. The driver ends when
    /// the connection does or after [`Session::close`].
    pub(crate) fn serve<C>(connection: C) -> (Self, impl Future<Output = Result<(), SessionError>> + Send)
    where
        C: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        let (opening, opened) = mpsc::channel(MOST_STREAMS);
        let shared = Arc::new(Shared {
            credit: Mutex::new(Credit::new()),
            credit_changed: Notify::new(),
            streams: Mutex::default(),
        });
        let receiver = Receiver {
            shared: shared.clone(),
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
                    // Closing under what the peer still sends could cost it what it has not read yet.
                    Ok(()) => timeout(LINGER, receiving).await.unwrap_or(Ok(())),
                    Err(error) => Err(error.into()),
                },
            };
            shared.lose_all();
            result
        };
        (Self { opened, outbox }, driver)
    }

    /// The next stream that the peer opens; `None` when there will be none.
    pub(crate) async fn accept(&mut self) -> Option<Stream> {
        self.opened.recv().await
    }

    /// Sends what is queued, says goodbye and ends the session.
    pub(crate) async fn close(&self) {
        // A session that is over already needs no goodbye.
        let _ = self.outbox.send(Outgoing::GoAway).await;
    }
}

impl Reader {
    /// The next bytes, `None` at the end of what the peer sends.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        match self.inbox.recv().await {
            Some(Inbound::Piece(bytes)) => {
                self.consumed += bytes.len();
                if self.consumed >= GRANT_AFTER {
                    let delta = std::mem::take(&mut self.consumed) as u32;
                    for stream in [self.id, 0] {
                        let grant = Outgoing::Frame(Frame::WindowUpdate { stream, delta });
                        // The bytes were received even if the session is over by now.
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
    /// Sends bytes, waiting for credit and for room.
    pub(crate) async fn send(&mut self, mut bytes: Bytes) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            let granted = self.credit(bytes.len().min(PIECE)).await?;
            let frame = Frame::Data { stream: self.id, fin: false, bytes: bytes.split_to(granted) };
            self.outbox.send(Outgoing::Frame(frame)).await.map_err(|_| StreamError)?;
        }
        Ok(())
    }

    /// Tells the peer that nothing follows.
    pub(crate) async fn finish(mut self) -> Result<(), StreamError> {
        self.finished = true;
        let last = Frame::Data { stream: self.id, fin: true, bytes: Bytes::new() };
        let sent = self.outbox.send(Outgoing::Frame(last)).await;
        self.shared.stop_writing(self.id);
        sent.map_err(|_| StreamError)
    }

    async fn credit(&self, wanted: usize) -> Result<usize, StreamError> {
        loop {
            let changed = self.shared.credit_changed.notified();
            if !self.shared.is_open(self.id) {
                return Err(StreamError);
            }
            match self.shared.credit.lock().take(self.id, wanted) {
                0 => {}
                granted => return Ok(granted),
            }
            changed.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished && self.shared.lose(self.id) {
            let frame = Frame::RstStream { stream: self.id, status: Reset::Cancel as u32 };
            // Without room in the queue the peer learns it from the end of the session.
            let _ = self.outbox.try_send(Outgoing::Frame(frame));
        }
    }
}

impl Shared {
    /// Starts a stream unless there are too many.
    fn open(&self, stream: u32, inbox: mpsc::Sender<Inbound>) -> bool {
        let mut streams = self.streams.lock();
        if streams.len() >= MOST_STREAMS {
            return false;
        }
        streams.insert(stream, Sides { inbox: Some(inbox), writing: true });
        self.credit.lock().open(stream);
        true
    }

    fn is_open(&self, stream: u32) -> bool {
        self.streams.lock().get(&stream).is_some_and(|sides| sides.writing)
    }

    /// Forgets a stream; whether it was there.
    fn lose(&self, stream: u32) -> bool {
        let was_there = self.streams.lock().remove(&stream).is_some();
        self.credit.lock().close(stream);
        self.credit_changed.notify_waiters();
        was_there
    }

    fn lose_all(&self) {
        self.streams.lock().clear();
        self.credit_changed.notify_waiters();
    }

    fn stop_writing(&self, stream: u32) {
        let is_over = {
            let mut streams = self.streams.lock();
            streams.get_mut(&stream).is_some_and(|sides| {
                sides.writing = false;
                sides.inbox.is_none()
            })
        };
        if is_over {
            self.lose(stream);
        }
    }

    /// Takes the inbox of a stream whose peer has finished.
    fn stop_reading(&self, stream: u32) -> Option<mpsc::Sender<Inbound>> {
        let (inbox, is_over) = {
            let mut streams = self.streams.lock();
            let sides = streams.get_mut(&stream)?;
            (sides.inbox.take(), !sides.writing)
        };
        if is_over {
            self.lose(stream);
        }
        inbox
    }

    fn inbox(&self, stream: u32) -> Option<mpsc::Sender<Inbound>> {
        self.streams.lock().get(&stream)?.inbox.clone()
    }
}

/// Reads the peer's frames.
struct Receiver {
    shared: Arc<Shared>,
    opening: mpsc::Sender<Stream>,
    outbox: mpsc::Sender<Outgoing>,
    decoder: Decoder,
    /// The newest stream of the peer.
    last: u32,
}

impl Receiver {
    async fn run(mut self, mut connection: impl AsyncRead + Unpin) -> Result<(), SessionError> {
        let mut buffer = BytesMut::with_capacity(PIECE);
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
                // Nothing here opens streams or waits for further headers, but the coder must see each block.
                self.decoder.decode(&block)?;
            }
            Frame::Data { stream, fin, bytes } => self.data(stream, fin, bytes).await,
            Frame::RstStream { stream, .. } => {
                self.shared.lose(stream);
            }
            Frame::Ping(id) if id % 2 == 1 => self.push(Outgoing::Frame(Frame::Ping(id))).await,
            Frame::WindowUpdate { stream, delta } => {
                self.shared.credit.lock().grant(stream, delta).map_err(|_| SessionError::Credit)?;
                self.shared.credit_changed.notify_waiters();
            }
            Frame::Settings(settings) => {
                for (_, size) in settings.into_iter().filter(|(id, _)| *id == INITIAL_WINDOW_SIZE) {
                    self.shared.credit.lock().set_initial(size);
                    self.shared.credit_changed.notify_waiters();
                }
            }
            // A peer that goes away finishes its streams first; the end of the connection follows.
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
        let (sender, inbox) = mpsc::channel(INBOX);
        if !self.shared.open(stream, sender) {
            return self.reset(stream, Reset::RefusedStream).await;
        }
        self.push(Outgoing::Reply(stream)).await;
        let opened = Stream {
            headers,
            reader: Reader { id: stream, inbox, outbox: self.outbox.clone(), consumed: 0 },
            writer: Writer {
                id: stream,
                shared: self.shared.clone(),
                outbox: self.outbox.clone(),
                finished: false,
            },
        };
        if fin {
            self.end(stream).await;
        }
        // An owner that accepts no more streams drops this one, which cancels it.
        let _ = self.opening.send(opened).await;
    }

    async fn data(&self, stream: u32, fin: bool, mut bytes: Bytes) {
        let Some(inbox) = self.shared.inbox(stream) else {
            self.discard(bytes.len()).await;
            if stream > self.last || stream.is_multiple_of(2) {
                self.reset(stream, Reset::InvalidStream).await;
            }
            return;
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            if let Err(refused) = inbox.send(Inbound::Piece(piece)).await {
                let Inbound::Piece(piece) = refused.0 else { continue };
                self.discard(piece.len()).await;
            }
        }
        if fin {
            self.end(stream).await;
        }
    }

    async fn end(&self, stream: u32) {
        if let Some(inbox) = self.shared.stop_reading(stream) {
            // A reader that is gone needs no end.
            let _ = inbox.send(Inbound::End).await;
        }
    }

    /// Gives the session's credit back for bytes that nobody reads.
    async fn discard(&self, length: usize) {
        if length > 0 {
            self.push(Outgoing::Frame(Frame::WindowUpdate { stream: 0, delta: length as u32 })).await;
        }
    }

    async fn reset(&self, stream: u32, reason: Reset) {
        self.push(Outgoing::Frame(Frame::RstStream { stream, status: reason as u32 })).await;
    }

    async fn push(&self, outgoing: Outgoing) {
        // The sending half ends the session together with this one.
        let _ = self.outbox.send(outgoing).await;
    }
}

/// Writes frames until the last one.
async fn send(
    mut connection: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> io::Result<()> {
    let mut encoder = Encoder::new();
    let mut buffer = BytesMut::new();
    let mut is_over = false;
    while !is_over && let Some(first) = outgoing.recv().await {
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
                    is_over = true;
                    break;
                }
            }
            if buffer.len() < 4 * PIECE {
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
