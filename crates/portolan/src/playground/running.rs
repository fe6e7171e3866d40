//! Commands for a playground that runs: its links and its members.

use anyhow::Result;
use portolan_playground::control::{Action, Command, LinkState, Listing, MemberState, send};

use super::arguments::PlaygroundCommand;

/// Sends a command and prints the state of all links, or of all members, after it.
pub(super) async fn run(command: PlaygroundCommand) -> Result<()> {
    let (folder, command) = match command {
        PlaygroundCommand::Cut(ends) => (ends.folder, Command::Cut(ends.one, ends.other)),
        PlaygroundCommand::Restore(ends) => (ends.folder, Command::Restore(ends.one, ends.other)),
        PlaygroundCommand::Links(folder) => (folder, Command::Links),
        PlaygroundCommand::Stop(member) => (member.folder, Command::Act(Action::Stop, member.name)),
        PlaygroundCommand::Start(member) => (member.folder, Command::Act(Action::Start, member.name)),
        PlaygroundCommand::Pause(member) => (member.folder, Command::Act(Action::Pause, member.name)),
        PlaygroundCommand::Resume(member) => (member.folder, Command::Act(Action::Resume, member.name)),
        PlaygroundCommand::Members(folder) => (folder, Command::Members),
    };
    let table = match send(&folder.dir, &command).await? {
        Listing::Links(links) => link_table(&links),
        Listing::Members(members) => member_table(&members),
    };
    anstream::print!("{table}");
    Ok(())
}

fn link_table(links: &[LinkState]) -> String {
    let state = |link: &LinkState| if link.up { "up" } else { "cut" }.to_owned();
    let rows = links.iter().map(|link| [link.clusters.0.clone(), link.clusters.1.clone(), state(link)]);
    table(["CLUSTER", "CLUSTER", "LINK"], rows)
}

fn member_table(members: &[MemberState]) -> String {
    let rows = members.iter().map(|member| [member.name.clone(), member.activity.to_string()]);
    table(["MEMBER", "STATE"], rows)
}

/// The columns but the last one are as wide as the longest cell of them all.
fn table<const COLUMNS: usize>(
    heading: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: Vec<[String; COLUMNS]> = std::iter::once(heading.map(str::to_owned)).chain(rows).collect();
    let names = rows.iter().flat_map(|row| &row[..COLUMNS - 1]);
    let width = names.map(String::len).max().unwrap_or_default() + 3;
    let line = |row: &[String; COLUMNS]| {
        let (last, first) = (&row[COLUMNS - 1], &row[..COLUMNS - 1]);
        let first: String = first.iter().map(|cell| format!("{cell:width$}")).collect();
        format!("{first}{last}\n")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use portolan_playground::control::Activity;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_longest_name() {
        let link = |a: &str, b: &str, up| LinkState { clusters: (a.to_owned(), b.to_owned()), up };
        let text = link_table(&[link("member1", "member2", false), link("member1", "europe-west", true)]);
        assert_eq!(
            text,
            "CLUSTER       CLUSTER       LINK\n\
             member1       member2       cut\n\
             member1       europe-west   up\n"
        );
        let member = |name: &str, activity| MemberState { name: name.to_owned(), activity };
        let members = [member("eu", Activity::Paused), member("us-east", Activity::Stopped)];
        assert_eq!(member_table(&members), "MEMBER    STATE\neu        paused\nus-east   stopped\n");
    }
}
