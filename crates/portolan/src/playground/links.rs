//! `portolan playground cut`, `restore` and `links`: commands for a playground that runs.

use anyhow::Result;
use portolan_playground::control::{Command, LinkState, send};

use super::arguments::PlaygroundCommand;

/// Sends a command and prints the state of all links after it.
pub(super) async fn run(command: PlaygroundCommand) -> Result<()> {
    let (dir, command) = match command {
        PlaygroundCommand::Cut(ends) => (ends.dir, Command::Cut(ends.one, ends.other)),
        PlaygroundCommand::Restore(ends) => (ends.dir, Command::Restore(ends.one, ends.other)),
        PlaygroundCommand::Links { dir } => (dir, Command::Links),
    };
    let links = send(&dir, &command).await?;
    anstream::print!("{}", table(&links));
    Ok(())
}

fn table(links: &[LinkState]) -> String {
    let heading = ("CLUSTER", "CLUSTER", "LINK");
    let state = |link: &LinkState| if link.up { "up" } else { "cut" };
    let rows = links.iter().map(|link| (&*link.clusters.0, &*link.clusters.1, state(link)));
    let rows: Vec<(&str, &str, &str)> = std::iter::once(heading).chain(rows).collect();
    let width = rows.iter().flat_map(|(a, b, _)| [a.len(), b.len()]).max().unwrap_or_default() + 3;
    rows.iter().map(|(a, b, state)| format!("{a:width$}{b:width$}{state}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_longest_name() {
        let link = |a: &str, b: &str, up| LinkState { clusters: (a.to_owned(), b.to_owned()), up };
        let text = table(&[link("member1", "member2", false), link("member1", "europe-west", true)]);
        assert_eq!(
            text,
            "CLUSTER       CLUSTER       LINK\n\
             member1       member2       cut\n\
             member1       europe-west   up\n"
        );
    }
}
