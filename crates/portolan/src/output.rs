//! Output: errors with their causes, tables, logs.

pub(crate) mod log;
mod next_step;
pub(crate) mod order;
#[cfg(feature = "playground")]
pub(crate) mod progress;
pub(crate) mod table;

use std::io::{self, Write};
use std::process::ExitCode;

/// A plan has changes. Not an error of the program: nothing is printed, and the status is 2.
#[derive(Debug)]
pub(crate) struct HasChanges;

impl std::fmt::Display for HasChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there are changes")
    }
}

impl std::error::Error for HasChanges {}

/// The result of a command is in its exit code. The text is printed as an error; nothing is printed if it is empty.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: u8,
    /// The text.
    pub(crate) message: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Ended {}

/// Prints an error with its causes.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    if error.is::<HasChanges>() {
        return ExitCode::from(2);
    }
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // The reader, such as `head`, has what it wanted.
        return ExitCode::SUCCESS;
    }
    if let Some(ended) = error.downcast_ref::<Ended>() {
        if !ended.message.is_empty() {
            anstream::eprintln!("error: {}", causes(error));
        }
        return ExitCode::from(ended.code);
    }
    anstream::eprintln!("error: {}", explained(error));
    ExitCode::FAILURE
}

/// Writes to standard output, at once.
///
/// # Errors
/// If it is closed; [`fail`] ends the program in silence then.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

/// The chain of causes in one line; a cause that is repeated by its effect is printed once.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// The causes, and in a line of its own what to do, if that is known. For errors of the server of the kubeconfig.
pub(crate) fn explained(error: &anyhow::Error) -> String {
    let text = causes(error);
    match next_step::next_step(error) {
        Some(step) => format!("{text}\nnext: {step}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let error =
            anyhow::anyhow!("port taken").context("cannot listen: port taken").context("cannot start");
        assert_eq!(causes(&error), "cannot start: cannot listen: port taken");
    }
}
