//! The completers that the definitions of flags and arguments name.
//!
//! To find candidates is to read a command line by these definitions and to ask the control plane that it names. So a
//! completer here only passes the question on to the function given to [`answer_with`].

use std::ffi::OsStr;
use std::sync::OnceLock;

use clap_complete::engine::CompletionCandidate;

/// What is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Clusters,
    Contexts,
    Kinds,
    Namespaces,
    Objects,
    Pods,
}

/// Finds the candidates for what is written of a word.
pub(crate) type Lookup = fn(Names, &OsStr) -> Vec<CompletionCandidate>;

static LOOKUP: OnceLock<Lookup> = OnceLock::new();

/// Sets the function that finds candidates; the first call counts.
pub(crate) fn answer_with(lookup: Lookup) {
    LOOKUP.get_or_init(|| lookup);
}

fn find(names: Names, current: &OsStr) -> Vec<CompletionCandidate> {
    LOOKUP.get().map_or_else(Vec::new, |lookup| lookup(names, current))
}

/// Names of clusters, also as the last of a list with commas.
pub(crate) fn clusters(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Clusters, current)
}

/// Contexts of the kubeconfig.
pub(crate) fn contexts(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Contexts, current)
}

/// Kinds, also as the last of a list with commas; after a slash the objects of the kind before it.
pub(crate) fn kinds(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Kinds, current)
}

/// Names of namespaces.
pub(crate) fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Namespaces, current)
}

/// Names of objects of the kind that stands before them.
pub(crate) fn objects(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Objects, current)
}

/// Names of pods in the members; after a slash the objects of the kind before it.
pub(crate) fn pods(current: &OsStr) -> Vec<CompletionCandidate> {
    find(Names::Pods, current)
}
