//! Pods as processes in namespaces mode: kernel namespaces per pod, a private file system per container.
//!
//! `node` creates a [`Sandbox`] per pod and starts the containers' programs in it; `kubelet` starts `exec` commands there.
//! The `portolan` binary is started again inside the namespaces, with an [`Order`](order::Order) on its command line. The first process
//! of a pod ends with the playground, and the kernel then kills all other processes of the pod.
//!
//! ```text
//! playground ─ holds open ─► network namespace, mount namespace of each container
//!     └─► init (PID, UTS and IPC namespaces) ◄─ ends with it ─ programs, started by the playground
//! ```
//!
//! | file | purpose |
//! | --- | --- |
//! | `images` | pure: program of an image |
//! | `files` | pure: `/etc/hosts`, `/etc/resolv.conf` and other files of a pod |
//! | `order` | messages to the processes inside |
//! | `volumes`, `volume_paths`, `atomic_files` | volumes on this machine, and their files |
//! | `process`, `terminal` | a program as a child process, pseudo-terminals |
//! | `inside`, `program` | the code that runs inside the namespaces |
//!
//! This room uses `network`, `programs` and `rights`. To change the file system of containers, edit `inside/root.rs`; to
//! map an image to installed programs, edit `images`.

mod atomic_files;
mod files;
mod images;
mod inside;
mod order;
mod process;
mod program;
mod terminal;
mod volume_paths;
mod volumes;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::network::namespaces::kernel::{NetworkNamespace, ToolError, on_new_thread};
use crate::network::{Interface, PodNamespace};

pub(crate) use self::atomic_files::VolumeFile;
pub(crate) use self::files::{DnsPolicy, Identity};
pub(crate) use self::images::{Launch, ProgramNotInstalled, launch};
pub(crate) use self::process::{COPY_CHUNK, Process, Signals, Streams};
pub(crate) use self::terminal::Terminal;
pub use self::volume_paths::VolumesError;
pub(crate) use self::volumes::{Mount, VolumeContent};

use self::files::files;
use self::inside::READY;
use self::order::{Order, RootOrder, RunOrder};
use self::volumes::Volumes;

/// Hidden subcommand of the binary that runs an order.
pub const SUBCOMMAND: &str = "inside";

/// Timeout of a setup process; it usually takes milliseconds.
const SETUP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs an order. The binary calls it for its hidden subcommand, before it starts a thread.
pub fn inside(order: &str) -> ExitCode {
    inside::run(order)
}

/// Host of pods in namespaces mode.
#[derive(Debug, Clone)]
pub struct Host {
    /// The `portolan` binary.
    pub program: PathBuf,
    /// An empty directory on which containers mount their file systems, each in its mount namespace.
    pub mount_point: PathBuf,
    /// A directory for the volumes of pods.
    pub volumes: PathBuf,
    /// Whether root is the only user of pods; see [`crate::rights`].
    pub has_one_user: bool,
}

