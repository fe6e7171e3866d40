//! DNS over TCP (RFC 7766): several queries on one connection, each with its length before it.
//!
//! Connections, their silence and the memory of each are bounded.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use portolan_net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Limits;
use crate::counters::Counters;
use crate::respond::{Transport, respond};
use crate::zones::Zones;

/// Rest after an accept that failed for want of resources.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    let connections = Arc::new(Semaphore::new(limits.connections));
    let stop = scope.clone();
    let serve = async move {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = connections.clone().acquire_owned().await else { return };
            let stream = accept(&listener).await;
            let (zones, counters, closing) = (zones.clone(), counters.clone(), stop.clone());
            let _handle = stop.spawn(async move {
                tokio::select! {
                    // How a client leaves is its own affair.
                    _ = converse(stream, &zones, &counters, limits.idle) => {}
                    () = closing.requested() => {}
                }
                drop(permit);
            });
        }
    };
    let stop = scope.clone();
    let _handle = scope.spawn(async move {
        tokio::select! {
            () = serve => {}
            () = stop.requested() => {}
        }
    });
    Ok(())
}

async fn accept(listener: &tokio::net::TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept DNS connections, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one query after the other, until the client closes, is silent for too long, or sends what is no query.
async fn converse(stream: TcpStream, zones: &Zones, counters: &Counters, idle: Duration) -> io::Result<()> {
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
