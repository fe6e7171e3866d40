//! `exec`: runs one more command of a container's image next to its program.
//!
//! Only the commands that are played exist; any other one is an error of the session, as with an image that lacks it.
//! The command's code reaches the client through the error channel.

use std::sync::Arc;

use http::{Request, Response, StatusCode};

use crate::containers::{Run, Setting, Stdin};
use crate::kubelet::attach::show;
use crate::kubelet::handshake::{self, Carrier};
use crate::kubelet::query::Query;
use crate::kubelet::streams::{self, PROTOCOLS, Said, Streams, Wanted};
use crate::kubelet::{Body, Kubelet, Refusal, Target, status};

/// Opens an exec session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    target: Target,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let query = Query::of(request);
    let wanted = Wanted::read(&query).map_err(|text| Refusal(StatusCode::BAD_REQUEST, text))?;
    let command: Vec<String> = query.all("command").map(str::to_owned).collect();
    let problem = |text: &str| {
        let container = &target.container.name;
        Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("container {container:?} of pod {} {text}", target.pod.key),
        )
    };
    let Some(main) = target.container.current().filter(|run| run.exit().is_none()) else {
        return Err(problem("does not run"));
    };
    let carrier = Carrier::of(request)?;
    let (protocol, response, upgraded) = handshake::accept(request, carrier, PROTOCOLS)?.split();
    let started = start(kubelet, &target, &main, command, wanted);
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        let (session, ends) = streams::pair();
        tokio::join!(
            execute(started, session, wanted),
            streams::carry(carrier, protocol, connection, wanted, ends)
        );
    })?;
    Ok(response)
}

/// The started command, or the status that says why there is none.
fn start(
    kubelet: &Kubelet,
    target: &Target,
    main: &Run,
    command: Vec<String>,
    wanted: Wanted,
) -> Result<Arc<Run>, serde_json::Value> {
    let failure = |text: &str| status::failure(&target.container.name, &target.pod.key, text);
    let Some(image) = target.container.image else {
        return Err(failure("no command of its image is played by Portolan"));
    };
    let invocation = image.execute(command).map_err(|error| failure(&error.to_string()))?;
    let setting = Setting {
        stdin: if wanted.stdin { Stdin::Once } else { Stdin::Closed },
        tty: wanted.tty,
        ..target.container.setting.clone()
    };
    Ok(Run::start(invocation, &setting, main.environment.clone(), &kubelet.scope))
}

async fn execute(started: Result<Arc<Run>, serde_json::Value>, session: Streams, wanted: Wanted) {
    let Streams { mut input, output } = session;
    let run = match started {
        Ok(run) => run,
        Err(problem) => {
            // A client that is gone does not need the last word.
            let _ = output.send(Said::Status(problem)).await;
            return;
        }
    };
    let feed = async {
        while let Some(bytes) = input.recv().await {
            run.feed(&bytes).await;
        }
        run.leave().await;
        output.closed().await;
    };
    let follow = async {
        show(run.journal.from_start(), &output, wanted).await;
        if !output.is_closed() {
            let code = run.exited().await.code;
            let _ = output.send(Said::Status(status::exit_code(code))).await;
        }
    };
    tokio::select! {
        () = feed => {}
        () = follow => {}
    }
    // Without its client a command goes on for nobody.
    run.kill();
}