/// Why the namespaces of a pod or a process in them cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The network namespace.
    #[error(transparent)]
    Network(#[from] ToolError),
    /// The network carries pods without namespaces.
    #[error("the pod has no network namespace")]
    NoNamespace,
    /// A process cannot be started.
    #[error("cannot start a process of the pod: {0}")]
    Start(#[from] io::Error),
    /// The volumes.
    #[error("volumes: {0}")]
    Volumes(#[from] VolumesError),
    /// A setup process reports an error.
    #[error("{0}")]
    Setup(String),
    /// A setup process does not answer.
    #[error("a process of the pod was not ready after {SETUP_TIMEOUT:?}")]
    SetupTimeout,
    /// A setup process has ended.
    #[error("a process of the pod has ended without an answer")]
    SetupEnded,
}

/// Namespaces of a pod. Dropping them kills all processes of the pod.
#[derive(Debug)]
pub(crate) struct Sandbox {
    host: Host,
    address: IpAddr,
    network: Arc<NetworkNamespace>,
    files: BTreeMap<String, String>,
    volumes: Volumes,
    processes: File,
    uts: File,
    ipc: File,
    init: Mutex<Child>,
    /// The first process ends when this is closed.
    _init_stdin: ChildStdin,
}

/// Mount namespace of a container.
#[derive(Debug)]
pub(crate) struct Root(File);

impl Sandbox {
    /// Creates the namespaces of a pod.
    pub(crate) async fn start(
        host: &Host,
        interface: &Interface,
        identity: &Identity,
        uid: &str,
    ) -> Result<Self, SandboxError> {
        let PodNamespace::Held(network) = interface.network_namespace().await? else {
            return Err(SandboxError::NoNamespace);
        };
        let order = Order::Init { hostname: identity.hostname.clone() };
        let enter = || Ok(unshare(CloneFlags::CLONE_NEWPID)?);
        let mut helper = Helper::start(host, &order, enter).await?;
        helper.ready().await?;
        Ok(Self {
            host: host.clone(),
            address: interface.address(),
            network,
            files: files(identity, &interface.addresses()),
            volumes: Volumes::new(&host.volumes, uid),
            processes: helper.namespace("pid")?,
            uts: helper.namespace("uts")?,
            ipc: helper.namespace("ipc")?,
            init: Mutex::new(helper.child),
            _init_stdin: helper.stdin,
        })
    }

    /// Whether the first process of the pod runs.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.init.lock().try_wait(), Ok(None))
    }

    /// Writes the files of a volume.
    ///
    /// # Errors
    /// [`VolumesError`].
    pub(crate) fn write_volume(&self, volume: &str, content: &VolumeContent) -> Result<(), VolumesError> {
        self.volumes.write(volume, content)
    }

    /// The directory of a volume on this machine.
    ///
    /// # Errors
    /// [`VolumesError`].
    pub(crate) fn volume_directory(&self, volume: &str) -> Result<PathBuf, VolumesError> {
        self.volumes.directory(volume)
    }

    /// Creates the file system of a container.
    pub(crate) async fn root(&self, has_busybox: bool, mounts: &[Mount]) -> Result<Arc<Root>, SandboxError> {
        let order = Order::Root(RootOrder {
            mount_point: self.host.mount_point.clone(),
            network: self.network.path(),
            files: self.files.clone(),
            has_busybox,
            binds: self.volumes.binds(mounts)?,
        });
        let processes = self.processes.try_clone()?;
        let enter = move || Ok(setns(&processes, CloneFlags::CLONE_NEWPID)?);
        let mut helper = Helper::start(&self.host, &order, enter).await?;
        helper.ready().await?;
        let root = Arc::new(Root(helper.namespace("mnt")?));
        helper.finish().await?;
        Ok(root)
    }

    /// Starts a program in a container.
    pub(crate) async fn spawn(
        &self,
        root: &Root,
        launch: &Launch,
        environment: &BTreeMap<String, String>,
        with: Streams,
    ) -> Result<Process, SandboxError> {
        let order = Order::Run(RunOrder {
            network: self.network.path(),
            uts: path(&self.uts),
            ipc: path(&self.ipc),
            mounts: path(&root.0),
            address: self.address,
            arguments: launch.arguments.clone(),
            built_in: launch.built_in.clone(),
            directory: launch.directory.clone(),
            tty: with.tty,
        });
        let processes = self.processes.try_clone()?;
        let enter = move || Ok(setns(&processes, CloneFlags::CLONE_NEWPID)?);
        let mut command = command(&self.host, &order)?;
        command.envs(environment);
        for (name, value) in [("HOME", "/root"), ("TERM", "xterm")] {
            if !environment.contains_key(name) && (name != "TERM" || with.tty) {
                command.env(name, value);
            }
        }
        if self.host.has_one_user && launch.arguments.first().is_some_and(|program| program == "tar") {
            // `kubectl cp` sends file owners, which do not exist in this user namespace.
            command.env("TAR_OPTIONS", "--no-same-owner");
        }
        Ok(Process::start(command, enter, with).await?)
    }
}

/// Path of a namespace held by this process, for the processes of a pod.
fn path(namespace: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd())
}

/// The command that runs an order, with an empty environment.
fn command(host: &Host, order: &Order) -> io::Result<Command> {
    let mut command = Command::new(&host.program);
    command.arg(SUBCOMMAND).arg(serde_json::to_string(order)?).env_clear().kill_on_drop(true);
    Ok(command)
}

/// Starts a child on a thread that has entered its namespaces.
async fn spawn(
    mut command: Command,
    enter: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<Child> {
    let runtime = Handle::current();
    on_new_thread(move || {
        enter()?;
        let _inside = runtime.enter();
        command.spawn()
    })
    .await
}

/// A setup process: it reports the result on its standard output and waits for the end of its input.
struct Helper {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<tokio::process::ChildStdout>,
}

impl Helper {
    async fn start(
        host: &Host,
        order: &Order,
        enter: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let mut command = command(host, order)?;
        // The setup process finds programs as this process does.
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(command, enter).await?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Waits for its result.
    async fn ready(&mut self) -> Result<(), SandboxError> {
        let mut answer = String::new();
        let read = timeout(SETUP_TIMEOUT, self.stdout.read_line(&mut answer)).await;
        read.map_err(|_| SandboxError::SetupTimeout)??;
        match answer.trim() {
            READY => Ok(()),
            "" => Err(SandboxError::SetupEnded),
            problem => Err(SandboxError::Setup(problem.to_owned())),
        }
    }

    /// Opens one of its namespaces.
    fn namespace(&self, kind: &str) -> io::Result<File> {
        let number = self.child.id().ok_or(io::ErrorKind::NotFound)?;
        File::open(format!("/proc/{number}/ns/{kind}"))
    }

    /// Closes its input and waits for its end.
    async fn finish(mut self) -> io::Result<()> {
        drop(self.stdin);
        self.child.wait().await.map(drop)
    }
}
