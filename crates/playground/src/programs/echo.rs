//! `portolan/echo`: echoes bytes, over TCP and UDP on the same port.

use tokio::io::copy;

use crate::network::{Datagrams, ListenError};
use crate::programs::go_flags::{self, Flag, Preset};
use crate::programs::serve::listen_port;
use crate::programs::{Executable, Image, Process, Running, web};

pub(crate) const IMAGE: Image = Image {
    repositories: &["portolan/echo", "tcp-echo"],
    entrypoint: &["/echo"],
    command: &[],
    executables: &[Executable { path: "/echo", run }],
    base: &[],
};

const FLAGS: &[Flag] =
    &[Flag { name: "listen", default: Preset::Text(":8080"), usage: "address to listen on, TCP and UDP" }];

const MAX_DATAGRAM_BYTES: usize = 65_535;

fn run(process: Process) -> Running {
    Box::pin(async move {
        let flags = match go_flags::parse(FLAGS, &process.arguments) {
            Ok(flags) => flags,
            Err(usage) => {
                process.stderr.write(usage.text);
                return usage.code;
            }
        };
        let Some(port) = listen_port(flags.text("listen")) else {
            process.stderr.line(format_args!("invalid -listen {:?}", flags.text("listen")));
            return 2;
        };
        match echo(&process, port).await {
            Ok(()) => 0,
            Err(error) => {
                process.stderr.line(format_args!("cannot listen on port {port}: {error}"));
                1
            }
        }
    })
}

async fn echo(process: &Process, port: u16) -> Result<(), ListenError> {
    let listener = process.network.listen(port).await?;
    let datagrams = process.network.bind(port).await?;
    process.stdout.line(format_args!("echo: listening on port {port}, TCP and UDP"));
    let connections =
        web::serve_connections(listener, &process.stopping, |mut stream, stopping| async move {
            let (mut reader, mut writer) = stream.split();
            // Ignore disconnect errors.
            let _ = stopping.run_until_cancelled(copy(&mut reader, &mut writer)).await;
        });
    tokio::select! {
        () = connections => {}
        () = return_datagrams(&datagrams) => {}
    }
    Ok(())
}

/// Sends every datagram back; never returns.
async fn return_datagrams(datagrams: &Datagrams) {
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    loop {
        // Either call fails once after a peer has closed its port.
        if let Ok((length, peer)) = datagrams.receive(&mut buffer).await {
            let _ = datagrams.send(&buffer[..length], peer).await;
        }
    }
}
