//! Channel protocols over WebSockets: the first byte of each message is the channel of its stream.
//!
//! Clients may send text or binary messages. In the base64 protocols the channel is a digit and what follows is base64. In
//! version 5 a message on channel 255 closes the channel in its second byte; clients close standard input this way. Before
//! version 4 the error channel has a text, and nothing after a success (kubernetes
//! staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand/websocket.go).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::kubelet::streams::{self, CarrierStreams, ClientMessage, RequestedStreams, ServerMessage, V5};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// Time for the client to answer a Close message.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelProtocol {
    /// Its name; empty for clients that name none.
    name: &'static str,
    /// Whether clients can close channels.
    closes: bool,
    is_base64: bool,
    /// Whether the error channel has a `Status` as JSON.
    has_status: bool,
}

impl ChannelProtocol {
    const fn new(name: &'static str) -> Self {
        Self { name, closes: false, is_base64: false, has_status: false }
    }

    const fn base64(mut self) -> Self {
        self.is_base64 = true;
        self
    }

    const fn with_status(mut self) -> Self {
        self.has_status = true;
        self
    }

    const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The protocol of a name in [`NAMES`].
    pub(crate) fn named(name: &str) -> Self {
        PROTOCOLS.into_iter().find(|protocol| protocol.name == name).unwrap_or(UNNAMED)
    }

    /// A message for the client on a channel.
    fn message(self, channel: u8, bytes: &[u8]) -> Message {
        if self.is_base64 {
            return Message::Text(format!("{channel}{}", STANDARD.encode(bytes)).into());
        }
        channel_message(channel, bytes)
    }

    /// The message with the outcome of the session; `None` where success has none.
    fn outcome(self, status: &Value) -> Option<Message> {
        match self.has_status {
            true => Some(self.message(ERROR, status.to_string().as_bytes())),
            false if status["status"] == "Success" => None,
            false => Some(self.message(ERROR, status["message"].as_str().unwrap_or_default().as_bytes())),
        }
    }

    /// A message of the client, with the channel as its first byte; `None` when it is malformed.
    fn received(self, message: Message) -> Option<Bytes> {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            _ => return None,
        };
        if !self.is_base64 {
            return Some(bytes);
        }
        let channel = bytes.first()?.checked_sub(b'0')?;
        let content = STANDARD.decode(&bytes[1..]).ok()?;
        Some([&[channel], content.as_slice()].concat().into())
    }
}

const UNNAMED: ChannelProtocol = ChannelProtocol::new("");

const PROTOCOLS: [ChannelProtocol; 6] = [
    ChannelProtocol::new(V5).with_status().closing(),
    ChannelProtocol::new("v4.channel.k8s.io").with_status(),
    ChannelProtocol::new("v4.base64.channel.k8s.io").with_status().base64(),
    ChannelProtocol::new("channel.k8s.io"),
    ChannelProtocol::new("base64.channel.k8s.io").base64(),
    UNNAMED,
];

/// The names of the protocols that clients may ask for.
pub(crate) const NAMES: &[&str] = &[
    PROTOCOLS[0].name,
    PROTOCOLS[1].name,
    PROTOCOLS[2].name,
    PROTOCOLS[3].name,
    PROTOCOLS[4].name,
    PROTOCOLS[5].name,
];

/// Carries the streams of a session until it ends or the client disconnects.
pub(crate) async fn carry<C>(
    socket: WebSocketStream<C>,
    protocol: ChannelProtocol,
    requested: RequestedStreams,
    ends: CarrierStreams,
) where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let CarrierStreams { input, mut output } = ends;
    let (mut sink, mut messages) = socket.split();
    let receive = async {
        let mut takes_input = requested.stdin;
        while let Some(Ok(message)) = messages.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
            let Some(bytes) = protocol.received(message) else { continue };
            match client_message(&bytes, protocol.closes) {
                Some(resize @ ClientMessage::Resize(_)) => {
                    // Fails if the session has ended.
                    let _ = input.send(resize).await;
                }
                Some(message) if takes_input => {
                    let is_end = message == ClientMessage::End;
                    takes_input = input.send(message).await.is_ok() && !is_end;
                }
                _ => {}
            }
        }
    };
    let send = async {
        // An empty message on the first channel tells the client that the session is open.
        let first = if requested.stdout {
            STDOUT
        } else if requested.stderr {
            STDERR
        } else {
            ERROR
        };
        let mut sent = sink.send(protocol.message(first, &[])).await;
        while sent.is_ok() {
            let Some(message) = output.recv().await else { break };
            sent = match message {
                ServerMessage::Stdout(bytes) => sink.send(protocol.message(STDOUT, &bytes)).await,
                ServerMessage::Stderr(bytes) => sink.send(protocol.message(STDERR, &bytes)).await,
                ServerMessage::Status(status) => match protocol.outcome(&status) {
                    Some(message) => sink.send(message).await,
                    None => Ok(()),
                },
            };
        }
        if sent.is_ok() {
            let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            // Fails if the client has disconnected.
            let _ = sink.send(Message::Close(Some(close))).await;
        }
    };
    let has_ended = tokio::select! {
        () = receive => false,
        () = send => true,
    };
    if has_ended {
        // Closing the connection while the client sends would reset it, and the client could lose unread messages.
        let answered = async { while let Some(Ok(_)) = messages.next().await {} };
        let _ = timeout(LINGER_TIMEOUT, answered).await;
    }
}

/// Reads a message of the client; `None` for one without meaning. `closes` is whether the protocol has a close message.
pub(crate) fn client_message(bytes: &Bytes, closes: bool) -> Option<ClientMessage> {
    match (*bytes.first()?, *bytes.get(1)?) {
        (STDIN, _) => Some(ClientMessage::Input(bytes.slice(1..))),
        (CLOSE, STDIN) if closes => Some(ClientMessage::End),
        (RESIZE, _) => streams::size(&bytes[1..]).map(ClientMessage::Resize),
        _ => None,
    }
}

/// A message on a channel.
pub(crate) fn channel_message(channel: u8, bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    Message::Binary(Bytes::from(message))
}
