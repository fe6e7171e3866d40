//! A `portolan server` under attack.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::Client;

/// Time to start or to end, on a machine that is used by others too.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a start ended.
pub(crate) enum Start {
    /// It serves.
    Serving(Server),
    /// It printed an error and ended.
    Refused(String),
    /// It panicked, was ended by a signal, or neither served nor ended.
    Broken(String),
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts on a free port with its state in `folder`, and expects it to serve.
    pub(crate) fn start(portolan: &Path, folder: &Path) -> Result<Self> {
        match Self::try_start(portolan, folder)? {
            Start::Serving(server) => Ok(server),
            Start::Refused(text) | Start::Broken(text) => bail!("the server does not start: {text}"),
        }
    }

    /// Starts on a free port with its state in `folder`.
    pub(crate) fn try_start(portolan: &Path, folder: &Path) -> Result<Start> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address: SocketAddr = free.local_addr()?;
        drop(free);
        fs::create_dir_all(folder)?;
        let log = OpenOptions::new().create(true).append(true).open(log_of(folder))?;
        let mut child = Command::new(portolan)
            .args(["server", "--listen", &address.to_string(), "--dir"])
            .arg(folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", portolan.display()))?;
        let ready = wait_until_ready(&mut child);
        let server = Self { child, folder: folder.to_owned() };
        if ready { Ok(Start::Serving(server)) } else { Ok(server.into_failed_start()) }
    }

    fn into_failed_start(mut self) -> Start {
        let deadline = Instant::now() + Duration::from_secs(5);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                _ if Instant::now() > deadline => break None,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        };
        let log = self.log();
        let tail: String = log.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
        match status {
            None => Start::Broken(format!("neither served nor ended: {tail}")),
            Some(status) if status.signal().is_some() => Start::Broken(format!("{status}: {tail}")),
            Some(_) if log.contains("panicked at") => Start::Broken(tail),
            Some(_) => Start::Refused(tail),
        }
    }

    /// The administrator.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::of_kubeconfig(&self.kubeconfig())
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("state/portolan.config")
    }

    /// Standard error of all starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
        kib * 1024
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM; returns how long it took to end, `None` if it does not end within a minute.
    pub(crate) fn terminate(mut self) -> Result<Option<Duration>> {
        let start = Instant::now();
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        while start.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(Some(start.elapsed()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Waits for the line `ready`. `false` when the output ends before, or the patience.
fn wait_until_ready(child: &mut Child) -> bool {
    let Some(stdout) = child.stdout.take() else { return false };
    let (lines, received) = mpsc::channel();
    // Reads to the end of the child, so that it never blocks on a full pipe.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while let Ok(line) = received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if line.trim() == "ready" {
            return true;
        }
    }
    false
}

/// Copies the files of a folder, without subfolders.
pub(crate) fn copy_state(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        } else if entry.file_type()?.is_dir() {
            copy_state(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Reads and rewrites a file.
pub(crate) fn change_file(path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let mut bytes = fs::read(path)?;
    change(&mut bytes);
    let mut file = File::create(path)?;
    std::io::Write::write_all(&mut file, &bytes)?;
    Ok(())
}
