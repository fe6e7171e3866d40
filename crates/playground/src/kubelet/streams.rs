//! The streams of one attach or exec session, whichever protocol carries them.
//!
//! `channels` carries them over WebSocket messages, this module over SPDY streams. The session's logic reads input
//! from one channel and puts output and the final status into another; a carrier ends when either side does.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use crate::containers::Size;
use crate::kubelet::channels;
use crate::kubelet::handshake::{self, Carrier, Upgraded};
use crate::kubelet::query::Query;
use crate::spdy::{Reader, Session, Stream, StreamError, Writer};

/// Protocols of attach and exec, over both carriers. Version 5 adds a way to close the input over WebSockets.
pub(crate) const PROTOCOLS: &[&str] = &[V5, "v4.channel.k8s.io"];
pub(crate) const V5: &str = "v5.channel.k8s.io";

/// How long a client may take to open its SPDY streams.
const OPENING: Duration = Duration::from_secs(30);
/// Pieces of input or output under way.
const PIECES: usize = 16;

/// Which streams a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

/// Output, or the last word.
#[derive(Debug)]
pub(crate) enum Said {
    Stdout(Bytes),
    Stderr(Bytes),
    Status(Value),
}

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Input(Bytes),
    /// The end of the input; the client may still tell sizes.
    End,
    Size(Size),
}

/// The session's side of its streams.
#[derive(Debug)]
pub(crate) struct Streams {
    /// From the client; closed when it is gone, or has nothing more to say.
    pub(crate) input: mpsc::Receiver<Heard>,
    /// To the client; sending fails when it is gone.
    pub(crate) output: mpsc::Sender<Said>,
}

/// The carrier's side of the streams.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) input: mpsc::Sender<Heard>,
    pub(crate) output: mpsc::Receiver<Said>,
}

impl Wanted {
    /// Reads the parameters that API servers send to kubelets, or those that clients send to API servers.
    pub(crate) fn read(query: &Query) -> Result<Self, String> {
        let either = |kubelet: &str, client: &str| query.is_on(kubelet) || query.is_on(client);
        let tty = query.is_on("tty");
        let wanted = Self {
            stdin: either("input", "stdin"),
            stdout: either("output", "stdout"),
            // A terminal has one output.
            stderr: either("error", "stderr") && !tty,
            tty,
        };
        match wanted.stdin || wanted.stdout || wanted.stderr {
            true => Ok(wanted),
            false => Err("you must specify at least 1 of stdin, stdout, stderr".to_owned()),
        }
    }
}

/// Two connected halves.
pub(crate) fn pair() -> (Streams, Ends) {
    let (input_sender, input) = mpsc::channel(PIECES);
    let (output, output_receiver) = mpsc::channel(PIECES);
    (Streams { input, output }, Ends { input: input_sender, output: output_receiver })
}

/// Carries the streams of a session over an upgraded connection until the session is over or the client is gone.
pub(crate) async fn carry(
    carrier: Carrier,
    protocol: &str,
    connection: Upgraded,
    wanted: Wanted,
    ends: Ends,
) {
    match carrier {
        Carrier::WebSocket => {
            channels::carry(handshake::web_socket(connection).await, protocol == V5, wanted, ends).await;
        }
        Carrier::Spdy => carry_spdy(connection, wanted, ends).await,
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
    /// Halves that carry nothing but must stay open.
    idle: Vec<(Option<Reader>, Option<Writer>)>,
}

async fn carry_spdy<C>(connection: C, wanted: Wanted, ends: Ends)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut session, driver) = Session::serve(connection);
    let serve = async {
        match timeout(OPENING, open(&mut session, wanted)).await {
            Ok(Some(opened)) => exchange(opened, ends).await,
            Ok(None) => {}
            Err(_) => debug!("a client did not open its streams in time"),
        }
        session.close().await;
        // The driver ends once the goodbye is out.
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

/// Waits for the streams that were asked for; `None` when the client is gone.
async fn open(session: &mut Session, wanted: Wanted) -> Option<Opened> {
    let expected = [true, wanted.stdin, wanted.stdout, wanted.stderr, wanted.tty];
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

async fn exchange(mut opened: Opened, ends: Ends) {
    let Ends { input, mut output } = ends;
    let sized = input.clone();
    let read_input = async {
        if let Some(stdin) = opened.stdin.as_mut() {
            while let Ok(Some(bytes)) = stdin.read().await {
                if input.send(Heard::Input(bytes)).await.is_err() {
                    break;
                }
            }
            // A session that is over does not need the end of its input.
            let _ = input.send(Heard::End).await;
        }
        drop(input);
    };
    let read_sizes = async {
        if let Some(sizes) = opened.sizes.as_mut() {
            while let Ok(Some(bytes)) = sizes.read().await {
                if let Some(size) = size(&bytes)
                    && sized.send(Heard::Size(size)).await.is_err()
                {
                    break;
                }
            }
        }
        drop(sized);
    };
    let feed = async {
        tokio::join!(read_input, read_sizes);
        std::future::pending::<()>().await;
    };
    let (mut error, mut stdout, mut stderr) = (opened.error, opened.stdout, opened.stderr);
    let say = async {
        while let Some(said) = output.recv().await {
            let sent = match said {
                Said::Stdout(bytes) => send(stdout.as_mut(), bytes).await,
                Said::Stderr(bytes) => send(stderr.as_mut(), bytes).await,
                Said::Status(status) => send(error.as_mut(), status.to_string().into()).await,
            };
            if sent.is_err() {
                return;
            }
        }
        for writer in [stdout, stderr, error].into_iter().flatten() {
            // A client that is gone does not need the end of its streams.
            let _ = writer.finish().await;
        }
    };
    tokio::select! {
        () = feed => {}
        () = say => {}
    }
}

/// The newest size in a message; clients send one or several JSON objects.
pub(crate) fn size(bytes: &[u8]) -> Option<Size> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map_while(Result::ok).last()
}

async fn send(writer: Option<&mut Writer>, bytes: Bytes) -> Result<(), StreamError> {
    match writer {
        Some(writer) => writer.send(bytes).await,
        None => Ok(()),
    }
}
