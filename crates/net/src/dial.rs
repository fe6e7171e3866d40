//! Opens TCP connections over links that lose packets.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time after which an attempt is repeated. The kernel repeats the first packet of a connection after 1, 3, 7 and 15 s; a new
/// attempt sends it at once, so that a link that is back is used within two seconds.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Connects, and tries again while nothing answers. Ends with the first answer, also a refusal; the caller limits the time.
///
/// # Errors
/// When the host has no address, or refuses.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    loop {
        if let Ok(answered) = timeout(ATTEMPT, TcpStream::connect((host, port))).await {
            let stream = answered?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        }
    }
}
