//! `portForward`: connections of a client become connections inside of a pod.
//!
//! Over SPDY every connection is a pair of streams, one for data and one for an error text; kubectl sends that SPDY
//! session through a WebSocket. The older way, one WebSocket with two channels per port, is what kube-rs speaks.

use std::collections::BTreeMap;
use std::io;
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

use crate::containers::Pod;
use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::query::Query;
use crate::kubelet::{Body, Kubelet, Refusal, channels, tunnel};
use crate::network::Connection;
use crate::spdy::{Reader, Session, Stream, Writer};

const SPDY_STREAMS: &str = "portforward.k8s.io";
const TUNNELLED: &str = "SPDY/3.1+portforward.k8s.io";
const CHANNELS: &str = "v4.channel.k8s.io";

/// Bytes that are moved at once.
const PIECE: usize = 16 << 10;
/// Ports of one request of the older way: two channels each, numbered by one byte.
const MOST_PORTS: usize = 64;
/// Streams whose partner has not come; the next one is reset.
const MOST_HALVES: usize = 64;

/// Opens a forwarding session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    pod: Arc<Pod>,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let carrier = Carrier::of(request)?;
    let known: &[&'static str] = match carrier {
        Carrier::WebSocket => &[TUNNELLED, CHANNELS],
        Carrier::Spdy => &[SPDY_STREAMS],
    };
    let ports = ports(&Query::of(request))?;
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

fn ports(query: &Query) -> Result<Vec<u16>, Refusal> {
    let texts = query.all("port").chain(query.all("ports")).flat_map(|list| list.split(','));
    let ports: Result<Vec<u16>, Refusal> = texts
        .map(|text| match text.parse() {
            Ok(port @ 1..) => Ok(port),
            _ => Err(Refusal(StatusCode::BAD_REQUEST, format!("{text:?} is not a port"))),
        })
        .collect();
    ports.and_then(|ports| match ports.len() > MOST_PORTS {
        true => Err(Refusal(StatusCode::BAD_REQUEST, format!("more than {MOST_PORTS} ports"))),
        false => Ok(ports),
    })
}

async fn forward_tunnelled(connection: Upgraded, pod: &Arc<Pod>) {
    let (bytes, pump) = tunnel::through(handshake::web_socket(connection).await);
    tokio::join!(forward_streams(bytes, pod), pump);
}

/// Forwards over a SPDY session until the client is gone.
async fn forward_streams<C>(connection: C, pod: &Arc<Pod>)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut session, driver) = Session::serve(connection);
    let accept = async {
        let mut halves: BTreeMap<String, Stream> = BTreeMap::new();
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                stream = session.accept() => stream,
                Some(_) = connections.join_next() => continue,
            };
            let Some(stream) = stream else { break };
            let request = stream.headers.get("requestid").unwrap_or_default().to_owned();
            match halves.remove(&request) {
                Some(other) => {
                    if let Some(pair) = Pair::of(stream, other) {
                        connections.spawn(pair.forward(pod.clone()));
                    }
                }
                None if halves.len() < MOST_HALVES => {
                    halves.insert(request, stream);
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

/// The two streams of one connection.
struct Pair {
    port: String,
    data: Stream,
    error: Writer,
    /// The client sends nothing on it; dropping it would reset the stream.
    _error_reader: Reader,
}

impl Pair {
    fn of(a: Stream, b: Stream) -> Option<Self> {
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
                exchange(self.data, connection).await;
            }
            Err(problem) => {
                // A client that is gone does not need the reason.
                let _ = self.error.send(Bytes::from(problem)).await;
                let _ = self.data.writer.finish().await;
            }
        }
        let _ = self.error.finish().await;
    }
}

async fn dial(pod: &Pod, port: &str) -> Result<Connection, String> {
    let problem = |reason: &dyn std::fmt::Display| {
        format!("error forwarding port {port} to pod {}, uid {}: {reason}", pod.key.name, pod.uid)
    };
    let number: u16 = port.parse().map_err(|_| problem(&"it is not a port"))?;
    let dialled = pod.network.dial_self(number).await;
    dialled.map_err(|error| {
        problem(&format_args!("dial tcp {}:{number}: connect: {error}", pod.network.address()))
    })
}

/// Moves bytes both ways until the pod has ended its side and the client its own, or the client resets the stream.
async fn exchange(data: Stream, connection: Connection) {
    let Stream { mut reader, mut writer, .. } = data;
    let (mut from_pod, mut to_pod) = tokio::io::split(connection);
    // Each direction owns its halves: what comes for a pod that no longer reads is discarded.
    let upload = async move {
        while let Ok(Some(bytes)) = reader.read().await {
            if to_pod.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The pod may have closed already.
        let _ = to_pod.shutdown().await;
    };
    let download = async move {
        while let Ok(Some(bytes)) = piece(&mut from_pod).await {
            if writer.send(bytes).await.is_err() {
                return;
            }
        }
        // A client that has reset the stream does not need its end.
        let _ = writer.finish().await;
    };
    tokio::join!(upload, download);
}

/// The next bytes, `None` at the end.
async fn piece(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let mut buffer = BytesMut::with_capacity(PIECE);
    let length = reader.read_buf(&mut buffer).await?;
    Ok((length > 0).then(|| buffer.freeze()))
}

/// The older way: each port has a data channel and an error channel and carries one connection.
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
        let line = Line { channel, port: *port, outgoing: outgoing.clone() };
        connections.spawn(line.forward(pod.clone(), bytes));
    }
    drop(outgoing);
    let listen = async {
        while let Some(Ok(message)) = messages.next().await {
            match message {
                Message::Binary(mut bytes) if !bytes.is_empty() => {
                    let channel = usize::from(bytes.get_u8());
                    if channel % 2 == 0
                        && let Some(input) = inputs.get(channel / 2)
                    {
                        // A connection that is over takes no more bytes.
                        let _ = input.send(bytes).await;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    let say = async {
        while let Some(message) = queued.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::select! {
        () = listen => {}
        () = say => {}
    }
}

/// One port of the older way.
struct Line {
    channel: u8,
    port: u16,
    outgoing: mpsc::Sender<Message>,
}

impl Line {
    async fn forward(self, pod: Arc<Pod>, mut input: mpsc::Receiver<Bytes>) {
        // Each channel starts with the number of its port.
        for channel in [self.channel, self.channel + 1] {
            self.say(channel, &self.port.to_le_bytes()).await;
        }
        let connection = match dial(&pod, &self.port.to_string()).await {
            Ok(connection) => connection,
            Err(problem) => return self.say(self.channel + 1, problem.as_bytes()).await,
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
            while let Ok(Some(bytes)) = piece(&mut from_pod).await {
                self.say(self.channel, &bytes).await;
            }
        };
        tokio::select! {
            () = upload => {}
            () = download => {}
        }
    }

    async fn say(&self, channel: u8, bytes: &[u8]) {
        // The session ends when the client is gone.
        let _ = self.outgoing.send(channels::message(channel, bytes)).await;
    }
}
