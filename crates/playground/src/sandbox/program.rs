//! A built-in program in its own process: streams, signals, exit code.
//!
//! `inside` calls it once the process is in the container. The program has the same interface as on the loopback network,
//! with the streams, signals and sockets of the process.

use std::collections::BTreeMap;
use std::env;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use portolan_net::Clock;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::network::Interface;
use crate::programs::{
    self, ContainerLog, INTERRUPTED, Input, LogReader, NextEntry, Output, Process, Stream, TERMINATED,
};
use crate::sandbox::order::RunOrder;

/// Exit code when the program cannot be started.
const FAILED: u8 = 128;

/// Runs a program of an image to its end.
pub(crate) fn run(image: &str, order: &RunOrder) -> ExitCode {
    let invocation = match programs::image(image).map(|image| image.execute(order.arguments.clone())) {
        Some(Ok(invocation)) => invocation,
        Some(Err(error)) => return failed(&error),
        None => programs::silent(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(async {
        let (stdout, stderr) = (ContainerLog::default(), ContainerLog::default());
        let (to_stdout, to_stderr) = (inherited(&std::io::stdout())?, inherited(&std::io::stderr())?);
        let clock = Clock::system();
        let stopping = CancellationToken::new();
        let process = Process {
            arguments: Vec::new(),
            environment: Arc::new(env::vars().collect::<BTreeMap<_, _>>()),
            stdin: Input::from_reader(inherited(&std::io::stdin())?),
            stdout: Output::new(stdout.clone(), Stream::Stdout, clock.clone()),
            stderr: Output::new(stderr.clone(), Stream::Stderr, clock.clone()),
            network: Interface::in_pod(order.address),
            clock,
            stopping: stopping.clone(),
        };
        let program = async {
            let code = tokio::select! {
                code = invocation.start(process) => code,
                code = killed_by_signal(&stopping) => code,
            };
            stdout.close();
            stderr.close();
            code
        };
        let (code, (), ()) = tokio::join!(
            program,
            copy_output(stdout.from_start(), to_stdout),
            copy_output(stderr.from_start(), to_stderr)
        );
        Ok::<_, std::io::Error>(code)
    });
    // A pending read of standard input would block the exit.
    runtime.shutdown_background();
    match code {
        Ok(code) => std::process::exit(code),
        Err(error) => failed(&error),
    }
}

/// A standard stream of this process, read or written on the blocking thread pool.
fn inherited(stream: &impl AsFd) -> std::io::Result<tokio::fs::File> {
    let descriptor = stream.as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(std::fs::File::from(descriptor)))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("portolan: {error}");
    ExitCode::from(FAILED)
}

/// The first signal asks the program to end; the second one ends it.
async fn killed_by_signal(stopping: &CancellationToken) -> i32 {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    loop {
        let code = tokio::select! {
            _ = terminate.recv() => TERMINATED,
            _ = interrupt.recv() => INTERRUPTED,
        };
        if stopping.is_cancelled() {
            return code;
        }
        stopping.cancel();
    }
}

/// Copies the output of a program; ends when the stream is closed.
async fn copy_output(mut from: LogReader, mut to: impl AsyncWrite + Unpin) {
    while let NextEntry::Entry(entry) = from.next().await {
        if to.write_all(&entry.bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}
