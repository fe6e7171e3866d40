//! Completion in shells: commands and flags, and the names that the control plane knows.
//!
//! The shell starts this program with the words of its command line. Kinds, objects, namespaces and clusters are read from
//! the control plane that these words name; without an answer in time there are no candidates.

pub(crate) mod candidates;
mod line;
mod names;
pub(crate) mod shell;

use std::ffi::OsString;
use std::io::Write as _;

use anyhow::{Context, Result, bail};
use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::Shells;

use crate::arguments::Arguments;

use shell::CompletionShell;

/// The variable by which a shell asks for candidates.
const VARIABLE: &str = "PORTOLAN_COMPLETE";
/// What kubectl runs for `kubectl portolan`.
const KUBECTL_SCRIPT: &str = "#!/bin/sh\nexec portolan __complete \"$@\"\n";
/// Cobra's `ShellCompDirectiveNoFileComp`: the candidates are all there are.
const NO_FILES: u8 = 4;

/// Prints candidates and ends the program, if a shell asks for them.
pub(crate) fn answer_shell() {
    candidates::answer_with(names::find);
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}

/// Prints the script that a shell loads.
pub(crate) fn print_script(shell: CompletionShell) -> Result<()> {
    let mut script = Vec::new();
    let name = match shell {
        CompletionShell::Kubectl => {
            return crate::output::print(KUBECTL_SCRIPT);
        }
        CompletionShell::Bash => "bash",
        CompletionShell::Zsh => "zsh",
        CompletionShell::Fish => "fish",
        CompletionShell::Elvish => "elvish",
        CompletionShell::Powershell => "powershell",
    };
    let shells = Shells::builtins();
    let Some(completer) = shells.completer(name) else { bail!("no completion for {name}") };
    completer.write_registration(VARIABLE, "portolan", "portolan", "portolan", &mut script)?;
    crate::output::print(&String::from_utf8_lossy(&script))
}

/// Prints the candidates for the last of `words`, in the form in which kubectl reads them from plugins.
pub(crate) fn answer_kubectl(words: &[OsString]) -> Result<()> {
    let words: Vec<OsString> = std::iter::once("portolan".into()).chain(words.iter().cloned()).collect();
    let last = words.len() - 1;
    let words_end_empty = words[last].is_empty();
    let candidates = complete(&mut Arguments::command(), words, last, None).context("cannot complete")?;
    let is_flag = |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().starts_with('-');
    // Before anything is written of a word, kubectl offers names, and flags only where there are none.
    let only_names = words_end_empty && !candidates.iter().all(is_flag);
    let mut output = std::io::stdout().lock();
    let is_left_out = |one: &CompletionCandidate| one.is_hide_set() || (only_names && is_flag(one));
    for candidate in candidates.iter().filter(|one| !is_left_out(one)) {
        write!(output, "{}", candidate.get_value().to_string_lossy())?;
        if let Some(help) = candidate.get_help() {
            write!(output, "\t{}", help.to_string().lines().next().unwrap_or_default())?;
        }
        writeln!(output)?;
    }
    Ok(writeln!(output, ":{NO_FILES}")?)
}
