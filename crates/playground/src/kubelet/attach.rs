//! `attach`: connects a client to the streams of a running container.
//!
//! When the program ends, the session ends with `Success`; `kubectl run` reads the exit code from the pod's status.

use std::sync::Arc;

use http::{Request, Response, StatusCode};

use crate::kubelet::handshake::{self, Carrier};
use crate::kubelet::query::Query;
use crate::kubelet::streams::{self, ClientMessage, RequestedStreams, ServerMessage, SessionStreams};
use crate::kubelet::{Body, Kubelet, Refusal, Target, carrier, status};
use crate::pods::Run;
use crate::programs::{LogReader, NextEntry, Stream};

/// Opens an attach session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    target: Target,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let requested = RequestedStreams::from_query(&Query::from_request(request))?;
    let run = target.container.current().filter(|run| run.exit().is_none() || run.awaits_viewer());
    let run = run.ok_or_else(|| {
        let problem = format!("container {:?} of pod {} does not run", target.container.name, target.pod.key);
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, problem)
    })?;
    let carrier = Carrier::from_request(request)?;
    let (protocol, response, upgraded) =
        handshake::accept(request, carrier, carrier::protocols(carrier))?.split();
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        let (session, ends) = streams::pair();
        tokio::join!(
            attach(run, session, requested),
            carrier::carry(carrier, protocol, connection, requested, ends)
        );
    })?;
    Ok(response)
}

async fn attach(run: Arc<Run>, session: SessionStreams, requested: RequestedStreams) {
    let SessionStreams { mut input, output } = session;
    let input_task = async {
        while let Some(message) = input.recv().await {
            match message {
                ClientMessage::Input(bytes) => run.write_input(&bytes).await,
                ClientMessage::Resize(size) => run.resize(size),
                ClientMessage::End if requested.stdin => run.detach_input().await,
                ClientMessage::End => {}
            }
        }
        if requested.stdin {
            run.detach_input().await;
        }
        // The end of the input does not end the session.
        output.closed().await;
    };
    let output_task = async {
        send_output(run.view(), &output, requested).await;
        // Fails if the client has disconnected.
        let _ = output.send(ServerMessage::Status(status::success())).await;
    };
    tokio::select! {
        () = input_task => {}
        () = output_task => {}
    }
    if requested.stdin {
        run.detach_input().await;
    }
}

/// Sends output until it ends or the client disconnects.
pub(crate) async fn send_output(
    mut reader: LogReader,
    output: &tokio::sync::mpsc::Sender<ServerMessage>,
    requested: RequestedStreams,
) {
    while let NextEntry::Entry(entry) = reader.next().await {
        let message = match entry.stream {
            Stream::Stdout if requested.stdout => ServerMessage::Stdout(entry.bytes),
            Stream::Stderr if requested.stderr => ServerMessage::Stderr(entry.bytes),
            _ => continue,
        };
        if output.send(message).await.is_err() {
            return;
        }
    }
}
