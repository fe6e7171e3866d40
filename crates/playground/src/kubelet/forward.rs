//! `portForward`: forwards connections of a client to ports of a pod.
//!
//! Over SPDY every connection is a pair of streams, for data and for an error message; kubectl tunnels the SPDY session
//! through a WebSocket. kube-rs uses the older protocol: one WebSocket with two channels per port.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::query::Query;
use crate::kubelet::{Body, Kubelet, Refusal, channels, tunnel};
use crate::network::{Connection, DialError};
use crate::pods::Pod;
use crate::spdy::{Reader, Session, Stream, Writer};

const SPDY_STREAMS: &str = "portforward.k8s.io";
const TUNNELLED: &str = "SPDY/3.1+portforward.k8s.io";
const CHANNELS: &str = "v4.channel.k8s.io";

/// Copy buffer size.
const COPY_CHUNK: usize = 16 << 10;
/// Ports of one request of the channel protocol: two channels each, numbered by one byte.
const MAX_PORTS: usize = 64;
/// Data or error streams without the other stream of the pair; more are reset.
const MAX_UNPAIRED_STREAMS: usize = 64;

/// Opens a forwarding session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    pod: Arc<Pod>,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let carrier = Carrier::from_request(request)?;
    let known: &[&'static str] = match carrier {
        Carrier::WebSocket => &[TUNNELLED, CHANNELS],
        Carrier::Spdy => &[SPDY_STREAMS],
    };
    let ports = ports(&Query::from_request(request))?;
    let (protocol, response, upgraded) = handshake::accept(request, carrier, known)?.split();
    if protocol == CHANNELS && ports.is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "query parameter \"port\" is required".to_owned()));
    }
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        match protocol {
            TUNNELLED => forward_tunnelled(connection, &pod).await,
            CHANNELS => forward_channels(handshake::web_socket(connection).await, &pod, &ports).await,
            _ => forward_streams(connection, &pod).await,
        }
    })?;
    Ok(response)
}

pub(crate) fn ports(query: &Query) -> Result<Vec<u16>, Refusal> {
    let texts = query.all("port").chain(query.all("ports")).flat_map(|list| list.split(','));
    let ports: Result<Vec<u16>, Refusal> = texts
        .map(|text| match text.parse() {
            Ok(port @ 1..) => Ok(port),
            _ => Err(Refusal(StatusCode::BAD_REQUEST, format!("{text:?} is not a port"))),
        })
        .collect();
    ports.and_then(|ports| match ports.len() > MAX_PORTS {
        true => Err(Refusal(StatusCode::BAD_REQUEST, format!("more than {MAX_PORTS} ports"))),
        false => Ok(ports),
    })
}

async fn forward_tunnelled(connection: Upgraded, pod: &Arc<Pod>) {
    let (bytes, pump) = tunnel::through(handshake::web_socket(connection).await);
    tokio::join!(forward_streams(bytes, pod), pump);
}

/// Forwards over a SPDY session until the client disconnects.
async fn forward_streams<C>(connection: C, pod: &Arc<Pod>)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut session, driver) = Session::serve(connection);
    let accept = async {
        let mut unpaired: BTreeMap<String, Stream> = BTreeMap::new();
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                stream = session.accept() => stream,
                Some(_) = connections.join_next() => continue,
            };
            let Some(stream) = stream else { break };
            let request = stream.headers.get("requestid").unwrap_or_default().to_owned();
            match unpaired.remove(&request) {
                Some(other) => {
                    if let Some(pair) = Pair::from_streams(stream, other) {
                        connections.spawn(pair.forward(pod.clone()));
                    }
                }
                None if unpaired.len() < MAX_UNPAIRED_STREAMS => {
                    unpaired.insert(request, stream);
                }
                // Dropping the stream resets it.
                None => {}
            }
        }
        // The driver ends with the connection.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = accept => {}
        ended = driver => {
            if let Err(error) = ended {
                debug!(%error, "a forwarding session ended");
            }
        }
    }
}

/// The data and the error stream of one connection.
struct Pair {
    port: String,
    data: Stream,
    error: Writer,
    /// Kept because dropping it would reset the stream; the client sends nothing on it.
    _error_reader: Reader,
}

impl Pair {
    fn from_streams(a: Stream, b: Stream) -> Option<Self> {
        let kind = |stream: &Stream| stream.headers.get("streamtype").map(str::to_owned);
        let (data, error) = match (kind(&a)?.as_str(), kind(&b)?.as_str()) {
            ("data", "error") => (a, b),
            ("error", "data") => (b, a),
            _ => return None,
        };
        let port = data.headers.get("port")?.to_owned();
        Some(Self { port, data, error: error.writer, _error_reader: error.reader })
    }

