//! Processes in containers: `exec` over a WebSocket.
//!
//! The first byte of each message is the channel of its stream (KEP-4006). Version 5 of the protocol can close standard
//! input; servers before Kubernetes 1.30 speak version 4. The connection is HTTP/1.1, which can be upgraded.

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use portolan_object::ObjectKey;
use portolan_object::status::Details;
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connect::OneConnection;
use super::transport::{Body, Transport};
use super::{Client, ClientError};
use crate::resource::{Resource, push_query};

const V5: &str = "v5.channel.k8s.io";
/// The protocols that are offered, the best first.
const PROTOCOLS: &str = "v5.channel.k8s.io, v4.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// Reason of the status of a process that ended with an exit code other than 0 (metav1).
const NON_ZERO_EXIT_CODE: &str = "NonZeroExitCode";
/// The cause that holds the code.
const EXIT_CODE: &str = "ExitCode";

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The process to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exec {
    /// Name of the container.
    pub container: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it has a standard input.
    pub stdin: bool,
    /// Whether it has a terminal. Its errors then go to standard output.
    pub tty: bool,
}

/// The Status on the error channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct End {
    status: String,
    reason: String,
    message: String,
    details: Details,
}

/// What a process writes, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEvent {
    /// Bytes of standard output.
    Stdout(Bytes),
    /// Bytes of standard error.
    Stderr(Bytes),
    /// It ended with this exit code.
    Exited(i32),
    /// It could not be started, or its end is not known; why.
    Failed(String),
}

/// The way to a process.
pub struct ProcessInput {
    sink: SplitSink<Socket, Message>,
    transport: Transport,
    can_close: bool,
}

/// The way from a process.
pub struct ProcessOutput {
    messages: SplitStream<Socket>,
    transport: Transport,
}

impl Exec {
    fn path(&self, resource: &Resource, pod: &ObjectKey) -> String {
        let mut path = resource.object_path(pod, "exec");
        push_query(&mut path, "container", &self.container);
        self.command.iter().for_each(|word| push_query(&mut path, "command", word));
        for (name, is_on) in
            [("stdin", self.stdin), ("stdout", true), ("stderr", !self.tty), ("tty", self.tty)]
        {
            if is_on {
                push_query(&mut path, name, "true");
            }
        }
        path
    }
}

impl Client {
    /// Starts a process in a container of a pod.
    ///
    /// # Errors
    /// If the server refuses it, or does not upgrade the connection.
    pub async fn exec(
        &self,
        pod: &ObjectKey,
        exec: &Exec,
    ) -> Result<(ProcessInput, ProcessOutput), ClientError> {
        let path = exec.path(&portolan_api::resources::POD.into(), pod);
        let mut request = self.request(Method::GET, &path, None, Bytes::new())?;
        let key = generate_key();
        let broken = |text: &str| self.transport.unreachable(text.into());
        let key_value =
            HeaderValue::try_from(&key).map_err(|_| broken("the key of a WebSocket is malformed"))?;
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(header::SEC_WEBSOCKET_KEY, key_value);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOLS));
        request.extensions_mut().insert(OneConnection);
        let response = self.open(request).await?;
        let protocol = accepted(&response, &key).map_err(|text| broken(&text))?;
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded = upgraded.map_err(|source| self.transport.unreachable(source.into()))?;
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
        let (sink, messages) = socket.split();
        let transport = self.transport.clone();
        let input = ProcessInput { sink, transport: transport.clone(), can_close: protocol == V5 };
        Ok((input, ProcessOutput { messages, transport }))
    }
}

/// The protocol of an answer that upgrades the connection.
fn accepted(response: &Response<Body>, key: &str) -> Result<String, String> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("it answers {} instead of opening a stream", response.status()));
    }
    if text(header::SEC_WEBSOCKET_ACCEPT) != derive_accept_key(key.as_bytes()) {
        return Err("it does not answer as a WebSocket".to_owned());
    }
    Ok(text(header::SEC_WEBSOCKET_PROTOCOL).to_owned())
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    Message::Binary(message.freeze())
}

