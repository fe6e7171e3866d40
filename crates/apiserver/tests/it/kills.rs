//! SIGKILL while clients write and watch over sockets: what was acknowledged is there afterwards, and a watcher that goes on
//! from its last event sees every change once and in order.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-apiserver --test it a_watcher_sees -- --nocapture` runs more seeds than the
//! normal tests do; `PORTOLAN_FIRST_SEED` is the first one. A seed is one process and its kill; all have the same store.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use portolan_apiserver::{ApiServer, Config, User};
use portolan_net::Shutdown;
use portolan_net::server::{Server, listen};
use portolan_store::Store;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::cluster::{CONFIG_MAPS, config_map};

/// Set for the child process: the file of its store.
const STORE: &str = "PORTOLAN_KILLED_STORE";
const DEADLINE: Duration = Duration::from_secs(30);
const WRITERS: usize = 6;
/// Objects of each writer.
const OBJECTS: usize = 5;
/// Acknowledged writes of one process, at most.
const MAX_WRITES: usize = 300;

/// The child: serves until it is killed, or until the parent is gone.
#[test]
#[ignore = "run by the test of kills, in a separate process"]
fn child_that_serves_until_it_is_killed() {
    let Ok(path) = std::env::var(STORE) else { return };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = ApiServer::start(Config::default(), open(Path::new(&path)).await).await.unwrap();
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        println!("\nlistening {}", listener.local_addr().unwrap());
        let scope = Shutdown::new();
        Server::plain(listener).spawn(server.local(User::new("admin", ["system:masters"])), &scope);
        std::future::pending::<()>().await;
    });
}

/// Opens the store; the system releases the lock of a killed process a moment after its end.
async fn open(path: &Path) -> Store<portolan_apiserver::Record> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match Store::open(path).await {
            Ok(store) => return store,
            Err(error) if Instant::now() > deadline => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A running child, which is killed when this is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(store: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::child_that_serves_until_it_is_killed", "--ignored", "--nocapture"])
            .env(STORE, store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening ")?.parse().ok());
        let address = address.expect("the child listens");
        // Read to the end, so that the child can always write.
        std::thread::spawn(move || lines.count());
        Self { child, address }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection. Requests give `None` when it is lost.
struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TokioIo::new(TcpStream::connect(address).await.ok()?);
        let (sender, connection) = http1::handshake(stream).await.ok()?;
        tokio::spawn(connection);
        Some(Self(sender))
    }

    async fn start(&mut self, method: Method, path: &str, body: String) -> Option<(u16, Incoming)> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Full::new(body.into()));
        let sent = tokio::time::timeout(DEADLINE, self.0.send_request(request.unwrap())).await;
        let response = sent.expect("an answer in time").ok()?;
        Some((response.status().as_u16(), response.into_body()))
    }

    async fn send(&mut self, method: Method, path: &str, body: String) -> Option<(u16, Value)> {
        let (code, body) = self.start(method, path, body).await?;
        let body = tokio::time::timeout(DEADLINE, body.collect()).await.expect("an answer in time").ok()?;
        Some((code, serde_json::from_slice(&body.to_bytes()).ok()?))
    }
}

/// Resource version of an object or a list.
fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a version")
}

/// Name, and version with value.
fn entry(object: &Value) -> (String, (u64, String)) {
    let value = object["data"]["k"].as_str().unwrap_or_default().to_owned();
    (object["metadata"]["name"].as_str().expect("a name").to_owned(), (version(object), value))
}

type Objects = BTreeMap<String, (u64, String)>;

/// What one writer knows of its objects, over all processes.
#[derive(Default)]
struct Ledger {
    number: usize,
    /// Values that were acknowledged; `None` for a deletion.
    certain: BTreeMap<String, Option<String>>,
    /// A write without an answer.
    open: Option<(String, Option<String>)>,
    /// Versions of acknowledged writes that the watcher was not asked for yet.
    versions: Vec<u64>,
}

impl Ledger {
    /// Writes until the connection is lost.
    async fn write(mut self, address: SocketAddr, mut random: StdRng, written: UnboundedSender<()>) -> Self {
        let Some(mut connection) = Connection::open(address).await else { return self };
        loop {
            let name = format!("{}-{}", self.number, random.random_range(0..OBJECTS));
            let exists = self.certain.get(&name).is_some_and(Option::is_some);
            let value =
                format!("{}{}", random.random_range(0..1_000_000), "x".repeat(random.random_range(0..3000)));
            let value = (!exists || random.random_range(0..10) < 7).then_some(value);
            let body = value.as_ref().map(|value| config_map(&name, value).to_string()).unwrap_or_default();
            let path = format!("{CONFIG_MAPS}/{name}");
            self.open = Some((name.clone(), value.clone()));
            let answer = match (&value, exists) {
                (Some(_), false) => connection.send(Method::POST, CONFIG_MAPS, body).await,
                (Some(_), true) => connection.send(Method::PUT, &path, body).await,
                (None, _) => connection.send(Method::DELETE, &path, body).await,
            };
            let Some((code, answer)) = answer else { return self };
            assert!(code < 300, "{path}: {code} {answer}");
            if value.is_some() {
                self.versions.push(version(&answer));
            }
            self.certain.insert(name, value);
            self.open = None;
            let _ = written.send(());
        }
    }

