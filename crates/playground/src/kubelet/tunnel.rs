//! A byte stream through the messages of a WebSocket, for SPDY inside of it (`SPDY/3.1+portforward.k8s.io`).

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Bytes under way in each direction, and the most that is put into one message.
const BUFFER: usize = 32 << 10;

/// The byte stream, and the pump that must be polled for it to move. The pump ends with either side.
pub(crate) fn through<C>(socket: WebSocketStream<C>) -> (DuplexStream, impl Future<Output = ()>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let (near, far) = tokio::io::duplex(BUFFER);
    let pump = async move {
        let (mut sink, mut messages) = socket.split();
        let (mut reader, mut writer) = tokio::io::split(far);
        let incoming = async {
            while let Some(Ok(message)) = messages.next().await {
                let passed_on = match message {
                    Message::Binary(bytes) => writer.write_all(&bytes).await.is_ok(),
                    Message::Close(_) => false,
                    _ => true,
                };
                if !passed_on {
                    return;
                }
            }
        };
        let outgoing = async {
            let mut buffer = BytesMut::with_capacity(BUFFER);
            while let Ok(1..) = reader.read_buf(&mut buffer).await {
                if sink.send(Message::Binary(buffer.split().freeze())).await.is_err() {
                    return;
                }
                buffer.reserve(BUFFER);
            }
            // A client that is gone does not need the goodbye.
            let _ = sink.close().await;
        };
        tokio::select! {
            () = incoming => {}
            () = outgoing => {}
        }
    };
    (near, pump)
}
