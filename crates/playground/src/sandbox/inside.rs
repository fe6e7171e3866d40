//! The hidden subcommand of the binary: the code that runs inside the namespaces of a pod.
//!
//! Runs before the process has a second thread, because only a single-threaded process can enter a mount namespace.
//! Started only by [`Sandbox`](super::Sandbox).

mod answer;
mod init;
mod root;
mod run;
mod volume;

use std::process::ExitCode;

use crate::sandbox::order::Order;

pub(crate) use self::answer::READY;

use self::answer::FAILED;

/// Runs an order.
pub(crate) fn run(text: &str) -> ExitCode {
    match serde_json::from_str(text) {
        Ok(Order::Init { hostname }) => init::run(&hostname),
        Ok(Order::Root(order)) => root::run(&order),
        Ok(Order::Run(order)) => run::run(&order),
        Err(error) => {
            eprintln!("portolan: this is not an order of a playground: {error}");
            ExitCode::from(FAILED)
        }
    }
}
