//! The help of every command, as committed in `snapshots/`: a change of a flag or a text shows in the diff.
//!
//! After an intended change, run the test with `INSTA_UPDATE=always`.

use clap::{Command, CommandFactory, Parser};

use super::{Arguments, examples};

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
#[cfg(feature = "playground")]
#[cfg_attr(feature = "otel", ignore = "the committed help is that of a build without the flags of otel")]
fn the_help_of_every_command_is_as_committed() {
    let mut root = without_environment(examples::add(Arguments::command()).term_width(100).version("0.0.0"));
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

#[test]
fn every_command_has_examples_that_it_accepts() {
    let mut root = examples::add(Arguments::command());
    root.build();
    let mut lines = 0;
    for (path, examples) in examples_of(&root, "") {
        let (_, examples) =
            examples.split_once("Examples:\n").unwrap_or_else(|| panic!("{path} has no examples"));
        let own = examples.replace("\\\n", " ");
        let is_named = own.lines().any(|line| line.trim_start().starts_with(path.as_str()));
        assert!(is_named, "the examples of {path} are those of another command: {examples}");
        for line in own.lines().map(str::trim).filter(|line| line.starts_with("portolan ")) {
            let parsed = Arguments::try_parse_from(words(line));
            assert!(parsed.is_ok(), "{path}: {line}: {}", parsed.unwrap_err());
            lines += 1;
        }
    }
    assert!(lines > 100, "{lines}");
}

/// Paths of all visible commands but the root, with their examples.
fn examples_of(command: &Command, above: &str) -> Vec<(String, String)> {
    let path = format!("{above} {}", command.get_name()).trim_start().to_owned();
    let visible =
        command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set());
    let mut found: Vec<_> = visible.flat_map(|below| examples_of(below, &path)).collect();
    if !above.is_empty() {
        found.push((path, command.get_after_help().map(ToString::to_string).unwrap_or_default()));
    }
    found
}

/// The words of a line for a shell, up to a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            ('|' | '>', None) => break,
            (' ', None) => words.push(String::new()),
            (letter, _) => words.last_mut().expect("a word").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
