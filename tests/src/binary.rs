//! The `portolan` binary run to its end, for commands that finish and for those that must refuse to start.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::{eventually, programs};

/// Time for a start in a debug build on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Exit code and output of a run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs the binary with arguments.
///
/// # Panics
/// When it does not end within the deadline of [`eventually`].
pub fn portolan(arguments: &[&str]) -> Finished {
    finish(Command::new(programs::portolan()).args(arguments))
}

/// Runs the binary, expects exit code 1, and returns standard error.
///
/// # Panics
/// When it exits with another code than 1, or does not exit.
pub fn refusal(arguments: &[&str]) -> String {
    refusal_of(Command::new(programs::portolan()).args(arguments))
}

/// The same for a prepared command.
///
/// # Panics
/// See [`refusal`].
pub fn refusal_of(command: &mut Command) -> String {
    let finished = finish(command);
    assert_eq!(finished.code, Some(1), "{command:?} was expected to refuse: {finished}");
    finished.stderr
}

/// Runs a command to its end.
///
/// # Panics
/// When it does not end within the deadline of [`eventually`].
pub fn finish(command: &mut Command) -> Finished {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().expect("the binary starts"));
    let stdout = drain(running.0.stdout.take());
    let stderr = drain(running.0.stderr.take());
    let status = eventually(&format!("{command:?} to end"), || match running.0.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(format!("{other:?}")),
    });
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("reading does not panic");
    Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Starts a command that keeps running, and waits until it prints the line `ready`.
///
/// # Panics
/// When it does not within [`START_TIMEOUT`].
pub fn start(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let (lines, received) = mpsc::channel();
    // Reads to the end of the child, so that it never blocks on a full pipe.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("portolan: {line}");
            let _ = lines.send(line);
        }
    });
    loop {
        match received.recv_timeout(START_TIMEOUT) {
            Ok(line) if line.trim() == "ready" => return child,
            Ok(_) => {}
            Err(error) => {
                let _ = child.kill();
                panic!("{command:?} did not print `ready`: {error}, {:?}", child.wait());
            }
        }
    }
}

/// Killed when dropped, so that a failed wait leaves no process.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads to the end beside the program, so that it never blocks on a full pipe.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut pipe = pipe.expect("the stream is a pipe");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
