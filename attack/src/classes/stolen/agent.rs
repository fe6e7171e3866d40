//! A running agent, and requests that it must not serve.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::net::{TcpStream, UdpSocket};

use crate::tally::Tally;

/// Time for an answer; none is a refusal too.
const PATIENCE: Duration = Duration::from_secs(2);
/// Paths of API servers and of profiles, which the agent does not have.
const PATHS: [&str; 7] =
    ["/api/v1/secrets", "/apis", "/debug/pprof/heap", "/configz", "/metrics/../api", "//healthz", "/token"];
/// The agent's pages; they can only be read.
const PAGES: [&str; 4] = ["/healthz", "/livez", "/readyz", "/metrics"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Operation codes other than QUERY: IQUERY, STATUS, NOTIFY, UPDATE, DSO, and 11, which is unassigned.
const OPERATIONS: [u8; 6] = [1, 2, 4, 5, 6, 11];
/// Transfers of the zone: IXFR and AXFR.
const TRANSFERS: [u16; 2] = [251, 252];
const INTERNET: u16 = 1;
const CHAOS: u16 = 3;
const TXT: u16 = 16;
const SOA: u16 = 6;
/// Octets of the header of a DNS message.
const HEADER: usize = 12;

/// A process; killed when dropped.
struct Running(Child);

/// An agent.
pub(super) struct Agent {
    _process: Running,
    dns: SocketAddr,
    http: SocketAddr,
}

impl Agent {
    /// Starts on free ports.
    pub(super) fn start(portolan: &Path, kubeconfig: &Path) -> Result<Self> {
        let mut command = Command::new(portolan);
        command.arg("agent").arg("--kubeconfig").arg(kubeconfig);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        let mut process =
            Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("no agent")?);
        let output = process.0.stdout.take().context("no output of the agent")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut address = |name: &str| {
            let line = lines.next().unwrap_or_default();
            let text = line.strip_prefix(name).unwrap_or_default().trim().trim_start_matches("http://");
            text.parse::<SocketAddr>().with_context(|| format!("the agent says {line:?}"))
        };
        let (dns, http) = (address("dns:")?, address("http:")?);
        std::thread::spawn(move || lines.count());
        Ok(Self { _process: process, dns, http })
    }

    /// One request to its pages that they must not serve, with a token.
    pub(super) async fn try_page(&self, token: &str, random: &mut StdRng, tally: &mut Tally) -> Result<()> {
        let (method, path) = match random.random_range(0..2) {
            0 => (METHODS[random.random_range(1..METHODS.len())], PAGES[random.random_range(0..PAGES.len())]),
            _ => (METHODS[random.random_range(0..METHODS.len())], PATHS[random.random_range(0..PATHS.len())]),
        };
        let stream = TokioIo::new(TcpStream::connect(self.http).await.context("the agent has ended")?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "agent");
        let request =
            request.header("authorization", format!("Bearer {token}")).body(Full::<Bytes>::default())?;
        let answer = sender.send_request(request).await?;
        connection.abort();
        match answer.status().as_u16() {
            400.. => tally.refused(),
            status => tally.succeeded(format!("agent: {method} {path}: {status}")),
        }
        Ok(())
    }

    /// One message to its DNS that would change or reveal the zone as a whole.
    pub(super) async fn try_dns(&self, random: &mut StdRng, tally: &mut Tally) -> Result<()> {
        let zone = |operation, record_type| message(operation, "clusterset.local", record_type, INTERNET);
        // Whether an answer without an error and without records accepts it.
        let (what, message, is_change) = match random.random_range(0..3) {
            0 => {
                let operation = OPERATIONS[random.random_range(0..OPERATIONS.len())];
                (format!("operation {operation}"), zone(operation, SOA), true)
            }
            1 => {
                let transfer = TRANSFERS[random.random_range(0..TRANSFERS.len())];
                (format!("transfer {transfer}"), zone(0, transfer), false)
            }
            _ => ("version.bind".to_owned(), message(0, "version.bind", TXT, CHAOS), false),
        };
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.send_to(&message, self.dns).await?;
        let mut answer = [0; 512];
        match tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await {
            Ok(Ok(length)) if length >= HEADER => {
                let (code, records) = (answer[3] & 15, u16::from_be_bytes([answer[6], answer[7]]));
                if code == 0 && (is_change || records > 0) {
                    tally.succeeded(format!("agent: DNS {what}: accepted, {records} records"));
                } else {
                    tally.refused();
                }
            }
            _ => tally.refused(),
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A DNS message with one question, or what stands in its place.
fn message(operation: u8, name: &str, record_type: u16, class: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, operation << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.extend(u8::try_from(label.len()));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&record_type.to_be_bytes());
    message.extend_from_slice(&class.to_be_bytes());
    message
}
