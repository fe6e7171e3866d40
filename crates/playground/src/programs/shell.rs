//! `sh -c SCRIPT`: runs the built-in programs one after the other, in loops and conditions. There are no pipes, redirections,
//! functions and jobs, and no interactive shell.
//!
//! `apk add` makes a program available that the image has not, as in Alpine.

mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use portolan_net::Clock;
use tokio_util::sync::CancellationToken;

use crate::network::Interface;
use crate::programs::log::ContainerLog;
use crate::programs::{Executable, Input, Output, Process, Stream, TERMINATED};
use syntax::{AndOr, Command, Condition, List, Part, Word};

/// Exit code for a script that is not understood.
const MISUSE: i32 = 2;
/// Exit code for a command that does not exist.
const NOT_FOUND: i32 = 127;
/// Shortest time of one iteration of a loop, so that a script without pauses does not take the processor from other pods.
const ITERATION: Duration = Duration::from_millis(1);
/// Longest word after variables and commands are replaced, in bytes: a variable that is doubled in a loop would take all
/// memory.
const MAX_WORD: usize = 1 << 20;
/// Most numbers that `seq` prints.
const MAX_NUMBERS: i64 = 100_000;

/// The programs of an image with a shell.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) executables: &'static [Executable],
    /// What `apk add` adds, by the name of the package.
    pub(super) packages: &'static [(&'static str, &'static [Executable])],
}

/// Runs the shell.
pub(super) async fn run(process: Process, programs: &Programs) -> i32 {
    let script = match process.operands() {
        [flag, script, ..] if matches!(flag.as_str(), "-c" | "-ec") => script.clone(),
        _ => {
            process.stderr.line("sh: Portolan's shell only runs a script in its arguments: sh -c SCRIPT");
            return NOT_FOUND;
        }
    };
    let script = match syntax::parse(&script) {
        Ok(script) => script,
        Err(error) => {
            process.stderr.line(format_args!("sh: {error}"));
            return MISUSE;
        }
    };
    let Process { arguments, environment, stdout, stderr, network, clock, stopping, .. } = process;
    let mut shell = Shell {
        programs,
        installed: BTreeSet::new(),
        exported: environment.keys().cloned().collect(),
        variables: (*environment).clone(),
        ends_at_failure: arguments.get(1).is_some_and(|flag| flag == "-ec"),
        status: 0,
        stderr,
        network,
        clock,
        stopping,
    };
    match shell.list(&script, &stdout).await {
        Ok(()) | Err(Leave::Break | Leave::Continue) => shell.status,
        Err(Leave::Exit(code)) => code,
    }
}

/// Why the commands that follow do not run.
enum Leave {
    Exit(i32),
    Break,
    Continue,
}

struct Shell<'a> {
    programs: &'a Programs,
    /// Packages.
    installed: BTreeSet<String>,
    variables: BTreeMap<String, String>,
    /// The variables that programs get.
    exported: BTreeSet<String>,
    /// `-e`
    ends_at_failure: bool,
    /// Exit code of the last command.
    status: i32,
    stderr: Output,
    network: Interface,
    clock: Clock,
    stopping: CancellationToken,
}

