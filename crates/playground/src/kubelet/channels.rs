//! The channel protocols over WebSockets: the first byte of each message says which stream it is for.
//!
//! `v4.channel.k8s.io` and `v5.channel.k8s.io`. In version 5 a message on channel 255 closes the channel that its
//! second byte names, which is how a client ends the input.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::kubelet::streams::{self, Ends, Heard, Said, Wanted};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// How long a client that was told goodbye may take to answer.
const LINGER: Duration = Duration::from_secs(5);

/// Carries the streams of a session until it is over or the client is gone.
pub(crate) async fn carry<C>(socket: WebSocketStream<C>, closes: bool, wanted: Wanted, ends: Ends)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let Ends { input, mut output } = ends;
    let (mut sink, mut messages) = socket.split();
    let listen = async {
        let mut takes_input = wanted.stdin;
        while let Some(Ok(message)) = messages.next().await {
            let Message::Binary(bytes) = message else {
                if matches!(message, Message::Close(_)) {
                    return;
                }
                continue;
            };
            match (bytes.first(), bytes.get(1)) {
                (Some(&STDIN), Some(_)) if takes_input => {
                    takes_input = input.send(Heard::Input(bytes.slice(1..))).await.is_ok();
                }
                (Some(&CLOSE), Some(&STDIN)) if closes && takes_input => {
                    takes_input = false;
                    // A session that is over does not need the end of its input.
                    let _ = input.send(Heard::End).await;
                }
                (Some(&RESIZE), Some(_)) => {
                    if let Some(size) = streams::size(&bytes[1..]) {
                        let _ = input.send(Heard::Size(size)).await;
                    }
                }
                _ => {}
            }
        }
    };
    let say = async {
        // Tells the client that the session is there (an empty message on its first channel).
        let first = if wanted.stdout {
            STDOUT
        } else if wanted.stderr {
            STDERR
        } else {
            ERROR
        };
        let mut sent = sink.send(message(first, &[])).await;
        while sent.is_ok() {
            let Some(said) = output.recv().await else { break };
            sent = match said {
                Said::Stdout(bytes) => sink.send(message(STDOUT, &bytes)).await,
                Said::Stderr(bytes) => sink.send(message(STDERR, &bytes)).await,
                Said::Status(status) => sink.send(message(ERROR, status.to_string().as_bytes())).await,
            };
        }
        if sent.is_ok() {
            let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            // A client that is gone does not need the goodbye.
            let _ = sink.send(Message::Close(Some(goodbye))).await;
        }
    };
    let is_over = tokio::select! {
        () = listen => false,
        () = say => true,
    };
    if is_over {
        // Closing under what the client still sends could cost it what it has not read yet.
        let answered = async { while let Some(Ok(_)) = messages.next().await {} };
        let _ = timeout(LINGER, answered).await;
    }
}

/// A message on a channel.
pub(crate) fn message(channel: u8, bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    Message::Binary(Bytes::from(message))
}
