//! Progress of steps: an animated line on a terminal, one plain line per step otherwise.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

/// Time between two frames of the animation.
const FRAME: Duration = Duration::from_millis(100);
const FRAMES: [&str; 4] = ["⠋", "⠙", "⠸", "⠴"];

const DONE: Style = AnsiColor::Green.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// Prints steps to standard output.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
}

impl Progress {
    /// Animates if standard output is a terminal.
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal() }
    }

    /// Runs a step, and prints its progress, its time, and the text of its result.
    pub(crate) async fn step<T, E>(
        &self,
        name: &str,
        work: impl Future<Output = Result<(T, String), E>>,
    ) -> Result<T, E> {
        let started = Instant::now();
        let mut work = std::pin::pin!(work);
        let mut frame = 0;
        let result = loop {
            if self.is_terminal {
                anstream::print!("\r{FAINT}{}{FAINT:#} {name}", FRAMES[frame % FRAMES.len()]);
                // The step continues even if the terminal is gone.
                let _ = std::io::stdout().flush();
            }
            tokio::select! {
                result = &mut work => break result,
                () = tokio::time::sleep(FRAME), if self.is_terminal => frame += 1,
            }
        };
        let start = if self.is_terminal { "\r\x1b[2K" } else { "" };
        match result {
            Ok((value, outcome)) => {
                let took = readable(started.elapsed());
                anstream::println!(
                    "{start}{DONE}✓{DONE:#} {name} {FAINT}({took}){FAINT:#}{}",
                    indented(&outcome)
                );
                Ok(value)
            }
            Err(error) => {
                anstream::println!("{start}{FAILED}✗{FAILED:#} {name}");
                Err(error)
            }
        }
    }

    /// Prints a line.
    pub(crate) fn say(&self, text: &str) {
        anstream::println!("{text}");
    }
}

/// Indents details below their step.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n    {line}")).collect()
}

/// Milliseconds up to a second, then seconds.
pub(crate) fn readable(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "<1 ms".to_owned(),
        millis @ 1..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let cases = [(0, "<1 ms"), (7, "7 ms"), (999, "999 ms"), (1500, "1.5 s")];
        for (millis, want) in cases {
            assert_eq!(readable(Duration::from_millis(millis)), want);
        }
    }
}
