//! Streams of one attach or exec session, independent of the protocol.
//!
//! `channels` carries them over WebSocket messages, this module over SPDY streams. The session receives input from one
//! channel and sends output and the final status to another; a carrier ends when either side does.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::query::Query;
use crate::kubelet::{Refusal, channels};
use crate::pods::TerminalSize;
use crate::spdy::{Reader, Session, Stream, StreamError, Writer};

/// Protocols of attach and exec. Version 5 lets a client close standard input over WebSockets.
pub(crate) const PROTOCOLS: &[&str] = &[V5, "v4.channel.k8s.io"];
pub(crate) const V5: &str = "v5.channel.k8s.io";

/// Time for the client to open its SPDY streams.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Capacity of the channels between session and carrier.
const CHANNEL_CAPACITY: usize = 16;

/// Streams that a client requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestedStreams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

/// Message to the client: output, or the final status.
#[derive(Debug)]
pub(crate) enum ServerMessage {
    Stdout(Bytes),
    Stderr(Bytes),
    Status(Value),
}

/// Message from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientMessage {
    Input(Bytes),
    /// The end of the input; terminal sizes may follow.
    End,
    Resize(TerminalSize),
}

/// Session side of the streams.
#[derive(Debug)]
pub(crate) struct SessionStreams {
    /// From the client; closed when it disconnects or sends nothing more.
    pub(crate) input: mpsc::Receiver<ClientMessage>,
    /// To the client; sending fails when it has disconnected.
    pub(crate) output: mpsc::Sender<ServerMessage>,
}

/// Carrier side of the streams.
#[derive(Debug)]
pub(crate) struct CarrierStreams {
    pub(crate) input: mpsc::Sender<ClientMessage>,
    pub(crate) output: mpsc::Receiver<ServerMessage>,
}

impl RequestedStreams {
    /// Reads the parameters that API servers send to kubelets, or those that clients send to API servers.
    pub(crate) fn from_query(query: &Query) -> Result<Self, Refusal> {
        let either = |kubelet: &str, client: &str| query.is_true(kubelet) || query.is_true(client);
        let tty = query.is_true("tty");
        let requested = Self {
            stdin: either("input", "stdin"),
            stdout: either("output", "stdout"),
            // A terminal has one output stream.
            stderr: either("error", "stderr") && !tty,
            tty,
        };
        match requested.stdin || requested.stdout || requested.stderr {
            true => Ok(requested),
            false => {
                let problem = "you must specify at least 1 of stdin, stdout, stderr".to_owned();
                Err(Refusal(StatusCode::BAD_REQUEST, problem))
            }
        }
    }
}

/// Two connected sides.
pub(crate) fn pair() -> (SessionStreams, CarrierStreams) {
    let (input_sender, input) = mpsc::channel(CHANNEL_CAPACITY);
    let (output, output_receiver) = mpsc::channel(CHANNEL_CAPACITY);
    (SessionStreams { input, output }, CarrierStreams { input: input_sender, output: output_receiver })
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
            channels::carry(handshake::web_socket(connection).await, protocol == V5, requested, ends).await;
        }
        Carrier::Spdy => carry_spdy(connection, requested, ends).await,
    }
}

/// The SPDY streams of a session.
#[derive(Debug, Default)]
struct Opened {
    error: Option<Writer>,
    stdin: Option<Reader>,
    stdout: Option<Writer>,
    stderr: Option<Writer>,
    sizes: Option<Reader>,
    /// Unused halves; dropping them would reset their streams.
    idle: Vec<(Option<Reader>, Option<Writer>)>,
}

async fn carry_spdy<C>(connection: C, requested: RequestedStreams, ends: CarrierStreams)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut session, driver) = Session::serve(connection);
    let serve = async {
        match timeout(OPEN_TIMEOUT, open(&mut session, requested)).await {
            Ok(Some(opened)) => exchange(opened, ends).await,
            Ok(None) => {}
            Err(_) => debug!("a client did not open its streams in time"),
        }
        session.close().await;
        // The driver ends after it has sent GOAWAY.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serve => {}
        ended = driver => {
            if let Err(error) = ended {
                debug!(%error, "a session ended");
            }
        }
    }
}

/// Waits for the requested streams; `None` when the client disconnects.
async fn open(session: &mut Session, requested: RequestedStreams) -> Option<Opened> {
    let expected = [true, requested.stdin, requested.stdout, requested.stderr, requested.tty];
    let mut missing = expected.iter().filter(|expected| **expected).count();
    let mut opened = Opened::default();
    while missing > 0 {
        let Stream { headers, reader, writer } = session.accept().await?;
        let (reader, writer) = match headers.get("streamtype") {
            Some("error") => (Some(reader), opened.error.replace(writer)),
            Some("stdin") => (opened.stdin.replace(reader), Some(writer)),
            Some("stdout") => (Some(reader), opened.stdout.replace(writer)),
            Some("stderr") => (Some(reader), opened.stderr.replace(writer)),
            Some("resize") => (opened.sizes.replace(reader), Some(writer)),
            // Dropping both halves resets the stream.
            _ => continue,
        };
        opened.idle.push((reader, writer));
        missing -= 1;
    }
    Some(opened)
}

async fn exchange(mut opened: Opened, ends: CarrierStreams) {
    let CarrierStreams { input, mut output } = ends;
    let sized = input.clone();
    let read_input = async {
        if let Some(stdin) = opened.stdin.as_mut() {
            while let Ok(Some(bytes)) = stdin.read().await {
                if input.send(ClientMessage::Input(bytes)).await.is_err() {
                    break;
                }
            }
            // Fails if the session has ended.
            let _ = input.send(ClientMessage::End).await;
        }
        drop(input);
    };
    let read_sizes = async {
        if let Some(sizes) = opened.sizes.as_mut() {
            while let Ok(Some(bytes)) = sizes.read().await {
                if let Some(size) = size(&bytes)
                    && sized.send(ClientMessage::Resize(size)).await.is_err()
                {
                    break;
                }
            }
        }
        drop(sized);
    };
    let receive = async {
        tokio::join!(read_input, read_sizes);
        std::future::pending::<()>().await;
    };
    let (mut error, mut stdout, mut stderr) = (opened.error, opened.stdout, opened.stderr);
    let send = async {
        while let Some(message) = output.recv().await {
            let sent = match message {
                ServerMessage::Stdout(bytes) => write(stdout.as_mut(), bytes).await,
                ServerMessage::Stderr(bytes) => write(stderr.as_mut(), bytes).await,
                ServerMessage::Status(status) => write(error.as_mut(), status.to_string().into()).await,
            };
            if sent.is_err() {
                return;
            }
        }
        for writer in [stdout, stderr, error].into_iter().flatten() {
            // Fails if the client has disconnected.
            let _ = writer.finish().await;
        }
    };
    tokio::select! {
        () = receive => {}
        () = send => {}
    }
}

/// The last size in a message; clients send one or several JSON objects.
pub(crate) fn size(bytes: &[u8]) -> Option<TerminalSize> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map_while(Result::ok).last()
}

async fn write(writer: Option<&mut Writer>, bytes: Bytes) -> Result<(), StreamError> {
    match writer {
        Some(writer) => writer.send(bytes).await,
        None => Ok(()),
    }
}
