//! Arguments of `portolan interpret`; names are those of `karmadactl interpret`.

use std::path::PathBuf;

use clap::Args;
use portolan_api::config::InterpreterOperation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portolan interpret -f customization.yaml --check
  portolan interpret -f customization.yaml --operation interpretReplica --observed-file object.yaml
  portolan interpret -f customization.yaml --operation retain --desired-file new.yaml --observed-file old.yaml")]
pub(crate) struct Interpret {
    /// File or folder with ResourceInterpreterCustomizations, in YAML or JSON; `-` for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR", required = true)]
    pub(crate) filenames: Vec<PathBuf>,
    /// Only check that every script compiles
    #[arg(long, conflicts_with = "operation")]
    pub(crate) check: bool,
    /// Operation to execute: Retain, InterpretReplica, InterpretComponent, ReviseReplica, InterpretStatus,
    /// AggregateStatus, InterpretHealth or InterpretDependency
    #[arg(long, value_name = "OPERATION", value_parser = parse_operation)]
    pub(crate) operation: Option<InterpreterOperation>,
    /// File with the template, the argument desiredObj of a script
    #[arg(long, value_name = "FILE")]
    pub(crate) desired_file: Option<PathBuf>,
    /// File with the object in a member, the argument observedObj
    #[arg(long, value_name = "FILE")]
    pub(crate) observed_file: Option<PathBuf>,
    /// File with the status of each member, the argument statusItems: one document for each, or a list
    #[arg(long, value_name = "FILE")]
    pub(crate) status_file: Option<PathBuf>,
    /// The argument desiredReplica
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) desired_replica: i64,
    /// Edit a customization; not built
    #[arg(long, hide = true)]
    pub(crate) edit: bool,
}

fn parse_operation(text: &str) -> Result<InterpreterOperation, String> {
    let mut operations = InterpreterOperation::ALL.into_iter();
    operations.find(|operation| operation.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names = InterpreterOperation::ALL.map(InterpreterOperation::as_str).join(", ");
        format!("operation {text} is not supported. Use one of: {names}")
    })
}
