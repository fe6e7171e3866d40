//! The flags that choose among the objects of a kind: namespaces and labels.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use portolan_runtime::client::Selection;

use crate::completion::candidates::namespaces;

/// Which objects of a kind a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct ObjectScope {
    /// Namespace [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Label selector, such as `app=web,tier!=cache`
    #[arg(
        short = 'l',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "SELECTOR",
        alias = "labels"
    )]
    pub(crate) selector: String,
}

impl ObjectScope {
    /// The namespace of the flags, or that of the context.
    pub(crate) fn namespace(&self, of_context: &str) -> String {
        self.namespace.clone().unwrap_or_else(|| of_context.to_owned())
    }

    /// The objects of a kind, with a field selector. `namespace` is that of [`ObjectScope::namespace`].
    pub(crate) fn selection(&self, namespace: &str, is_namespaced: bool, fields: &str) -> Selection {
        let namespace = if is_namespaced && !self.all_namespaces { namespace } else { "" };
        Selection {
            namespace: namespace.to_owned(),
            labels: self.selector.clone(),
            fields: fields.to_owned(),
        }
    }
}
