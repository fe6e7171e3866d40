//! A process without file descriptors rests, says so once, and serves again when it has some.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use portolan_net::accept::{AcceptOptions, serve};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Set for the child process.
const CHILD: &str = "PORTOLAN_TEST_DESCRIPTORS";
/// Descriptors of the child.
const LIMIT: u64 = 48;
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Time without descriptors, and the processor time that the child may use in it. A loop without a pause uses all.
const OUTAGE: Duration = Duration::from_secs(2);
const MAX_TICKS: u64 = 30;

#[test]
#[ignore = "the child process of the test below"]
fn child_without_descriptors() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let limit = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
        setrlimit(Resource::Nofile, limit).expect("lowered");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("\nlistening {}", listener.local_addr().expect("bound"));
        let options = AcceptOptions { listener: "test", max_connections: 10 };
        tokio::spawn(serve(listener, options, std::future::pending(), |(mut stream, _)| async move {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.expect("a byte");
            stream.write_all(&byte).await.expect("sent back");
        }));
        let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        println!("\nfull {}", files.len());
        wait_for_line().await;
        drop(files);
        wait_for_line().await;
    });
}

async fn wait_for_line() {
    let line = tokio::task::spawn_blocking(|| io::stdin().lines().next());
    line.await.expect("no panic");
}

/// The rest of the first line of the child's output that starts with `word`.
fn read_until(output: &mut impl BufRead, word: &str) -> String {
    let mut lines = output.lines().map(|line| line.expect("text"));
    lines.find_map(|line| Some(line.strip_prefix(word)?.trim().to_owned())).expect("the child lives")
}

/// Processor time of a process in user and kernel mode, in clock ticks; see proc(5).
fn ticks(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("the child lives");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn a_process_without_descriptors_rests_and_recovers() {
    let mut child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "descriptors::child_without_descriptors", "--ignored", "--nocapture"])
        .env(CHILD, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut input = child.stdin.take().expect("piped");
    let address = read_until(&mut output, "listening ");
    read_until(&mut output, "full ");

    let mut client = TcpStream::connect(address).expect("the kernel takes the connection");
    client.set_read_timeout(Some(READ_TIMEOUT)).expect("set");
    client.write_all(b"x").expect("sent");
    let before = ticks(&child);
    sleep(OUTAGE);
    let used = ticks(&child) - before;
    assert!(used <= MAX_TICKS, "{used} ticks in {OUTAGE:?}");

    input.write_all(b"release\n").expect("the child reads");
    let mut byte = [0];
    client.read_exact(&mut byte).expect("served once there are descriptors");
    assert_eq!(&byte, b"x");

    input.write_all(b"end\n").expect("the child reads");
    assert!(child.wait().expect("ended").success());
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
    assert!(
        log.contains("raise its limit (ulimit -n") && log.contains("accepting connections again"),
        "{log}"
    );
}