    /// Compares what was acknowledged with the objects after a restart. A write without an answer may have happened.
    fn check(&mut self, found: &Objects, what: &str) {
        for (name, certain) in &mut self.certain {
            let value = found.get(name).map(|(_, value)| value.clone());
            match self.open.take_if(|(open, _)| open == name) {
                Some((_, wanted)) if value == wanted => *certain = value,
                _ => assert_eq!(value, *certain, "{what}: {name} is lost"),
            }
        }
        if let Some((name, wanted)) = self.open.take()
            && let Some((_, value)) = found.get(&name)
        {
            assert_eq!(Some(value), wanted.as_ref(), "{what}: {name}");
            self.certain.insert(name, wanted);
        }
    }
}

/// A client that lists once and then only watches.
struct Watcher {
    known: Objects,
    last: u64,
    seen: BTreeSet<u64>,
}

impl Watcher {
    /// Watches from the last event on, until the connection is lost or the object `until` is there.
    async fn follow(mut self, address: SocketAddr, until: Option<String>, what: String) -> Self {
        let Some(mut connection) = Connection::open(address).await else { return self };
        let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={}", self.last);
        let Some((code, mut body)) = connection.start(Method::GET, &path, String::new()).await else {
            return self;
        };
        assert_eq!(code, 200, "{what}");
        let mut rest = Vec::new();
        loop {
            let frame = tokio::time::timeout(DEADLINE, body.frame()).await.expect("events in time");
            let Some(Ok(frame)) = frame else { return self };
            rest.extend_from_slice(frame.data_ref().expect("no trailers"));
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                self.apply(&serde_json::from_slice(&line).expect("an event"), &what);
            }
            if until.as_ref().is_some_and(|name| self.known.contains_key(name)) {
                return self;
            }
        }
    }

    fn apply(&mut self, event: &Value, what: &str) {
        let kind = event["type"].as_str().unwrap_or_default();
        assert_ne!(kind, "ERROR", "{what}: {event}");
        let (name, (version, value)) = entry(&event["object"]);
        assert!(version > self.last, "{what}: {kind} {name} of {version} after {}", self.last);
        let was_known = match kind {
            "DELETED" => self.known.remove(&name).is_some(),
            _ => self.known.insert(name.clone(), (version, value)).is_some(),
        };
        assert_eq!(was_known, kind != "ADDED", "{what}: {kind} {name} of {version}");
        self.last = version;
        self.seen.insert(version);
    }
}

/// After a start: compares the objects with what writers and watcher know.
async fn check(address: SocketAddr, ledgers: &mut [Ledger], watcher: Watcher, what: &str) -> Watcher {
    let mut connection = Connection::open(address).await.expect("a server");
    let marker = format!("marker-{}", what.replace(' ', "-"));
    let made = connection.send(Method::POST, CONFIG_MAPS, config_map(&marker, "").to_string()).await;
    assert_eq!(made.map(|(code, _)| code), Some(201), "{what}");
    let watcher = watcher.follow(address, Some(marker.clone()), what.to_owned()).await;
    let list = connection.send(Method::GET, CONFIG_MAPS, String::new()).await.expect("a list").1;
    let found: Objects = list["items"].as_array().expect("items").iter().map(entry).collect();
    assert_eq!(watcher.known, found, "{what}: the watcher's objects and the server's");
    for ledger in ledgers {
        ledger.check(&found, what);
        for version in ledger.versions.drain(..) {
            assert!(watcher.seen.contains(&version), "{what}: the watcher missed {version}");
        }
    }
    watcher
}

#[tokio::test]
async fn a_watcher_sees_every_change_once_through_kills() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db");
    let mut ledgers: Vec<_> = (0..WRITERS).map(|number| Ledger { number, ..Ledger::default() }).collect();
    let mut watcher = None;
    let number =
        |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (first, count): (u64, u64) = (number("PORTOLAN_FIRST_SEED", 0), number("PORTOLAN_SEEDS", 6));
    let mut writes = 0;
    for seed in first..first + count {
        let (process, what) = (Process::start(&store), format!("seed {seed}"));
        let known = match watcher.take() {
            Some(watcher) => watcher,
            None => list(process.address).await,
        };
        let known = check(process.address, &mut ledgers, known, &what).await;
        let mut random = StdRng::seed_from_u64(seed);
        let (sender, mut written) = unbounded_channel();
        let mut writers = JoinSet::new();
        for ledger in ledgers.drain(..) {
            writers.spawn(ledger.write(
                process.address,
                StdRng::seed_from_u64(random.random()),
                sender.clone(),
            ));
        }
        drop(sender);
        let watching = tokio::spawn(known.follow(process.address, None, what));
        for _ in 0..random.random_range(1..MAX_WRITES) {
            written.recv().await.expect("writers write until the kill");
            writes += 1;
        }
        drop(process);
        ledgers = writers.join_all().await;
        watcher = Some(watching.await.unwrap());
    }
    let process = Process::start(&store);
    let known = check(process.address, &mut ledgers, watcher.expect("one seed"), "end").await;
    println!(
        "kills: {count}, acknowledged writes: more than {writes}, lost 0; events: {}, missed or repeated 0",
        known.seen.len()
    );
}

async fn list(address: SocketAddr) -> Watcher {
    let mut connection = Connection::open(address).await.expect("a server");
    let list = connection.send(Method::GET, CONFIG_MAPS, String::new()).await.expect("a list").1;
    let known = list["items"].as_array().expect("items").iter().map(entry).collect();
    Watcher { known, last: version(&list), seen: BTreeSet::new() }
}
