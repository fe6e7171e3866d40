//! A network of its own for some of a test's programs.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::eventually;

/// A network namespace; it ends with the value. Making one needs root or a user namespace.
#[derive(Debug)]
pub struct Network {
    /// A process that does nothing, so that the namespace stays.
    holder: Child,
}

impl Network {
    /// Makes a namespace in which loopback is up.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn create() -> Self {
        let holder = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().expect("unshare starts");
        let network = Self { holder };
        let own = fs::read_link("/proc/self/ns/net").expect("a process has a network");
        eventually("a network namespace", || match fs::read_link(network.file()) {
            Ok(other) if other != own => Ok(()),
            other => Err(format!("{other:?}")),
        });
        network.inside(|| shell("ip link set lo up"));
        network
    }

    /// Runs a part of a test in the namespace. Programs that it starts stay there.
    ///
    /// # Panics
    /// When the part does.
    pub fn inside<R: Send>(&self, part: impl FnOnce() -> R + Send) -> R {
        let namespace = File::open(self.file()).expect("the holder runs");
        let entered = || {
            // The network of this thread and of its children.
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("the network can be entered");
            part()
        };
        thread::scope(|scope| match scope.spawn(entered).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Joins this network and that of the test by a cable: the addresses of its ends, with prefixes, first that of the test.
    /// The end here is the interface `outside`.
    pub fn connect(&self, test: &str, here: &str) {
        let holder = self.holder.id();
        shell(&format!("ip link add cable type veth peer name outside netns {holder}"));
        shell(&format!("ip address add {test} dev cable && ip link set cable up"));
        self.inside(|| shell(&format!("ip address add {here} dev outside && ip link set outside up")));
    }

    fn file(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Runs a line of shell.
///
/// # Panics
/// When it fails.
pub fn shell(line: &str) {
    let status = Command::new("sh").args(["-c", line]).status().expect("a shell starts");
    assert!(status.success(), "{line}");
}
