//! DNS over TCP (RFC 7766): several queries on one connection, each prefixed with its length.
//!
//! The number of connections, their idle time and the memory of each are limited.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Limits;
use crate::counters::Counters;
use crate::respond::{Transport, respond};
use crate::zones::Zones;

/// Serves a listener until `scope` is asked to stop.
pub(super) fn spawn(
    listener: TcpListener,
    zones: Arc<Zones>,
    counters: Arc<Counters>,
    limits: Limits,
    scope: &Shutdown,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let options = AcceptOptions { listener: "DNS over TCP", max_connections: limits.connections };
    let stop = scope.clone();
    // The scope waits for the task; the handle is not needed.
    let _handle = scope.spawn(async move {
        accept::serve(listener, options, stop.requested(), |(stream, _peer)| {
            let (zones, counters, stop) = (zones.clone(), counters.clone(), stop.clone());
            async move {
                tokio::select! {
                    // Ignore disconnect errors.
                    _ = serve_connection(stream, &zones, &counters, limits.idle) => {}
                    () = stop.requested() => {}
                }
            }
        })
        .await;
    });
    Ok(())
}

/// Answers queries in order, until the client closes the connection, is idle for too long, or sends a packet that is
/// not a query.
async fn serve_connection(
    stream: TcpStream,
    zones: &Zones,
    counters: &Counters,
    idle: Duration,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut query, mut answer, mut turn) = (Vec::new(), Vec::new(), 0usize);
    loop {
        timeout(idle, async {
            let length = stream.read_u16().await?;
            query.resize(usize::from(length), 0);
            stream.read_exact(&mut query).await
        })
        .await??;
        turn = turn.wrapping_add(1);
        let answered = respond(&zones.snapshot(), &query, Transport::Tcp, turn, &mut answer);
        counters.count(answered);
        if answered.is_none() {
            return Ok(());
        }
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        answer.splice(0..0, length.to_be_bytes());
        timeout(idle, stream.write_all(&answer)).await??;
    }
}
