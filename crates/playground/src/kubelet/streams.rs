//! Streams of one attach or exec session, independent of the protocol.
//!
//! `carrier` carries them over the connection of the client. The session receives input from one channel and sends
//! output and the final status to another; a carrier ends when either side does.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::kubelet::Refusal;
use crate::kubelet::query::Query;
use crate::pods::TerminalSize;

/// Protocols of attach and exec over SPDY; `channels` has those over WebSockets.
pub(crate) const PROTOCOLS: &[&str] = &[V5, "v4.channel.k8s.io"];
/// Version 5 lets a client close standard input over WebSockets.
pub(crate) const V5: &str = "v5.channel.k8s.io";

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

/// The last size in a message; clients send one or several JSON objects.
pub(crate) fn size(bytes: &[u8]) -> Option<TerminalSize> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map_while(Result::ok).last()
}
