//! The accept loop of every listener: a limit of connections, back-off, an orderly end.
//!
//! [`serve`] runs one handler per connection on a task. When the process or the system runs out of file descriptors or
//! of socket memory, it waits with an exponential back-off, logs one warning that names the cause and the cure, and
//! continues once there are resources again. It reads and writes nothing on a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// First and longest pause after `accept` fails, as in Go's `net/http`, but with a longer first pause.
const MIN_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// Least time between two warnings of one listener.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// A source of connections.
pub trait Listener: Send + Sync {
    /// An accepted connection.
    type Connection: Send;

    /// Waits for the next connection. Dropping the future loses no connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

impl Listener for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    async fn accept(&self) -> io::Result<Self::Connection> {
        Self::accept(self).await
    }
}

impl Listener for UnixListener {
    type Connection = UnixStream;

    async fn accept(&self) -> io::Result<Self::Connection> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Name and limit of an accept loop.
#[derive(Debug, Clone, Copy)]
pub struct AcceptOptions {
    /// The listener in log lines, like `"Kubernetes API"`.
    pub listener: &'static str,
    /// Connections that are handled at the same time; more wait in the kernel.
    pub max_connections: usize,
}

/// Accepts connections until `stop` completes, runs `handler` on a task for each, then waits for the handlers.
///
/// Handlers that must end at `stop` watch it themselves. Dropping the future closes the listener and aborts the handlers.
pub async fn serve<L, H, F>(
    listener: L,
    options: AcceptOptions,
    stop: impl Future<Output = ()>,
    mut handler: H,
) where
    L: Listener,
    H: FnMut(L::Connection) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut handlers = JoinSet::new();
    let mut backoff = Backoff::default();
    tokio::pin!(stop);
    loop {
        let has_room = handlers.len() < options.max_connections.max(1);
        tokio::select! {
            () = stop.as_mut() => break,
            // A handler that ended has freed a descriptor, so the next accept need not wait for the end of the pause.
            Some(_) = handlers.join_next() => backoff.skip_pause(),
            accepted = accept_after(&listener, backoff.next_attempt), if has_room => match accepted {
                Ok(connection) => {
                    if backoff.succeeded() {
                        tracing::info!(listener = options.listener, "accepting connections again");
                    }
                    handlers.spawn(handler(connection));
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    if backoff.failed(Instant::now()) {
                        let (listener, cure) = (options.listener, cure(&error));
                        tracing::warn!(listener, %error, cure, "cannot accept connections; retrying");
                    }
                }
            },
        }
    }
    drop(listener);
    while handlers.join_next().await.is_some() {}
}

async fn accept_after<L: Listener>(listener: &L, attempt: Option<Instant>) -> io::Result<L::Connection> {
    if let Some(attempt) = attempt {
        tokio::time::sleep_until(attempt).await;
    }
    listener.accept().await
}

/// Errors of a connection that ended before it was accepted; see accept(2).
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The advice for an operator, by the error of `accept`.
fn cure(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            "the process has no free file descriptor: raise its limit (ulimit -n, LimitNOFILE=) or close clients"
        }
        Some(Errno::NFILE) => "the system has no free file descriptor: raise the sysctl fs.file-max",
        Some(Errno::NOBUFS | Errno::NOMEM) => {
            "the kernel has no memory for sockets: free some or close clients"
        }
        _ => "check the listener's address and the firewall of this machine",
    }
}

/// Pauses and warnings of one listener. Pure: the caller tells the time.
#[derive(Debug, Default)]
struct Backoff {
    /// The pause after the latest failure; zero when the latest accept succeeded.
    pause: Duration,
    next_attempt: Option<Instant>,
    last_warning: Option<Instant>,
    /// Whether the present outage was logged.
    is_reported: bool,
}

impl Backoff {
    /// Lengthens the pause. Returns whether to log a warning.
    fn failed(&mut self, now: Instant) -> bool {
        self.pause = (self.pause * 2).clamp(MIN_BACKOFF, MAX_BACKOFF);
        self.next_attempt = Some(now + self.pause);
        let is_due = self.last_warning.is_none_or(|last| now.duration_since(last) >= WARNING_INTERVAL);
        if is_due {
            self.last_warning = Some(now);
            self.is_reported = true;
        }
        is_due
    }

    /// Ends an outage. Returns whether to log that it is over.
    fn succeeded(&mut self) -> bool {
        self.pause = Duration::ZERO;
        self.next_attempt = None;
        std::mem::take(&mut self.is_reported)
    }

    fn skip_pause(&mut self) {
        self.next_attempt = None;
    }
}

#[cfg(test)]
mod tests;
