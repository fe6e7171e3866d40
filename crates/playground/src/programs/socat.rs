//! `alpine/socat`: listens on a TCP or UDP port and answers with a text, or with what it received.
//!
//! Played are the listening addresses `TCP-LISTEN`, `TCP4-LISTEN`, `UDP-LISTEN` and `UDP4-LISTEN` (and `UDP-RECVFROM`)
//! together with `SYSTEM:echo …`, `EXEC:cat`, `SYSTEM:cat` and `PIPE`. Everything else is an error of the program.

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
};

const LARGEST_DATAGRAM: usize = 65_535;
/// How long socat goes on with one direction when the other has ended (`-t`).
const LINGER: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    protocol: Protocol,
    port: u16,
    answer: Reply,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Text(String),
    Same,
}

fn run(process: Process) -> Running {
    Box::pin(async move {
        let plan = match plan(process.operands()) {
            Ok(plan) => plan,
            Err(problem) => {
                process.stderr.line(format_args!("socat: E {problem}"));
                return 1;
            }
        };
        let played = match plan.protocol {
            Protocol::Tcp => answer_connections(&process, plan).await,
            // A plan never says SCTP.
            Protocol::Udp | Protocol::Sctp => answer_datagrams(&process, plan).await,
        };
        match played {
            Ok(()) => crate::programs::TERMINATED,
            Err(error) => {
                process.stderr.line(format_args!("socat: E bind: {error}"));
                1
            }
        }
    })
}

fn plan(operands: &[String]) -> Result<Plan, String> {
    let addresses: Vec<&str> =
        operands.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let [listen, reply] = addresses[..] else {
        return Err(format!("exactly 2 addresses required (there are {})", addresses.len()));
    };
    let not_played = |what: &str| format!("{what:?} is not played by Portolan");
    let (kind, rest) = listen.split_once(':').ok_or_else(|| not_played(listen))?;
    let protocol = match kind.to_ascii_uppercase().as_str() {
        "TCP-LISTEN" | "TCP4-LISTEN" | "TCP-L" => Protocol::Tcp,
        "UDP-LISTEN" | "UDP4-LISTEN" | "UDP-L" | "UDP-RECVFROM" | "UDP4-RECVFROM" => Protocol::Udp,
        _ => return Err(not_played(kind)),
    };
    let mut options = rest.split(',');
    let port = options.next().unwrap_or_default();
    let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
    let ending = if options.any(|option| option == "crlf") { "\r\n" } else { "\n" };
    let answer = match reply.split_once(':').unwrap_or((reply, "")) {
        ("SYSTEM" | "EXEC", "cat") | ("PIPE" | "pipe" | "-", "") => Reply::Same,
        ("SYSTEM" | "EXEC", command) if command.starts_with("echo ") => {
            Reply::Text(format!("{}{ending}", unquote(command["echo ".len()..].trim())))
        }
        _ => return Err(not_played(reply)),
    };
    Ok(Plan { protocol, port, answer })
}

/// Takes one pair of quotes off; an echo of several quoted words is not told apart.
fn unquote(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

async fn answer_connections(process: &Process, plan: Plan) -> Result<(), ListenError> {
    let listener = process.network.listen(plan.port).await?;
    web::serve_connections(listener, &process.stopping, |stream, stopping| {
        let answer = plan.answer.clone();
        async move {
            // A client that breaks off is nobody's error.
            let _ = stopping.run_until_cancelled(converse(stream, &answer)).await;
        }
    })
    .await;
    Ok(())
}

async fn converse(mut stream: TcpStream, answer: &Reply) -> std::io::Result<()> {
    match answer {
        Reply::Same => {
            let (mut reader, mut writer) = stream.split();
            copy(&mut reader, &mut writer).await?;
            writer.shutdown().await
        }
        Reply::Text(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            // What the client still sends is read, so that closing does not reset the connection under the answer.
            let mut rest = [0; 1024];
            while let Ok(Ok(1..)) = timeout(LINGER, stream.read(&mut rest)).await {}
            Ok(())
        }
    }
}

async fn answer_datagrams(process: &Process, plan: Plan) -> Result<(), ListenError> {
    let network: &Interface = &process.network;
    let datagrams = network.bind(plan.port).await?;
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        let received = tokio::select! {
            () = process.stopping.cancelled() => return Ok(()),
            received = datagrams.receive(&mut buffer) => received,
        };
        // A peer that is gone makes either call fail once.
        if let Ok((length, peer)) = received {
            let answer = match &plan.answer {
                Reply::Text(text) => text.as_bytes(),
                Reply::Same => &buffer[..length],
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
        match plan(&operands) {
            Ok(Plan { protocol, port, answer: Reply::Text(text) }) => format!("{protocol} {port} {text:?}"),
            Ok(Plan { protocol, port, answer: Reply::Same }) => format!("{protocol} {port} same"),
            Err(error) => error,
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
            ("OPENSSL-LISTEN:9|PIPE", "\"OPENSSL-LISTEN\" is not played by Portolan"),
            ("TCP-LISTEN:9|SYSTEM:date", "\"SYSTEM:date\" is not played by Portolan"),
        ];
        for (line, want) in cases {
            assert_eq!(read(line), want, "{line}");
        }
    }
}
