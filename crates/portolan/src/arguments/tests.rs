//! The help of every command, as committed in `snapshots/`: a change of a flag or a text shows in the diff.
//!
//! After an intended change, run the test with `INSTA_UPDATE=always`.

use clap::{Command, CommandFactory};

use super::Arguments;

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
#[cfg(feature = "playground")]
#[cfg_attr(feature = "otel", ignore = "the committed help is that of a build without the flags of otel")]
fn the_help_of_every_command_is_as_committed() {
    let mut root = without_environment(Arguments::command().term_width(100).version("0.0.0"));
    root.build();
    check(root, &mut Vec::new());
}

/// Hides values of environment variables, which differ between machines.
fn without_environment(command: Command) -> Command {
    let command = command.mut_args(|argument| argument.hide_env_values(true));
    command.mut_subcommands(without_environment)
}

fn check(mut command: Command, path: &mut Vec<String>) {
    path.push(command.get_name().to_owned());
    insta::assert_snapshot!(path.join("_"), command.render_long_help());
    let visible =
        command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set());
    for subcommand in visible.cloned().collect::<Vec<_>>() {
        check(subcommand, path);
    }
    path.pop();
}