    async fn forward(mut self, pod: Arc<Pod>) {
        match dial(&pod, &self.port).await {
            Ok(connection) => {
                copy(self.data, connection).await;
            }
            Err(error) => {
                // Fails if the client has disconnected.
                let _ = self.error.send(error.to_string().into()).await;
                let _ = self.data.writer.finish().await;
            }
        }
        let _ = self.error.finish().await;
    }
}

/// Why a connection was not forwarded. The message is sent to the client.
#[derive(Debug, thiserror::Error)]
#[error("error forwarding port {port} to pod {pod}, uid {uid}: {reason}")]
struct ForwardError {
    port: String,
    pod: String,
    uid: String,
    reason: ForwardReason,
}

#[derive(Debug, thiserror::Error)]
enum ForwardReason {
    #[error("it is not a port")]
    NotAPort,
    #[error("dial tcp {to}: connect: {source}")]
    Dial { to: SocketAddr, source: DialError },
}

async fn dial(pod: &Pod, port: &str) -> Result<Connection, ForwardError> {
    let failed = |reason| ForwardError {
        port: port.to_owned(),
        pod: pod.key.name.clone(),
        uid: pod.uid.clone(),
        reason,
    };
    let number: u16 = port.parse().map_err(|_| failed(ForwardReason::NotAPort))?;
    let to = SocketAddr::new(pod.network.address(), number);
    pod.network.dial_self(number).await.map_err(|source| failed(ForwardReason::Dial { to, source }))
}

/// Copies bytes both ways until both sides have finished, or the client resets the stream.
async fn copy(data: Stream, connection: Connection) {
    let Stream { mut reader, mut writer, .. } = data;
    let (mut from_pod, mut to_pod) = tokio::io::split(connection);
    // Each direction owns its halves: bytes for a pod that has stopped reading are discarded.
    let upload = async move {
        while let Ok(Some(bytes)) = reader.read().await {
            if to_pod.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // Fails if the pod has closed the connection.
        let _ = to_pod.shutdown().await;
    };
    let download = async move {
        while let Ok(Some(bytes)) = read_chunk(&mut from_pod).await {
            if writer.send(bytes).await.is_err() {
                return;
            }
        }
        // Fails if the client has reset the stream.
        let _ = writer.finish().await;
    };
    tokio::join!(upload, download);
}

/// The next bytes, `None` at the end.
async fn read_chunk(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let mut buffer = BytesMut::with_capacity(COPY_CHUNK);
    let length = reader.read_buf(&mut buffer).await?;
    Ok((length > 0).then(|| buffer.freeze()))
}

/// The channel protocol: each port has a data channel and an error channel and carries one connection.
async fn forward_channels<C>(socket: WebSocketStream<C>, pod: &Arc<Pod>, ports: &[u16])
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut messages) = socket.split();
    let (outgoing, mut queued) = mpsc::channel::<Message>(ports.len() * 2);
    let mut connections = JoinSet::new();
    let mut inputs = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let (input, bytes) = mpsc::channel(16);
        inputs.push(input);
        let channel = index as u8 * 2;
        let connection = ChannelConnection { channel, port: *port, outgoing: outgoing.clone() };
        connections.spawn(connection.forward(pod.clone(), bytes));
    }
    drop(outgoing);
    let receive = async {
        while let Some(Ok(message)) = messages.next().await {
            match message {
                Message::Binary(mut bytes) if !bytes.is_empty() => {
                    let channel = usize::from(bytes.get_u8());
                    if channel % 2 == 0
                        && let Some(input) = inputs.get(channel / 2)
                    {
                        // Fails if the connection has ended.
                        let _ = input.send(bytes).await;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    let send = async {
        while let Some(message) = queued.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::select! {
        () = receive => {}
        () = send => {}
    }
}

/// The connection of one port in the channel protocol.
struct ChannelConnection {
    channel: u8,
    port: u16,
    outgoing: mpsc::Sender<Message>,
}

impl ChannelConnection {
    async fn forward(self, pod: Arc<Pod>, mut input: mpsc::Receiver<Bytes>) {
        // Each channel starts with its port, as two little-endian bytes.
        for channel in [self.channel, self.channel + 1] {
            self.send(channel, &self.port.to_le_bytes()).await;
        }
        let connection = match dial(&pod, &self.port.to_string()).await {
            Ok(connection) => connection,
            Err(error) => return self.send(self.channel + 1, error.to_string().as_bytes()).await,
        };
        let (mut from_pod, mut to_pod) = tokio::io::split(connection);
        let upload = async {
            while let Some(bytes) = input.recv().await {
                if to_pod.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let download = async {
            while let Ok(Some(bytes)) = read_chunk(&mut from_pod).await {
                self.send(self.channel, &bytes).await;
            }
        };
        tokio::select! {
            () = upload => {}
            () = download => {}
        }
    }

    async fn send(&self, channel: u8, bytes: &[u8]) {
        // Fails if the client has disconnected.
        let _ = self.outgoing.send(channels::channel_message(channel, bytes)).await;
    }
}
