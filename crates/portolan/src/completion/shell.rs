//! The programs that ask for candidates.

use clap::ValueEnum;

/// The hidden command by which kubectl asks for candidates.
pub(crate) const KUBECTL_COMMAND: &str = "__complete";

/// Shells, and kubectl with its plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
    /// The file `kubectl_complete-portolan`, for `kubectl portolan`.
    Kubectl,
}
