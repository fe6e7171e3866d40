//! Connections and streams that are opened and not used as intended.
//!
//! Each flood holds its connections for a few seconds. It succeeds when health checks fail or when the server's memory
//! grows beyond the flood's allowance.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Setting;
use crate::client::Client;
use crate::health::HealthChecks;
use crate::server::Server;
use crate::tally::Tally;

/// Time for which connections are held.
const HOLD: Duration = Duration::from_secs(4);
/// Memory of the objects that unread watches and lists would carry.
const OBJECTS: usize = 100;
const OBJECT_BYTES: usize = 80_000;
const MIB: u64 = 1 << 20;

/// A flood.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Watches over HTTP/1.1, never read.
    UnreadWatches,
    /// Watches in streams of one connection, never read.
    UnreadStreams,
    /// Lists in streams without a window.
    UnreadLists,
    /// TCP connections that send half of a TLS hello.
    HalfOpenHandshakes,
    /// Headers that arrive byte by byte.
    SlowHeaders,
    /// A body that does not arrive.
    MissingBodies,
    /// Streams that are reset as soon as they are opened.
    RapidReset,
}

impl Flood {
    const ALL: [Self; 7] = [
        Self::UnreadWatches,
        Self::UnreadStreams,
        Self::UnreadLists,
        Self::HalfOpenHandshakes,
        Self::SlowHeaders,
        Self::MissingBodies,
        Self::RapidReset,
    ];

    /// Connections or streams.
    fn size(self, random: &mut StdRng) -> usize {
        match self {
            Self::UnreadWatches | Self::HalfOpenHandshakes => random.random_range(300..1000),
            Self::UnreadStreams | Self::UnreadLists => random.random_range(100..400),
            Self::SlowHeaders | Self::MissingBodies => random.random_range(100..300),
            Self::RapidReset => random.random_range(2_000..8_000),
        }
    }

    /// Memory that the server may take for it.
    fn allowance(self, size: usize) -> u64 {
        // A TLS connection takes tens of KiB on the side of the server before anything is sent.
        let size = size as u64;
        64 * MIB + size * (64 << 10)
    }
}

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut server = setting.start(&folder)?;
    let client = server.client()?;
    fill(&client).await?;
    let health = HealthChecks::start(client.clone());
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    for round in 0.. {
        for flood in Flood::ALL {
            if round > 0 && std::time::Instant::now() > deadline {
                break;
            }
            health.during(&format!("{flood:?}"));
            pour(flood, &mut random, &mut server, &client, &mut tally).await?;
        }
        if std::time::Instant::now() > deadline {
            break;
        }
    }
    tally.add_health(&health.finish());
    match server.terminate()? {
        Some(time) => tally.note(format!("SIGTERM after the attack: ended after {time:.1?}")),
        None => tally.succeeded("SIGTERM does not end the server".to_owned()),
    }
    Ok(tally)
}

async fn fill(client: &Client) -> Result<()> {
    for number in 0..OBJECTS {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("large{number}")},
            "data": {"text": "x".repeat(OBJECT_BYTES)},
        });
        client.create("/api/v1/namespaces/default/configmaps", &object).await?;
    }
    Ok(())
}

async fn pour(
    flood: Flood,
    random: &mut StdRng,
    server: &mut Server,
    client: &Client,
    tally: &mut Tally,
) -> Result<()> {
    let (size, before) = (flood.size(random), server.resident());
    let mut held = JoinSet::new();
    match flood {
        Flood::UnreadStreams | Flood::UnreadLists | Flood::RapidReset => {
            let client = client.clone();
            held.spawn(async move { streams(flood, size, &client).await });
        }
        _ => {
            for _ in 0..size {
                let client = client.clone();
                held.spawn(async move { connection(flood, &client).await });
            }
        }
    }
    let mut most = before;
    while !held.is_empty() {
        most = most.max(server.resident());
        let ended = tokio::time::timeout(Duration::from_millis(50), held.join_next()).await;
        if let Ok(Some(ended)) = ended {
            if ended?.is_err() { tally.refused() } else { tally.harmless() }
        }
    }
    let growth = most.saturating_sub(before);
    let allowed = flood.allowance(size);
    tally.note(format!("{flood:?} × {size}: memory grew by {} MiB", growth / MIB));
    if growth > allowed {
        let grown = format!("{} MiB, {} allowed", growth / MIB, allowed / MIB);
        tally.succeeded(format!("{flood:?} × {size}: memory grew by {grown}"));
    }
    if server.has_ended() {
        anyhow::bail!("{flood:?}: the server has ended: {}", server.log());
    }
    Ok(())
}

/// One connection, held. An error is a connection that the server refused or closed.
async fn connection(flood: Flood, client: &Client) -> Result<()> {
    if matches!(flood, Flood::HalfOpenHandshakes) {
        let mut stream = TcpStream::connect(client.address()).await?;
        // The header of a handshake record of 512 bytes, and the first of them.
        stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).await?;
        tokio::time::sleep(HOLD).await;
        return Ok(());
    }
    let mut stream = client.connect(b"http/1.1").await?;
    let watch = "GET /api/v1/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                 &allowWatchBookmarks=true HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let post = "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ncontent-length: 3000000\r\n\r\n{";
    match flood {
        Flood::UnreadWatches => stream.write_all(watch.as_bytes()).await?,
        Flood::MissingBodies => stream.write_all(post.as_bytes()).await?,
        _ => {
            for byte in watch.bytes().take(20) {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(HOLD / 20).await;
            }
        }
    }
    stream.flush().await?;
    tokio::time::sleep(HOLD).await;
    Ok(())
}

/// Many streams in one connection of HTTP/2.
async fn streams(flood: Flood, size: usize, client: &Client) -> Result<()> {
    let stream = client.connect(b"h2").await?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(if matches!(flood, Flood::UnreadLists) { 0 } else { 65_535 });
    let (mut sender, connection) = builder.handshake::<_, Bytes>(stream).await?;
    let connection = tokio::spawn(connection);
    let path = match flood {
        Flood::UnreadStreams => "/api/v1/configmaps?watch=true&resourceVersion=0",
        _ => "/api/v1/configmaps",
    };
    let mut held = Vec::new();
    for _ in 0..size {
        let request =
            Request::builder().method(Method::GET).uri(format!("https://localhost{path}")).body(())?;
        // Streams beyond the server's limit wait; the flood does not.
        let ready = tokio::time::timeout(Duration::from_secs(1), sender.clone().ready()).await;
        let Ok(ready) = ready else { break };
        sender = ready?;
        let (answer, mut body) =
            sender.send_request(request, matches!(flood, Flood::UnreadLists | Flood::UnreadStreams))?;
        if matches!(flood, Flood::RapidReset) {
            body.send_reset(h2::Reason::CANCEL);
        } else {
            held.push(answer);
        }
    }
    tokio::time::sleep(HOLD).await;
    connection.abort();
    Ok(())
}
