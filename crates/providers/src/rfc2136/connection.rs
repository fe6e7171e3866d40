//! DNS messages over one TCP connection (RFC 7766), with a time limit for each step.

use std::future::Future;
use std::io;
use std::time::Duration;

use dnswire::base::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Settings;
use crate::error::ProviderError;

pub(super) struct Connection {
    stream: TcpStream,
    server: String,
    timeout: Duration,
}

impl Connection {
    pub(super) async fn open(settings: &Settings) -> Result<Self, ProviderError> {
        let Settings { server, timeout, .. } = settings;
        let stream = within(server, *timeout, TcpStream::connect(server)).await?;
        // One small message after another: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, server: server.clone(), timeout: *timeout })
    }

    /// Sends a message that begins with its length.
    pub(super) async fn send(&mut self, framed: &[u8]) -> Result<(), ProviderError> {
        within(&self.server, self.timeout, self.stream.write_all(framed)).await
    }

    /// The next message.
    pub(super) async fn receive(&mut self) -> Result<Message<Vec<u8>>, ProviderError> {
        let read = async {
            let mut bytes = vec![0; usize::from(self.stream.read_u16().await?)];
            self.stream.read_exact(&mut bytes).await?;
            Ok(bytes)
        };
        let bytes = within(&self.server, self.timeout, read).await?;
        Message::from_octets(bytes).map_err(|_| ProviderError::Answer {
            server: self.server.clone(),
            reason: "it is shorter than a DNS message".to_owned(),
        })
    }
}

async fn within<T>(
    server: &str,
    limit: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, ProviderError> {
    match timeout(limit, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            let reason = match error.kind() {
                io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
                _ => error.to_string(),
            };
            Err(ProviderError::Unreachable { server: server.to_owned(), reason })
        }
        Err(_) => Err(ProviderError::Timeout { server: server.to_owned(), after: limit }),
    }
}
