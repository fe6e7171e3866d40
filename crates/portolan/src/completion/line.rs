//! The command line that is being completed, as far as it is written.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory as _};

use super::shell::KUBECTL_COMMAND;
use crate::arguments::Arguments;
use crate::hub_access::HubAccess;
use crate::servers::scope::{ClusterScope, Scope};

/// Time for each answer of a member, in seconds: less than a person waits for all of them.
const CLUSTER_TIMEOUT: u64 = 1;

/// What the words say about the objects to complete.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(super) hub: HubAccess,
    pub(super) namespace: Option<String>,
    pub(super) all_namespaces: bool,
    pub(super) scope: ClusterScope,
    /// The kind that stands before the names.
    pub(super) kind: Option<String>,
}

impl Line {
    /// The line of this process, which a shell or kubectl started.
    pub(super) fn current() -> Option<Self> {
        Self::of_process(std::env::args_os().collect())
    }

    /// Reads the arguments of the process: `portolan -- portolan get …` or `portolan __complete get …`.
    fn of_process(arguments: Vec<OsString>) -> Option<Self> {
        let start = arguments.iter().position(|word| word == "--" || word == KUBECTL_COMMAND)?;
        let has_name = arguments[start] == "--";
        let mut words = arguments.into_iter().skip(start + 1);
        if has_name {
            words.next();
        }
        let words = std::iter::once(OsString::from("portolan")).chain(words);
        let matches = Arguments::command().ignore_errors(true).try_get_matches_from(words).ok()?;
        let mut deepest = &matches;
        while let Some((_, below)) = deepest.subcommand() {
            deepest = below;
        }
        Some(Self::of_matches(deepest))
    }

    fn of_matches(matches: &ArgMatches) -> Self {
        let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
        let texts = |name: &str| -> Vec<String> {
            let found = matches.try_get_many::<String>(name).ok().flatten();
            found.map(|values| values.cloned().collect()).unwrap_or_default()
        };
        let path = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned();
        let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied();
        let hub = HubAccess {
            kubeconfig: path("kubeconfig"),
            context: text("context"),
            impersonated_user: text("impersonated_user"),
            impersonated_groups: texts("impersonated_groups"),
        };
        Self {
            hub,
            namespace: text("namespace"),
            all_namespaces: flag("all_namespaces").unwrap_or_default(),
            scope: ClusterScope {
                operation_scope: matches.try_get_one::<Scope>("operation_scope").ok().flatten().copied(),
                clusters: [texts("clusters"), texts("cluster")].concat(),
                cluster_timeout: CLUSTER_TIMEOUT,
            },
            kind: text("resource").or_else(|| text("kind")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_read() {
        let line = |text: &str| Line::of_process(text.split(' ').map(OsString::from).collect());
        let found =
            line("portolan -- portolan get pods -n shop -C eu,us --kubeconfig /k we").expect("a line");
        assert_eq!((found.namespace.as_deref(), found.kind.as_deref()), (Some("shop"), Some("pods")));
        assert_eq!(found.scope.clusters, ["eu", "us"]);
        assert!(found.scope.has_members() && !found.scope.has_hub());
        assert_eq!(found.hub.kubeconfig, Some("/k".into()));
        let found = line("portolan __complete describe deploy -A ").expect("a line");
        assert_eq!((found.kind.as_deref(), found.all_namespaces), (Some("deploy"), true));
        assert!(found.scope.has_hub());
        let found = line("portolan __complete get pods -s all ").expect("a line");
        assert!(found.scope.has_hub() && found.scope.has_members());
        let found = line("portolan __complete promote deploy -C eu --context c ").expect("a line");
        assert_eq!((found.scope.clusters, found.hub.context.as_deref()), (vec!["eu".to_owned()], Some("c")));
        assert!(line("portolan get pods").is_none(), "a run of the command itself");
    }
}
