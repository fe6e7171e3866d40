//! What the hidden subcommand of the binary does: the side of a pod that is inside of its namespaces.
//!
//! Runs before the process has a second thread, because only then can it enter the namespaces of a container. Called
//! by nobody but `Sandbox`, through the binary.

mod init;
mod root;
mod run;

use std::process::ExitCode;

use crate::sandbox::order::Order;

/// The code of a process that could not do what it was asked, as container runtimes give it.
const FAILED: u8 = 128;

/// Carries out an order.
pub(crate) fn perform(text: &str) -> ExitCode {
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

/// Tells the process that asked how it went, and waits until that has taken note.
fn answer(done: Result<(), String>) -> ExitCode {
    let code = if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    println!("{}", done.err().unwrap_or_else(|| READY.to_owned()));
    // Its end, of whichever kind, is all that matters.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    code
}

/// The answer when all is well.
pub(crate) const READY: &str = "ready";
