//! Channel protocols over WebSockets: the first byte of each message is the channel of its stream.
//!
//! `v4.channel.k8s.io` and `v5.channel.k8s.io`. In version 5 a message on channel 255 closes the channel in its second
//! byte; clients close standard input this way.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::kubelet::streams::{self, CarrierStreams, ClientMessage, RequestedStreams, ServerMessage};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// Time for the client to answer a Close message.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Carries the streams of a session until it ends or the client disconnects.
pub(crate) async fn carry<C>(
    socket: WebSocketStream<C>,
    closes: bool,
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
            let Message::Binary(bytes) = message else {
                if matches!(message, Message::Close(_)) {
                    return;
                }
                continue;
            };
            match client_message(&bytes, closes) {
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
        let mut sent = sink.send(channel_message(first, &[])).await;
        while sent.is_ok() {
            let Some(message) = output.recv().await else { break };
            sent = match message {
                ServerMessage::Stdout(bytes) => sink.send(channel_message(STDOUT, &bytes)).await,
                ServerMessage::Stderr(bytes) => sink.send(channel_message(STDERR, &bytes)).await,
                ServerMessage::Status(status) => {
                    sink.send(channel_message(ERROR, status.to_string().as_bytes())).await
                }
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
