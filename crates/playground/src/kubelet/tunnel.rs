//! A byte stream over the messages of a WebSocket, for SPDY inside it (`SPDY/3.1+portforward.k8s.io`).

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Buffer of each direction, and limit of one message.
const BUFFER_BYTES: usize = 32 << 10;

/// The byte stream, and the task that copies its bytes. The task ends with either side.
pub(crate) fn through<C>(socket: WebSocketStream<C>) -> (DuplexStream, impl Future<Output = ()>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let (near, far) = tokio::io::duplex(BUFFER_BYTES);
    let pump = async move {
        let (mut sink, mut messages) = socket.split();
        let (mut reader, mut writer) = tokio::io::split(far);
        let incoming = async {
            while let Some(Ok(message)) = messages.next().await {
                let is_open = match message {
                    Message::Binary(bytes) => writer.write_all(&bytes).await.is_ok(),
                    Message::Close(_) => false,
                    _ => true,
                };
                if !is_open {
                    return;
                }
            }
        };
        let outgoing = async {
            let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
            while let Ok(1..) = reader.read_buf(&mut buffer).await {
                if sink.send(Message::Binary(buffer.split().freeze())).await.is_err() {
                    return;
                }
                buffer.reserve(BUFFER_BYTES);
            }
            // Fails if the client has disconnected.
            let _ = sink.close().await;
        };
        tokio::select! {
            () = incoming => {}
            () = outgoing => {}
        }
    };
    (near, pump)
}
