//! Answer of a setup process to the playground.

use std::error::Error;
use std::process::ExitCode;

/// Exit code of a process that failed to run its order, as container runtimes report it.
pub(super) const FAILED: u8 = 128;

/// The answer of a successful setup.
pub(crate) const READY: &str = "ready";

/// Prints the result, and waits until the playground closes standard input.
pub(super) fn answer(result: Result<(), impl Error>) -> ExitCode {
    let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    println!("{}", result.err().map_or_else(|| READY.to_owned(), |error| error.to_string()));
    // Only the end of the input matters.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    code
}
