//! One probe of an endpoint.

use std::io;

use portolan_plan::discovery::http_probe;
use portolan_plan::discovery::probing::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BoxedStream, CONNECT_TIMEOUT, Connect};

/// Bytes of an HTTP answer that are read, at most: its first line is shorter.
const MAX_ANSWER: u64 = 1024;

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The connection was taken, and the HTTP request, if there is one, succeeded.
    Taken,
    /// The connection was taken, and the HTTP request failed.
    Failed(String),
    Refused,
    Silent,
}

/// Connects to an endpoint and sends its request.
pub(super) async fn probe(connect: &Connect, target: &Target) -> Answer {
    let stream = match tokio::time::timeout(CONNECT_TIMEOUT, connect(target.address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_refusal(&error) => return Answer::Refused,
        Ok(Err(_)) | Err(_) => return Answer::Silent,
    };
    let Some(request) = &target.request else { return Answer::Taken };
    let text = http_probe::request(request, target.address);
    let failed = |cause: &str| Answer::Failed(format!("GET {} {cause}", request.path));
    match tokio::time::timeout(CONNECT_TIMEOUT, exchange(stream, &text)).await {
        Ok(Ok(answer)) => http_probe::judge(request, &answer).map_or_else(Answer::Failed, |()| Answer::Taken),
        Ok(Err(_)) => failed("lost the connection"),
        Err(_) => failed("was not answered in time"),
    }
}

/// Sends a request and reads the first line of the answer.
async fn exchange(mut stream: BoxedStream, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut limited = stream.take(MAX_ANSWER);
    while !answer.contains(&b'\n') {
        if limited.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(answer)
}

/// Whether the machine of the endpoint answered that nothing listens there.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use portolan_api::traffic::HttpProbe;
    use portolan_object::ObjectKey;
    use tokio::net::TcpListener;

    use super::super::connect_directly;
    use super::*;

    /// A server that gives every connection one answer, in two parts, and the request.
    async fn serve(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 512];
                let length = stream.read(&mut request).await.unwrap_or_default();
                if request[..length].starts_with(b"GET /healthz HTTP/1.1\r\nHost: ") {
                    let (first, rest) = answer.split_at(answer.len() / 2);
                    let _ = stream.write_all(first.as_bytes()).await;
                    let _ = stream.write_all(rest.as_bytes()).await;
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn an_endpoint_is_judged_by_what_it_answers_to_the_request() {
        let request = HttpProbe { path: "/healthz".to_owned(), ..HttpProbe::default() };
        let asked = |address, request: &HttpProbe| Target {
            service: ObjectKey::namespaced("shop", "web"),
            address,
            request: Some(request.clone()),
            fault: None,
        };
        let connect = connect_directly();
        let good = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(probe(&connect, &asked(good, &request)).await, Answer::Taken);
        let bad = serve("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        let failed = |cause: &str| Answer::Failed(cause.to_owned());
        assert_eq!(probe(&connect, &asked(bad, &request)).await, failed("GET /healthz answered 503"));
        let other = HttpProbe { path: "/other".to_owned(), ..HttpProbe::default() };
        let closed = probe(&connect, &asked(good, &other)).await;
        assert_eq!(closed, failed("GET /other was not answered in HTTP/1.1"));
        let unasked = Target { request: None, ..asked(bad, &request) };
        assert_eq!(probe(&connect, &unasked).await, Answer::Taken, "the connection is enough");
    }
}
