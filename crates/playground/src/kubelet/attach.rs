//! `attach`: a client's terminal becomes that of a running container.
//!
//! The end of the program ends the session with success, whatever its code: the code is in the pod's status, where
//! `kubectl run` looks for it.

use std::sync::Arc;

use http::{Request, Response, StatusCode};

use crate::containers::Run;
use crate::kubelet::handshake::{self, Carrier};
use crate::kubelet::query::Query;
use crate::kubelet::streams::{self, Heard, PROTOCOLS, Said, Streams, Wanted};
use crate::kubelet::{Body, Kubelet, Refusal, Target, status};
use crate::programs::{Cursor, Seen, Stream};

/// Opens an attach session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    target: Target,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let wanted = Wanted::read(&Query::of(request)).map_err(|text| Refusal(StatusCode::BAD_REQUEST, text))?;
    let run = target.container.current().filter(|run| run.exit().is_none() || run.awaits_viewer());
    let run = run.ok_or_else(|| {
        let problem = format!("container {:?} of pod {} does not run", target.container.name, target.pod.key);
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, problem)
    })?;
    let carrier = Carrier::of(request)?;
    let (protocol, response, upgraded) = handshake::accept(request, carrier, PROTOCOLS)?.split();
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        let (session, ends) = streams::pair();
        tokio::join!(
            attach(run, session, wanted),
            streams::carry(carrier, protocol, connection, wanted, ends)
        );
    })?;
    Ok(response)
}

async fn attach(run: Arc<Run>, session: Streams, wanted: Wanted) {
    let Streams { mut input, output } = session;
    let feed = async {
        while let Some(heard) = input.recv().await {
            match heard {
                Heard::Input(bytes) => run.feed(&bytes).await,
                Heard::Size(size) => run.resize(size),
                Heard::End if wanted.stdin => run.leave().await,
                Heard::End => {}
            }
        }
        if wanted.stdin {
            run.leave().await;
        }
        // The end of the input does not end the session.
        output.closed().await;
    };
    let show = async {
        show(run.view(), &output, wanted).await;
        // A client that is gone does not need the last word.
        let _ = output.send(Said::Status(status::success())).await;
    };
    tokio::select! {
        () = feed => {}
        () = show => {}
    }
    if wanted.stdin {
        run.leave().await;
    }
}

/// Passes output on until it ends or the client is gone.
pub(crate) async fn show(mut cursor: Cursor, output: &tokio::sync::mpsc::Sender<Said>, wanted: Wanted) {
    while let Seen::Entry(entry) = cursor.next().await {
        let said = match entry.stream {
            Stream::Stdout if wanted.stdout => Said::Stdout(entry.bytes),
            Stream::Stderr if wanted.stderr => Said::Stderr(entry.bytes),
            _ => continue,
        };
        if output.send(said).await.is_err() {
            return;
        }
    }
}
