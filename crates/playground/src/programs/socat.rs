//! `alpine/socat`: listens on a TCP or UDP port and answers with a text, or echoes.
//!
//! Supported are the listening addresses `TCP-LISTEN`, `TCP4-LISTEN`, `UDP-LISTEN`, `UDP4-LISTEN` and `UDP-RECVFROM`
//! together with `SYSTEM:echo …`, `EXEC:cat`, `SYSTEM:cat` and `PIPE`. Everything else is an error.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::network::{Interface, ListenError, Protocol};
use crate::programs::{Executable, Image, Process, Running, web};

pub(crate) const IMAGE: Image = Image {
    repositories: &["socat"],
    entrypoint: &["socat"],
    command: &[],
    executables: &[Executable { path: "/usr/bin/socat", run }],
    base: &[],
};

const MAX_DATAGRAM_BYTES: usize = 65_535;
/// Time to continue one direction after the other has ended (`-t`).
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Eq)]
struct SocatOptions {
    protocol: Protocol,
    port: u16,
    answer: Reply,
}

/// Why the arguments are rejected.
#[derive(Debug, thiserror::Error)]
enum OptionsError {
    #[error("exactly 2 addresses required (there are {0})")]
    Addresses(usize),
    #[error("{0:?} is not supported by Portolan")]
    Unsupported(String),
    #[error("{0:?} is not a port")]
    Port(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Text(String),
    Echo,
}

fn run(process: Process) -> Running {
    Box::pin(async move {
        let options = match parse_options(process.operands()) {
            Ok(options) => options,
            Err(error) => {
                process.stderr.line(format_args!("socat: E {error}"));
                return 1;
            }
        };
        let served = match options.protocol {
            Protocol::Tcp => answer_connections(&process, options).await,
            // `parse_options` never returns SCTP.
            Protocol::Udp | Protocol::Sctp => answer_datagrams(&process, options).await,
        };
        match served {
            Ok(()) => crate::programs::TERMINATED,
            Err(error) => {
                process.stderr.line(format_args!("socat: E bind: {error}"));
                1
            }
        }
    })
}

fn parse_options(operands: &[String]) -> Result<SocatOptions, OptionsError> {
    let addresses: Vec<&str> =
        operands.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let [listen, reply] = addresses[..] else {
        return Err(OptionsError::Addresses(addresses.len()));
    };
    let unsupported = |what: &str| OptionsError::Unsupported(what.to_owned());
    let (kind, rest) = listen.split_once(':').ok_or_else(|| unsupported(listen))?;
    let protocol = match kind.to_ascii_uppercase().as_str() {
        "TCP-LISTEN" | "TCP4-LISTEN" | "TCP-L" => Protocol::Tcp,
        "UDP-LISTEN" | "UDP4-LISTEN" | "UDP-L" | "UDP-RECVFROM" | "UDP4-RECVFROM" => Protocol::Udp,
        _ => return Err(unsupported(kind)),
    };
    let mut options = rest.split(',');
    let port = options.next().unwrap_or_default();
    let port = port.parse().map_err(|_| OptionsError::Port(port.to_owned()))?;
    let ending = if options.any(|option| option == "crlf") { "\r\n" } else { "\n" };
    let answer = match reply.split_once(':').unwrap_or((reply, "")) {
        ("SYSTEM" | "EXEC", "cat") | ("PIPE" | "pipe" | "-", "") => Reply::Echo,
        ("SYSTEM" | "EXEC", command) if command.starts_with("echo ") => {
            Reply::Text(format!("{}{ending}", unquote(command["echo ".len()..].trim())))
        }
        _ => return Err(unsupported(reply)),
    };
    Ok(SocatOptions { protocol, port, answer })
}

/// Removes one pair of quotes; several quoted words are not supported.
fn unquote(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

async fn answer_connections(process: &Process, options: SocatOptions) -> Result<(), ListenError> {
    let listener = process.network.listen(options.port).await?;
    web::serve_connections(listener, &process.stopping, |stream, stopping| {
        let answer = options.answer.clone();
        async move {
            // Ignore disconnect errors.
            let _ = stopping.run_until_cancelled(converse(stream, &answer)).await;
        }
    })
    .await;
    Ok(())
}

async fn converse(mut stream: TcpStream, answer: &Reply) -> std::io::Result<()> {
    match answer {
        Reply::Echo => {
            let (mut reader, mut writer) = stream.split();
            copy(&mut reader, &mut writer).await?;
            writer.shutdown().await
        }
        Reply::Text(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            // Reads the rest of the request: closing with unread bytes would reset the connection.
            let mut rest = [0; 1024];
            while let Ok(Ok(1..)) = timeout(LINGER_TIMEOUT, stream.read(&mut rest)).await {}
            Ok(())
        }
    }
}

async fn answer_datagrams(process: &Process, options: SocatOptions) -> Result<(), ListenError> {
    let network: &Interface = &process.network;
    let datagrams = network.bind(options.port).await?;
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    loop {
        let received = tokio::select! {
            () = process.stopping.cancelled() => return Ok(()),
            received = datagrams.receive(&mut buffer) => received,
        };
        // Either call fails once after a peer has closed its port.
        if let Ok((length, peer)) = received {
            let answer = match &options.answer {
                Reply::Text(text) => text.as_bytes(),
                Reply::Echo => &buffer[..length],
            };
            let _ = datagrams.send(answer, peer).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let operands: Vec<String> = line.split('|').map(str::to_owned).collect();
        match parse_options(&operands) {
            Ok(SocatOptions { protocol, port, answer: Reply::Text(text) }) => {
                format!("{protocol} {port} {text:?}")
            }
            Ok(SocatOptions { protocol, port, answer: Reply::Echo }) => format!("{protocol} {port} same"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn command_lines() {
        let cases = [
            (
                "TCP-LISTEN:42,crlf,reuseaddr,fork|SYSTEM:echo pod ip 10.10.0.5",
                "TCP 42 \"pod ip 10.10.0.5\\r\\n\"",
            ),
            ("-v|UDP-LISTEN:42,fork|SYSTEM:echo 'a b'", "UDP 42 \"a b\\n\""),
            ("TCP4-LISTEN:9|EXEC:cat", "TCP 9 same"),
            ("TCP-LISTEN:9|PIPE", "TCP 9 same"),
            ("TCP-LISTEN:x|PIPE", "\"x\" is not a port"),
            ("TCP-LISTEN:9", "exactly 2 addresses required (there are 1)"),
            ("OPENSSL-LISTEN:9|PIPE", "\"OPENSSL-LISTEN\" is not supported by Portolan"),
            ("TCP-LISTEN:9|SYSTEM:date", "\"SYSTEM:date\" is not supported by Portolan"),
        ];
        for (line, want) in cases {
            assert_eq!(read(line), want, "{line}");
        }
    }
}
