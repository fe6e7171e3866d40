//! Steps as they happen: a line that changes in place on a terminal, one plain line per step otherwise.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

/// How often a running step moves on a terminal.
const FRAME: Duration = Duration::from_millis(100);
const FRAMES: [&str; 4] = ["⠋", "⠙", "⠸", "⠴"];

const DONE: Style = AnsiColor::Green.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// Where steps are shown.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
}

impl Progress {
    /// Looks whether standard output is a terminal.
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal() }
    }

    /// Runs a step and shows how it goes and how long it took.
    ///
    /// The step's result says what to show behind its name.
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
                // A terminal that is gone is no reason to stop.
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

    /// A line of explanation.
    pub(crate) fn say(&self, text: &str) {
        anstream::println!("{text}");
    }
}

/// Details stand below their step.
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
