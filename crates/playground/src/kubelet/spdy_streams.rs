//! Streams of an attach or exec session over SPDY: one SPDY stream for each, named by the header `streamtype`.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use crate::kubelet::streams::{CarrierStreams, ClientMessage, RequestedStreams, ServerMessage, size};
use crate::spdy::{Reader, Session, Stream, StreamError, Writer};

/// Time for the client to open its SPDY streams.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

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

/// Carries the streams of a session until it ends or the client disconnects.
pub(crate) async fn carry<C>(connection: C, requested: RequestedStreams, ends: CarrierStreams)
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

async fn write(writer: Option<&mut Writer>, bytes: Bytes) -> Result<(), StreamError> {
    match writer {
        Some(writer) => writer.send(bytes).await,
        None => Ok(()),
    }
}
