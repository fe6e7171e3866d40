//! `exec`: runs one more command of a container next to its program.
//!
//! In a pod with namespaces that is a further process; what it writes waits for the client to read it. On the loopback
//! network only the commands that are played exist; any other one is an error of the session, as with an image that
//! lacks it. The command's code reaches the client through the error channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::containers::{Run, Setting, Stdin};
use crate::kubelet::attach::show;
use crate::kubelet::handshake::{self, Carrier};
use crate::kubelet::query::Query;
use crate::kubelet::streams::{self, Heard, PROTOCOLS, Said, Streams, Wanted};
use crate::kubelet::{Body, Kubelet, Refusal, Target, process, status};
use crate::sandbox::{self, Launch, Process};

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
    let scope = kubelet.scope.clone();
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        let (session, ends) = streams::pair();
        let execute = async {
            if main.root().is_some() {
                return match start_process(&target, &main, command, wanted).await {
                    Ok(process) => process::execute(process, session, wanted).await,
                    Err(problem) => say(session, problem).await,
                };
            }
            match start(&target, &main, command, wanted, &scope) {
                Ok(run) => execute(run, session, wanted).await,
                Err(problem) => say(session, problem).await,
            }
        };
        tokio::join!(execute, streams::carry(carrier, protocol, connection, wanted, ends));
    })?;
    Ok(response)
}

async fn say(session: Streams, problem: Value) {
    // A client that is gone does not need the last word.
    let _ = session.output.send(Said::Status(problem)).await;
}

/// The started process, or the status that says why there is none.
async fn start_process(
    target: &Target,
    main: &Run,
    command: Vec<String>,
    wanted: Wanted,
) -> Result<Process, Value> {
    let failure = |text: &str| status::failure(&target.container.name, &target.pod.key, text);
    let sandbox = target.pod.sandbox.lock().clone();
    let (Some(sandbox), Some(root)) = (sandbox, main.root()) else {
        return Err(failure("the pod has no namespaces any more"));
    };
    let launch = Launch::beside(&target.container.reference, command);
    let with = sandbox::Streams { stdin: wanted.stdin, tty: wanted.tty };
    let environment: &BTreeMap<String, String> = &main.environment;
    let started = sandbox.spawn(root, &launch, environment, with).await;
    started.map_err(|error| failure(&error.to_string()))
}

/// The started command, or the status that says why there is none.
fn start(
    target: &Target,
    main: &Run,
    command: Vec<String>,
    wanted: Wanted,
    scope: &portolan_net::Shutdown,
) -> Result<Arc<Run>, Value> {
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
    Ok(Run::start(invocation, &setting, main.environment.clone(), scope))
}

async fn execute(run: Arc<Run>, session: Streams, wanted: Wanted) {
    let Streams { mut input, output } = session;
    let feed = async {
        while let Some(heard) = input.recv().await {
            match heard {
                Heard::Input(bytes) => run.feed(&bytes).await,
                Heard::End => run.leave().await,
                Heard::Size(_) => {}
            }
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
