//! `portolan exec`: runs a process in a container of a member.

pub(crate) mod arguments;
mod terminal;

use std::io::{Read as _, Write as _};

use anyhow::{Result, bail, ensure};
use portolan_object::ObjectKey;
use portolan_runtime::client::{Exec as Process, ProcessEvent, ProcessInput, ProcessOutput};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::output::Ended;
use crate::pods::{Located, Wanted, container, locate};
use arguments::Exec;
use terminal::RawMode;

/// Bytes of one message to standard input.
const INPUT_CHUNK: usize = 32 << 10;

/// Runs the process; its exit code becomes that of this program.
pub(crate) async fn run(mut arguments: Exec) -> Result<()> {
    let (hub, servers) = arguments.access.connect().await?;
    let wanted = Wanted::Object(&arguments.target);
    let (located, notes) = locate(servers, &hub.namespace, wanted).await?;
    let one = one_cluster(located, &arguments.target)?;
    if !arguments.quiet {
        notes.iter().for_each(|note| anstream::eprintln!("{note}"));
    }
    let (container, note) = container(&one.pod, arguments.container.as_deref())?;
    if let Some(note) = note.filter(|_| !arguments.quiet) {
        anstream::eprintln!("{note}");
    }
    let has_terminal = arguments.tty && terminal::is_terminal();
    if arguments.tty && !has_terminal && !arguments.quiet {
        anstream::eprintln!("Unable to use a TTY - input is not a terminal or the right kind of file");
    }
    let process =
        Process { container, command: arguments.command.clone(), stdin: arguments.stdin, tty: has_terminal };
    let key = ObjectKey::namespaced(one.pod.namespace(), one.pod.name());
    let (input, output) = one.client.exec(&key, &process).await?;
    // Before the first output, and until this function returns.
    let raw = if has_terminal { Some(RawMode::enter()?) } else { None };
    let sending = tokio::spawn(send(input, arguments.stdin, has_terminal));
    let ended = receive(output).await;
    sending.abort();
    drop(raw);
    match ended? {
        0 => Ok(()),
        code => {
            let message = format!("command terminated with exit code {code}");
            Err(Ended { code: u8::try_from(code).unwrap_or(1), message }.into())
        }
    }
}

/// The first pod of the only cluster that has one.
fn one_cluster(located: Vec<Located>, target: &str) -> Result<Located> {
    let mut clusters: Vec<&str> = located.iter().map(|one| one.cluster.as_str()).collect();
    clusters.dedup();
    ensure!(
        clusters.len() == 1,
        "{target} is in several clusters ({}): choose one with -C",
        clusters.join(", ")
    );
    let Some(first) = located.into_iter().next() else { bail!("no pod of {target}") };
    Ok(first)
}

/// Sends standard input and the size of the terminal until the process ends.
async fn send(mut input: ProcessInput, has_stdin: bool, has_terminal: bool) -> Result<()> {
    let mut resized = signal(SignalKind::window_change())?;
    if let Some((width, height)) = terminal::size().filter(|_| has_terminal) {
        input.resize(width, height).await?;
    }
    let mut stdin = has_stdin.then(read_stdin);
    loop {
        let read = async {
            match &mut stdin {
                Some(stdin) => stdin.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            bytes = read => match bytes {
                Some(bytes) => input.write(&bytes).await?,
                None => {
                    stdin = None;
                    input.close().await?;
                }
            },
            _ = resized.recv(), if has_terminal => {
                if let Some((width, height)) = terminal::size() {
                    input.resize(width, height).await?;
                }
            }
        }
    }
}

/// Standard input in pieces, from a thread of its own: a read cannot be stopped, and must not delay the end of the program.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = vec![0; INPUT_CHUNK];
        while let Ok(length @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Prints what the process writes; returns its exit code.
async fn receive(mut output: ProcessOutput) -> Result<i32> {
    while let Some(event) = output.next().await? {
        match event {
            ProcessEvent::Stdout(bytes) => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&bytes)?;
                stdout.flush()?;
            }
            ProcessEvent::Stderr(bytes) => std::io::stderr().lock().write_all(&bytes)?,
            ProcessEvent::Exited(code) => return Ok(code),
            ProcessEvent::Failed(reason) => bail!("{reason}"),
        }
    }
    bail!("the connection was closed before the process ended")
}
