//! `exec`: runs a command in a container.
//!
//! In namespaces mode the command is a process, which blocks while the client does not read its output. On the loopback
//! network only built-in commands exist; any other command fails as in an image that lacks it. The error channel carries
//! the exit code.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::kubelet::attach::send_output;
use crate::kubelet::handshake::{self, Carrier};
use crate::kubelet::query::Query;
use crate::kubelet::streams::{self, ClientMessage, RequestedStreams, ServerMessage, SessionStreams};
use crate::kubelet::{Body, Kubelet, Refusal, Target, carrier, process, status};
use crate::pods::{ContainerSettings, Run, StdinMode};
use crate::sandbox::{self, Launch, Process};

/// Opens an exec session.
pub(crate) fn open<B>(
    kubelet: &Kubelet,
    target: Target,
    request: &mut Request<B>,
) -> Result<Response<Body>, Refusal> {
    let query = Query::from_request(request);
    let requested = RequestedStreams::from_query(&query)?;
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
    let carrier = Carrier::from_request(request)?;
    let (protocol, response, upgraded) =
        handshake::accept(request, carrier, carrier::protocols(carrier))?.split();
    let scope = kubelet.scope.clone();
    kubelet.run_session(async move {
        let Some(connection) = handshake::connection(upgraded).await else { return };
        let (session, ends) = streams::pair();
        let execute = async {
            if main.root().is_some() {
                return match start_process(&target, &main, command, requested).await {
                    Ok(process) => process::execute(process, session, requested).await,
                    Err(problem) => send_status(session, problem).await,
                };
            }
            match start(&target, &main, command, requested, &scope) {
                Ok(run) => execute(run, session, requested).await,
                Err(problem) => send_status(session, problem).await,
            }
        };
        tokio::join!(execute, carrier::carry(carrier, protocol, connection, requested, ends));
    })?;
    Ok(response)
}

async fn send_status(session: SessionStreams, problem: Value) {
    // Fails if the client has disconnected.
    let _ = session.output.send(ServerMessage::Status(problem)).await;
}

/// Starts the command as a process; the error is the status for the client.
async fn start_process(
    target: &Target,
    main: &Run,
    command: Vec<String>,
    requested: RequestedStreams,
) -> Result<Process, Value> {
    let failure = |text: &str| status::failure(&target.container.name, &target.pod.key, text);
    let sandbox = target.pod.sandbox.lock().clone();
    let (Some(sandbox), Some(root)) = (sandbox, main.root()) else {
        return Err(failure("the pod is being stopped"));
    };
    let launch = Launch::beside(&target.container.reference, command);
    let with = sandbox::Streams { stdin: requested.stdin, tty: requested.tty };
    let environment: &BTreeMap<String, String> = &main.environment;
    let started = sandbox.spawn(root, &launch, environment, with).await;
    started.map_err(|error| failure(&error.to_string()))
}

/// Starts a built-in command; the error is the status for the client.
fn start(
    target: &Target,
    main: &Run,
    command: Vec<String>,
    requested: RequestedStreams,
    scope: &portolan_net::Shutdown,
) -> Result<Arc<Run>, Value> {
    let failure = |text: &str| status::failure(&target.container.name, &target.pod.key, text);
    let Some(image) = target.container.image else {
        return Err(failure("its image has no built-in commands"));
    };
    let invocation = image.execute(command).map_err(|error| failure(&error.to_string()))?;
    let settings = ContainerSettings {
        stdin: if requested.stdin { StdinMode::Once } else { StdinMode::Closed },
        tty: requested.tty,
        ..target.container.settings.clone()
    };
    Ok(Run::start(invocation, &settings, main.environment.clone(), scope))
}

async fn execute(run: Arc<Run>, session: SessionStreams, requested: RequestedStreams) {
    let SessionStreams { mut input, output } = session;
    let input_task = async {
        while let Some(message) = input.recv().await {
            match message {
                ClientMessage::Input(bytes) => run.write_input(&bytes).await,
                ClientMessage::End => run.detach_input().await,
                ClientMessage::Resize(_) => {}
            }
        }
        run.detach_input().await;
        output.closed().await;
    };
    let output_task = async {
        send_output(run.log.from_start(), &output, requested).await;
        if !output.is_closed() {
            let code = run.exited().await.code;
            let _ = output.send(ServerMessage::Status(status::exit_code(code))).await;
        }
    };
    tokio::select! {
        () = input_task => {}
        () = output_task => {}
    }
    // Kill the command when its client disconnects.
    run.kill();
}