impl ProcessInput {
    /// Writes to standard input.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.send(message(STDIN, bytes)).await
    }

    /// Closes standard input. A server of version 4 cannot be told so: the process does not see the end.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        if !self.can_close {
            return Ok(());
        }
        self.send(message(CLOSE, &[STDIN])).await
    }

    /// Tells the process the size of its terminal, in characters.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn resize(&mut self, width: u16, height: u16) -> Result<(), ClientError> {
        let size = json!({ "Width": width, "Height": height }).to_string();
        self.send(message(RESIZE, size.as_bytes())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), ClientError> {
        self.sink.send(message).await.map_err(|source| self.transport.unreachable(source.into()))
    }
}

impl ProcessOutput {
    /// The next event; `None` after the server has closed the connection.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn next(&mut self) -> Result<Option<ProcessEvent>, ClientError> {
        while let Some(message) = self.messages.next().await {
            let message = message.map_err(|source| self.transport.unreachable(source.into()))?;
            let Message::Binary(bytes) = message else { continue };
            if let Some(event) = event(&bytes) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

fn event(message: &Bytes) -> Option<ProcessEvent> {
    let (channel, content) = (*message.first()?, message.slice(1..));
    match channel {
        // The first message of a session is empty.
        STDOUT | STDERR if content.is_empty() => None,
        STDOUT => Some(ProcessEvent::Stdout(content)),
        STDERR => Some(ProcessEvent::Stderr(content)),
        ERROR if !content.is_empty() => Some(end(&content)),
        _ => None,
    }
}

/// How a process ended, from the Status on the error channel. Kubelets leave its code out.
fn end(content: &[u8]) -> ProcessEvent {
    let Ok(end) = serde_json::from_slice::<End>(content) else {
        return ProcessEvent::Failed(String::from_utf8_lossy(content).into_owned());
    };
    if end.status == "Success" {
        return ProcessEvent::Exited(0);
    }
    let mut causes = end.details.causes.iter().filter(|cause| cause.reason == EXIT_CODE);
    let code = causes.find_map(|cause| cause.message.parse().ok());
    match code.filter(|_| end.reason == NON_ZERO_EXIT_CODE) {
        Some(code) => ProcessEvent::Exited(code),
        None => ProcessEvent::Failed(end.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_read_from_its_status() {
        let failure = json!({ "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code",
            "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] } });
        let refusal =
            json!({ "status": "Failure", "reason": "InternalError", "message": "no such file", "code": 500 });
        let cases = [
            (json!({ "metadata": {}, "status": "Success" }), ProcessEvent::Exited(0)),
            (failure, ProcessEvent::Exited(3)),
            (refusal, ProcessEvent::Failed("no such file".to_owned())),
        ];
        for (status, want) in cases {
            let mut frame = vec![ERROR];
            frame.extend(status.to_string().bytes());
            assert_eq!(event(&Bytes::from(frame)), Some(want), "{status}");
        }
        assert_eq!(event(&Bytes::from_static(b"\x01")), None, "the first message of a session");
        assert_eq!(
            event(&Bytes::from_static(b"\x01hi")),
            Some(ProcessEvent::Stdout(Bytes::from_static(b"hi")))
        );
        assert_eq!(event(&Bytes::new()), None);
    }

    #[test]
    fn words_of_the_command_are_parameters() {
        let exec = Exec {
            container: "web".to_owned(),
            command: vec!["sh".to_owned(), "-c".to_owned(), "echo a&b".to_owned()],
            stdin: true,
            tty: false,
        };
        let path = exec.path(&portolan_api::resources::POD.into(), &ObjectKey::namespaced("shop", "web-1"));
        assert_eq!(
            path,
            "/api/v1/namespaces/shop/pods/web-1/exec?container=web&command=sh&command=-c&command=echo%20a%26b\
             &stdin=true&stdout=true&stderr=true"
        );
    }
}
