//! The streams of an `exec` session and those of a process, joined.
//!
//! Nothing is kept in between: a process that writes faster than its client reads has to wait, and nothing is lost.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::kubelet::status;
use crate::kubelet::streams::{Heard, Said, Streams, Wanted};
use crate::sandbox::{PIECE, Process, Terminal};

/// How long output is waited for that something else than the process may still write.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Carries a session to the end of its process; a client that leaves ends the process.
pub(crate) async fn execute(mut process: Process, session: Streams, wanted: Wanted) {
    let Streams { input, output } = session;
    let ends = std::mem::take(&mut process.ends);
    let feed = feed(input, ends.stdin, ends.terminal.clone());
    let speak = async {
        tokio::join!(
            speak_terminal(ends.terminal, &output),
            speak(ends.stdout, &output, Said::Stdout, wanted.stdout),
            speak(ends.stderr, &output, Said::Stderr, wanted.stderr)
        );
    };
    tokio::pin!(feed, speak);
    let (mut is_fed, mut is_silent) = (false, false);
    let code = loop {
        tokio::select! {
            code = process.wait() => break Some(code),
            () = output.closed() => break None,
            () = &mut feed, if !is_fed => is_fed = true,
            () = &mut speak, if !is_silent => is_silent = true,
        }
    };
    let Some(code) = code else {
        process.kill();
        process.wait().await;
        return;
    };
    while !is_silent {
        // A slow client gets all; streams that somebody else holds open end after a silence.
        let before = output.capacity();
        match timeout(LAST_WORDS, &mut speak).await {
            Ok(()) => is_silent = true,
            Err(_) if output.capacity() == before && before > 0 => break,
            Err(_) => {}
        }
    }
    // A client that is gone does not need the last word.
    let _ = output.send(Said::Status(status::exit_code(code))).await;
}

async fn feed(mut input: mpsc::Receiver<Heard>, stdin: Option<ChildStdin>, terminal: Option<Terminal>) {
    let mut stdin = stdin;
    while let Some(heard) = input.recv().await {
        match (heard, &terminal) {
            (Heard::Input(bytes), Some(terminal)) => {
                if terminal.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            (Heard::Input(bytes), None) => {
                if let Some(open) = &mut stdin
                    && open.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            (Heard::Size(size), Some(terminal)) => terminal.resize(size.width, size.height),
            (Heard::Size(_), None) => {}
            (Heard::End, _) => stdin = None,
        }
    }
}

async fn speak(
    stream: Option<impl AsyncRead + Unpin>,
    output: &mpsc::Sender<Said>,
    kind: fn(Bytes) -> Said,
    is_wanted: bool,
) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let said = kind(Bytes::copy_from_slice(&buffer[..length]));
        if is_wanted && output.send(said).await.is_err() {
            return;
        }
    }
}

async fn speak_terminal(terminal: Option<Terminal>, output: &mpsc::Sender<Said>) {
    let Some(terminal) = terminal else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = terminal.read(&mut buffer).await {
        if output.send(Said::Stdout(Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
            return;
        }
    }
}
