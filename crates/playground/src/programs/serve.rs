//! `jeremyot/serve`: answers every HTTP request with a message.
//!
//! The message is a template with environment variables and the pod's address. The arguments are those of the image in the
//! multi-cluster Services demo.

use std::net::SocketAddr;

use http::StatusCode;
use portolan_object::time::format_time;

use crate::programs::go_flags::{self, Flag, Preset};
use crate::programs::template::{Template, Values};
use crate::programs::{Executable, Image, Process, Running, go_time, web};

pub(crate) const IMAGE: Image = Image {
    repositories: &["serve"],
    entrypoint: &["/serve"],
    command: &[],
    executables: &[Executable { path: "/serve", run }],
    base: &[],
};

const FLAGS: &[Flag] = &[
    Flag { name: "address", default: Preset::Text(":8080"), usage: "Serve on this address." },
    Flag {
        name: "message",
        default: Preset::Text("Hello from {{addr}}"),
        usage: "The message to respond with.",
    },
    Flag { name: "version", default: Preset::Switch, usage: "Print the version and exit." },
];

fn run(process: Process) -> Running {
    Box::pin(serve(process))
}

async fn serve(process: Process) -> i32 {
    let flags = match go_flags::parse(FLAGS, &process.arguments) {
        Ok(flags) => flags,
        Err(usage) => {
            process.stderr.write(usage.text);
            return usage.code;
        }
    };
    if flags.is_on("version") {
        process.stdout.line("Build: built into Portolan");
        return 0;
    }
    let template = match Template::parse(flags.text("message")) {
        Ok(template) => template,
        Err(error) => {
            process.stderr.line(format_args!("panic: template: message:1: {error}"));
            return 2;
        }
    };
    let Some(port) = listen_port(flags.text("address")) else {
        process.stderr.line(format_args!("listen tcp: address {}: invalid port", flags.text("address")));
        return 1;
    };
    let address = process.network.address().to_string();
    let (environment, clock) = (process.environment.clone(), process.clock.clone());
    let served = web::serve(&process.network, port, &process.stopping, move |_| {
        let values = Values {
            env: |name: &str| environment.get(name).cloned().unwrap_or_default(),
            addr: address.clone(),
            now: format_time(clock.now()),
        };
        web::text(StatusCode::OK, template.render(&values))
    });
    match served.await {
        Ok(()) => {
            let prefix = go_time::log_prefix(process.clock.now());
            process.stderr.line(format_args!("{prefix}Exiting (terminated)..."));
            0
        }
        Err(error) => {
            process.stderr.line(format_args!("listen tcp :{port}: bind: {error}"));
            1
        }
    }
}

/// The port of a Go listen address: `:8080`, `0.0.0.0:8080`, `[::]:8080`. The host is ignored.
pub(crate) fn listen_port(address: &str) -> Option<u16> {
    match address.parse::<SocketAddr>() {
        Ok(address) => Some(address.port()),
        Err(_) => address.rsplit_once(':')?.1.parse().ok(),
    }
}
