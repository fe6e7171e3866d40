//! Connects the streams of an `exec` session with those of a process.
//!
//! Without a buffer in between: a process that writes faster than its client reads blocks, and no output is lost.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::kubelet::status;
use crate::kubelet::streams::{ClientMessage, RequestedStreams, ServerMessage, SessionStreams};
use crate::sandbox::{COPY_CHUNK, Process, Terminal};

/// Time without output after which streams still held open by other processes are given up.
const OUTPUT_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a session until its process ends. Kills the process when the client disconnects.
pub(crate) async fn execute(mut process: Process, session: SessionStreams, requested: RequestedStreams) {
    let SessionStreams { input, output } = session;
    let ends = std::mem::take(&mut process.ends);
    let input_task = write_input(input, ends.stdin, ends.terminal.clone());
    let output_task = async {
        tokio::join!(
            send_terminal_output(ends.terminal, &output),
            send_output(ends.stdout, &output, ServerMessage::Stdout, requested.stdout),
            send_output(ends.stderr, &output, ServerMessage::Stderr, requested.stderr)
        );
    };
    tokio::pin!(input_task, output_task);
    let (mut input_done, mut output_done) = (false, false);
    let code = loop {
        tokio::select! {
            code = process.wait() => break Some(code),
            () = output.closed() => break None,
            () = &mut input_task, if !input_done => input_done = true,
            () = &mut output_task, if !output_done => output_done = true,
        }
    };
    let Some(code) = code else {
        process.kill();
        process.wait().await;
        return;
    };
    while !output_done {
        // A slow client gets all output; streams held open by other processes end after a timeout without output.
        let before = output.capacity();
        match timeout(OUTPUT_DRAIN_TIMEOUT, &mut output_task).await {
            Ok(()) => output_done = true,
            Err(_) if output.capacity() == before && before > 0 => break,
            Err(_) => {}
        }
    }
    // Fails if the client has disconnected.
    let _ = output.send(ServerMessage::Status(status::exit_code(code))).await;
}

async fn write_input(
    mut input: mpsc::Receiver<ClientMessage>,
    stdin: Option<ChildStdin>,
    terminal: Option<Terminal>,
) {
    let mut stdin = stdin;
    while let Some(message) = input.recv().await {
        match (message, &terminal) {
            (ClientMessage::Input(bytes), Some(terminal)) => {
                if terminal.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            (ClientMessage::Input(bytes), None) => {
                if let Some(open) = &mut stdin
                    && open.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            (ClientMessage::Resize(size), Some(terminal)) => terminal.resize(size.width, size.height),
            (ClientMessage::Resize(_), None) => {}
            (ClientMessage::End, _) => stdin = None,
        }
    }
}

async fn send_output(
    stream: Option<impl AsyncRead + Unpin>,
    output: &mpsc::Sender<ServerMessage>,
    kind: fn(Bytes) -> ServerMessage,
    is_wanted: bool,
) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; COPY_CHUNK];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let message = kind(Bytes::copy_from_slice(&buffer[..length]));
        if is_wanted && output.send(message).await.is_err() {
            return;
        }
    }
}

async fn send_terminal_output(terminal: Option<Terminal>, output: &mpsc::Sender<ServerMessage>) {
    let Some(terminal) = terminal else { return };
    let mut buffer = vec![0; COPY_CHUNK];
    while let Ok(length @ 1..) = terminal.read(&mut buffer).await {
        if output.send(ServerMessage::Stdout(Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
            return;
        }
    }
}