impl Shell<'_> {
    fn list<'b>(&'b mut self, list: &'b List, stdout: &'b Output) -> BoxFuture<'b, Result<(), Leave>> {
        Box::pin(async move {
            for and_or in list {
                self.and_or(and_or, stdout).await?;
            }
            Ok(())
        })
    }

    async fn and_or(&mut self, and_or: &AndOr, stdout: &Output) -> Result<(), Leave> {
        self.command(&and_or.first, stdout).await?;
        let mut is_last = and_or.rest.is_empty();
        for (index, (condition, command)) in and_or.rest.iter().enumerate() {
            if (self.status == 0) == (*condition == Condition::Success) {
                self.command(command, stdout).await?;
                is_last = index + 1 == and_or.rest.len();
            }
        }
        // As in other shells, only the last command of `a && b || c` ends the script.
        if self.ends_at_failure && self.status != 0 && is_last {
            return Err(Leave::Exit(self.status));
        }
        Ok(())
    }

    async fn command(&mut self, command: &Command, stdout: &Output) -> Result<(), Leave> {
        match command {
            Command::Simple { assignments, words } => self.simple(assignments, words, stdout).await,
            Command::If { condition, then, otherwise } => {
                let branch = if self.holds(condition, stdout).await? { then } else { otherwise };
                self.status = 0;
                self.list(branch, stdout).await
            }
            Command::Loop { condition, ends_with_success, body } => {
                let mut status = 0;
                while self.holds(condition, stdout).await? != *ends_with_success {
                    if self.iteration(body, stdout).await? {
                        break;
                    }
                    status = self.status;
                }
                self.status = status;
                Ok(())
            }
            Command::For { name, words, body } => {
                let mut values = Vec::new();
                for word in words {
                    values.extend(self.fields(word).await?);
                }
                self.status = 0;
                for value in values {
                    self.variables.insert(name.clone(), value);
                    if self.iteration(body, stdout).await? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether a condition holds. A failure in it does not end a script.
    async fn holds(&mut self, condition: &List, stdout: &Output) -> Result<bool, Leave> {
        let ends_at_failure = std::mem::take(&mut self.ends_at_failure);
        let done = self.list(condition, stdout).await;
        self.ends_at_failure = ends_at_failure;
        done.map(|()| self.status == 0)
    }

    /// Runs the body of a loop once. True if the loop ends.
    async fn iteration(&mut self, body: &List, stdout: &Output) -> Result<bool, Leave> {
        let (done, ()) = tokio::join!(self.list(body, stdout), tokio::time::sleep(ITERATION));
        match done {
            Ok(()) | Err(Leave::Continue) => Ok(false),
            Err(Leave::Break) => Ok(true),
            Err(exit @ Leave::Exit(_)) => Err(exit),
        }
    }

    async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        stdout: &Output,
    ) -> Result<(), Leave> {
        let mut assigned = Vec::new();
        for (name, word) in assignments {
            assigned.push((name.clone(), self.text(word).await?));
        }
        let mut arguments = Vec::new();
        for word in words {
            arguments.extend(self.fields(word).await?);
        }
        let Some(name) = arguments.first() else {
            self.variables.extend(assigned);
            self.status = 0;
            return Ok(());
        };
        let operands = &arguments[1..];
        match name.as_str() {
            ":" => self.status = 0,
            "exit" => return Err(Leave::Exit(self.exit_code(operands))),
            "break" => return Err(Leave::Break),
            "continue" => return Err(Leave::Continue),
            "export" => self.export(operands),
            "seq" => self.status = seq(operands, stdout, &self.stderr),
            "apk" => self.status = self.apk(operands, stdout),
            _ => self.status = self.program(arguments, assigned, stdout).await,
        }
        // SIGTERM ends the shell, whatever its programs make of it.
        if self.stopping.is_cancelled() {
            return Err(Leave::Exit(TERMINATED));
        }
        Ok(())
    }

    fn exit_code(&self, operands: &[String]) -> i32 {
        operands.first().and_then(|code| code.parse().ok()).unwrap_or(self.status)
    }

    fn export(&mut self, operands: &[String]) {
        for operand in operands {
            let (name, value) = operand
                .split_once('=')
                .map_or((operand.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
            self.variables.extend(value.map(|value| (name.to_owned(), value)));
            self.exported.insert(name.to_owned());
        }
        self.status = 0;
    }

    /// `apk add PACKAGE...`
    fn apk(&mut self, operands: &[String], stdout: &Output) -> i32 {
        let packages = match operands {
            [command, packages @ ..] if command == "add" => packages,
            _ => {
                self.stderr.line("apk: Portolan's apk only knows: apk add PACKAGE...");
                return 1;
            }
        };
        for package in packages.iter().filter(|word| !word.starts_with('-')) {
            if !self.programs.packages.iter().any(|(name, _)| name == package) {
                self.stderr.line("ERROR: unable to select packages:");
                self.stderr.line(format_args!("  {package} (no such package)"));
                return 1;
            }
            self.installed.insert(package.clone());
        }
        stdout.line("OK");
        0
    }

    async fn program(&self, arguments: Vec<String>, assigned: Vec<(String, String)>, stdout: &Output) -> i32 {
        let name = arguments.first().map(String::as_str).unwrap_or_default();
        let packages = self.programs.packages.iter().filter(|(package, _)| self.installed.contains(*package));
        let mut executables =
            self.programs.executables.iter().chain(packages.flat_map(|(_, executables)| *executables));
        let Some(executable) = executables.find(|executable| executable.is_called(name)) else {
            self.stderr.line(format_args!("sh: {name}: not found"));
            return NOT_FOUND;
        };
        let exported = self.variables.iter().filter(|(name, _)| self.exported.contains(*name));
        let mut environment: BTreeMap<String, String> =
            exported.map(|(name, value)| (name.clone(), value.clone())).collect();
        environment.extend(assigned);
        (executable.run)(Process {
            arguments,
            environment: Arc::new(environment),
            stdin: Input::none(),
            stdout: stdout.clone(),
            stderr: self.stderr.clone(),
            network: self.network.clone(),
            clock: self.clock.clone(),
            stopping: self.stopping.clone(),
        })
        .await
    }

    /// The words that a word becomes: what is not quoted is split at blanks.
    async fn fields(&mut self, word: &Word) -> Result<Vec<String>, Leave> {
        let mut fields: Vec<String> = Vec::new();
        let (mut is_open, mut length) = (false, 0);
        for part in word {
            let (value, is_whole) = self.value(part).await?;
            length += value.len();
            self.check_length(length)?;
            if is_whole {
                append(&mut fields, &mut is_open, &value);
                continue;
            }
            if value.is_empty() {
                continue;
            }
            is_open &= !value.starts_with(char::is_whitespace);
            for piece in value.split_whitespace() {
                append(&mut fields, &mut is_open, piece);
                is_open = false;
            }
            is_open = !value.ends_with(char::is_whitespace);
        }
        Ok(fields)
    }

    /// The text that a word becomes, in one piece.
    async fn text(&mut self, word: &Word) -> Result<String, Leave> {
        let mut text = String::new();
        for part in word {
            text.push_str(&self.value(part).await?.0);
            self.check_length(text.len())?;
        }
        Ok(text)
    }

    /// Ends the script if a word has got too long.
    fn check_length(&self, length: usize) -> Result<(), Leave> {
        if length <= MAX_WORD {
            return Ok(());
        }
        self.stderr.line(format_args!("sh: a word is longer than {MAX_WORD} bytes"));
        Err(Leave::Exit(MISUSE))
    }

    /// The value of a part, and whether it stays in one piece.
    async fn value(&mut self, part: &Part) -> Result<(String, bool), Leave> {
        Ok(match part {
            Part::Text(text) => (text.clone(), true),
            Part::Variable { name, is_quoted } if name == "?" => (self.status.to_string(), *is_quoted),
            Part::Variable { name, is_quoted } => {
                (self.variables.get(name).cloned().unwrap_or_default(), *is_quoted)
            }
            Part::Output { commands, is_quoted } => (self.output(commands).await?, *is_quoted),
        })
    }

    /// What commands print, without the line breaks at the end. As in a subshell, `exit` ends only these commands.
    async fn output(&mut self, commands: &List) -> Result<String, Leave> {
        let log = ContainerLog::default();
        let stdout = Output::new(log.clone(), Stream::Stdout, self.clock.clone());
        if let Err(Leave::Exit(code)) = self.list(commands, &stdout).await {
            self.status = code;
        }
        let printed: Vec<u8> = log.entries().iter().flat_map(|entry| entry.bytes.to_vec()).collect();
        Ok(String::from_utf8_lossy(&printed).trim_end_matches('\n').to_owned())
    }
}

/// Appends a piece to the last field if that is open, and opens it.
fn append(fields: &mut Vec<String>, is_open: &mut bool, piece: &str) {
    match fields.last_mut().filter(|_| *is_open) {
        Some(last) => last.push_str(piece),
        None => fields.push(piece.to_owned()),
    }
    *is_open = true;
}

/// `seq LAST`, or `seq FIRST LAST`.
fn seq(operands: &[String], stdout: &Output, stderr: &Output) -> i32 {
    let numbers: Vec<Option<i64>> = operands.iter().map(|word| word.parse().ok()).collect();
    let (first, last) = match numbers.as_slice() {
        [Some(last)] => (1, *last),
        [Some(first), Some(last)] => (*first, *last),
        _ => {
            stderr.line("Usage: seq [FIRST] LAST");
            return 1;
        }
    };
    if last.saturating_sub(first) >= MAX_NUMBERS {
        stderr.line(format_args!("seq: Portolan prints at most {MAX_NUMBERS} numbers"));
        return 1;
    }
    for number in first..=last {
        stdout.line(number);
    }
    0
}
