use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::*;

const OPTIONS: AcceptOptions = AcceptOptions { listener: "test", max_connections: 2 };

/// A listener that answers what the test sends, and counts how often it is asked.
struct Scripted {
    results: tokio::sync::Mutex<mpsc::UnboundedReceiver<io::Result<u32>>>,
    /// While set, every accept fails with this error.
    outage: Arc<Mutex<Option<Errno>>>,
    attempts: Arc<AtomicUsize>,
}

impl Listener for Scripted {
    type Connection = u32;

    async fn accept(&self) -> io::Result<u32> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if let Some(number) = *self.outage.lock() {
            return Err(number.into());
        }
        match self.results.lock().await.recv().await {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}

/// An accept loop under test. Handlers run until `release` is notified.
struct Fixture {
    connections: mpsc::UnboundedSender<io::Result<u32>>,
    outage: Arc<Mutex<Option<Errno>>>,
    attempts: Arc<AtomicUsize>,
    handled: Arc<Mutex<Vec<u32>>>,
    release: Arc<Notify>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start() -> Fixture {
    let (connections, results) = mpsc::unbounded_channel();
    let (outage, attempts) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let listener = Scripted { results: results.into(), outage: outage.clone(), attempts: attempts.clone() };
    let (handled, release, stop) =
        (Arc::<Mutex<Vec<u32>>>::default(), Arc::new(Notify::new()), CancellationToken::new());
    let (seen, released) = (handled.clone(), release.clone());
    let task = tokio::spawn(serve(listener, OPTIONS, stop.clone().cancelled_owned(), move |connection| {
        seen.lock().push(connection);
        let released = released.clone();
        async move { released.notified().await }
    }));
    Fixture { connections, outage, attempts, handled, release, stop, task }
}

impl Fixture {
    /// Lets the loop run for some of the paused clock's time, then lists the connections that have a handler.
    async fn handled_after(&self, time: Duration) -> Vec<u32> {
        tokio::time::sleep(time).await;
        self.handled.lock().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait() {
    let server = start();
    for connection in 1..=3 {
        server.connections.send(Ok(connection)).expect("the loop runs");
    }
    assert_eq!(server.handled_after(Duration::from_millis(1)).await, [1, 2]);
    server.release.notify_one();
    assert_eq!(server.handled_after(Duration::from_millis(1)).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn without_descriptors_the_loop_rests_and_recovers() {
    let server = start();
    *server.outage.lock() = Some(Errno::MFILE);
    // The accept that is under way gets the error of a client first.
    server.connections.send(Err(io::ErrorKind::ConnectionAborted.into())).expect("the loop runs");
    server.handled_after(Duration::from_secs(60)).await;
    let attempts = server.attempts.load(Ordering::Relaxed);
    assert!((60..=80).contains(&attempts), "{attempts} attempts in a minute");
    *server.outage.lock() = None;
    server.connections.send(Ok(7)).expect("the loop runs");
    assert_eq!(server.handled_after(MAX_BACKOFF).await, [7]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_ends_the_pause() {
    let server = start();
    server.connections.send(Ok(1)).expect("the loop runs");
    server.handled_after(Duration::from_millis(1)).await;
    *server.outage.lock() = Some(Errno::NFILE);
    server.connections.send(Err(Errno::NFILE.into())).expect("the loop runs");
    server.handled_after(Duration::from_secs(20)).await;
    *server.outage.lock() = None;
    server.connections.send(Ok(2)).expect("the loop runs");
    server.release.notify_one();
    assert_eq!(server.handled_after(Duration::from_millis(1)).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_handlers() {
    let server = start();
    server.connections.send(Ok(1)).expect("the loop runs");
    server.handled_after(Duration::from_millis(1)).await;
    server.stop.cancel();
    server.handled_after(Duration::from_secs(1)).await;
    assert!(server.connections.send(Ok(2)).is_err(), "the listener is closed");
    assert!(!server.task.is_finished());
    server.release.notify_one();
    server.task.await.expect("no panic");
    assert_eq!(*server.handled.lock(), [1]);
}

#[test]
fn one_warning_for_each_minute_of_trouble() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut backoff = Backoff::default();
    assert!(backoff.failed(at(0)), "the first failure is logged");
    assert!(!backoff.failed(at(1)) && !backoff.failed(at(59)));
    assert!(backoff.succeeded(), "the end of a logged outage is logged");
    assert!(!backoff.failed(at(59)), "a second outage in the same minute is not");
    assert!(!backoff.succeeded(), "nor is its end");
    assert!(backoff.failed(at(60)));
}

#[test]
fn pauses_double_up_to_a_second() {
    let now = Instant::now();
    let mut backoff = Backoff::default();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        backoff.failed(now);
        pauses.push(backoff.pause.as_millis());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    backoff.succeeded();
    backoff.failed(now);
    assert_eq!(backoff.pause, MIN_BACKOFF);
}
