//! A running `portolan server`.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::binary::{portolan, start};
use crate::kubectl::Kubectl;
use crate::programs::send_signal;
use crate::{eventually, programs, text};

/// A server in a child process; ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    starts: u32,
}

impl Server {
    /// Starts on a free port of `address`, with further arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(address: &str, arguments: &[&str]) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        // Free a moment ago; nothing else on this machine asks for this port by its number.
        let free = TcpListener::bind((address, 0)).expect("there is a free port");
        let address = free.local_addr().expect("a bound socket has an address");
        drop(free);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = spawn(&folder, address, arguments);
        Self { child, address, folder, starts: 1 }
    }

    /// Stops it, and starts it on the same address with other arguments.
    ///
    /// # Panics
    /// When it does not stop or start.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.stop();
        self.child = spawn(&self.folder, self.address, arguments);
        self.starts += 1;
    }

    /// Stops it, restores a backup in the place of its state, and starts it again.
    ///
    /// # Panics
    /// When one of these fails.
    pub fn restore(&mut self, backup: &Path) {
        self.restart_after(|state| {
            let restored = portolan(&["restore", text(backup), "--dir", text(state), "--force"]);
            assert_eq!(restored.code, Some(0), "{restored}");
        });
    }

    /// Stops it, changes its state, and starts it again.
    ///
    /// # Panics
    /// When it does not stop or start.
    pub fn restart_after(&mut self, change: impl FnOnce(&Path)) {
        self.stop();
        change(&self.state());
        self.child = spawn(&self.folder, self.address, &[]);
        self.starts += 1;
    }

    /// The folder with its state.
    pub fn state(&self) -> PathBuf {
        state(&self.folder)
    }

    /// Sends SIGKILL.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Starts it again after [`Server::kill`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.child = spawn(&self.folder, self.address, &[]);
        self.starts += 1;
    }

    fn stop(&mut self) {
        send_signal(&self.child, "TERM");
        eventually("the server to end after SIGTERM", || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The kubeconfig that the server writes.
    pub fn kubeconfig(&self) -> PathBuf {
        state(&self.folder).join("portolan.config")
    }

    /// Standard error of all starts.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log(&self.folder)).expect("the log can be read")
    }

    /// kubectl with that kubeconfig.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig(), &self.folder.path().join(format!("cache-{}", self.starts)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn state(folder: &TempDir) -> PathBuf {
    folder.path().join("state")
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn spawn(folder: &TempDir, address: SocketAddr, arguments: &[&str]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log(folder));
    let mut command = Command::new(programs::server());
    command
        .arg("server")
        .arg("--dir")
        .arg(state(folder))
        .args(["--listen", &address.to_string()])
        .args(arguments);
    start(command.stderr(Stdio::from(log.expect("the folder is writable"))))
}
