//! The first steps of `docs/getting-started.md`, run unchanged.

use std::fs;
use std::path::Path;
use std::process::Command;

use portolan_e2e::binary::finish;
use portolan_e2e::{Playground, eventually, programs, text};

const HEADING: &str = "## A service with one name in every cluster";
/// Upper bound for the first steps.
const MAX_COMMANDS: usize = 4;

/// The lines of the blocks of commands below [`HEADING`].
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/getting-started.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let (_, section) = page.split_once(HEADING).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    // Every second part is inside of a fence.
    let blocks = section.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(str::trim);
    let is_command =
        |line: &&str| ["portolan ", "kubectl ", "export "].iter().any(|word| line.starts_with(word));
    lines.filter(is_command).map(str::to_owned).collect()
}

#[test]
fn a_new_user_reaches_a_service_of_the_set_with_four_commands() {
    let commands = commands();
    assert!(commands.len() <= MAX_COMMANDS, "{commands:#?}");
    let (start, rest) = commands.split_first().expect("commands");
    let arguments =
        start.strip_prefix("portolan playground --dir /tmp/play").expect("the first starts the playground");
    let playground = Playground::start_with(&arguments.split_whitespace().collect::<Vec<_>>());
    let (kubectl, directory) = (programs::kubernetes("kubectl"), text(playground.directory()));
    let path = format!(
        "{}:{}:{}",
        text(kubectl.parent().expect("a folder")),
        text(programs::portolan().parent().expect("a folder")),
        std::env::var("PATH").unwrap_or_default()
    );
    // One shell, as in the terminal of a user; the last command may come before the pod is ready, and is run again then,
    // as a user would.
    let (ask, before) = rest.split_last().expect("commands");
    let shell = |script: String| {
        let mut command = Command::new("sh");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        command.args(["-ec", &script.replace("/tmp/play", directory)]).env("PATH", &path).current_dir(root);
        finish(&mut command)
    };
    let prepared = shell(before.join("\n"));
    assert_eq!(prepared.code, Some(0), "{prepared}");
    let export = before.iter().find(|line| line.starts_with("export ")).expect("KUBECONFIG is set");
    eventually("an answer through serve.default.svc.clusterset.local", || {
        let asked = shell(format!("{export}\n{ask}"));
        let output = asked.to_string();
        match output.contains("'hello from cluster member1 (Node: member1-control-plane Pod: serve-") {
            true => Ok(()),
            false => Err(output),
        }
    });
}
