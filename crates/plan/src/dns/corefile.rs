//! The Corefile block that makes a cluster's CoreDNS forward one zone to Portolan.
//!
//! The block is between two marker comments, and the rest of the file is not changed, so that `uninstall` restores it.

use std::fmt::Write as _;
use std::net::IpAddr;

use portolan_object::dns_label::is_host_name;

const BEGIN: &str = "# BEGIN portolan: this block is changed and removed by `portolan dns`";
const END: &str = "# END portolan";
/// Cache time of CoreDNS for the zone, in seconds.
const CACHE_SECS: u32 = 5;
/// Context lines of a diff.
const CONTEXT: usize = 3;

/// Why a Corefile cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorefileError {
    /// The zone name is not a valid domain name.
    #[error("{zone:?} is not the name of a zone")]
    Zone {
        /// The name.
        zone: String,
    },
    /// No server address is given.
    #[error("no address to send the zone {zone} to")]
    NoAddress {
        /// The zone.
        zone: String,
    },
    /// Another server block answers for the zone.
    #[error(
        "line {line} of the Corefile answers for {zone} already, and not by Portolan: remove that server block, or \
         leave the zone to it"
    )]
    Taken {
        /// The zone.
        zone: String,
        /// Line number, from 1.
        line: usize,
    },
    /// A marker comment is missing or misplaced.
    #[error(
        "the marks `{BEGIN}` and `{END}` are not a pair at line {line} of the Corefile: remove what is left of the \
         block by hand"
    )]
    Marks {
        /// Line number, from 1.
        line: usize,
    },
}

/// The Corefile with a block that forwards `zone` to `servers`. Replaces a present block; idempotent.
///
/// # Errors
/// [`CorefileError`] when another server block answers for the zone, or the marker comments are not a pair.
pub fn install(corefile: &str, zone: &str, servers: &[IpAddr]) -> Result<String, CorefileError> {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    if !is_host_name(&zone) {
        return Err(CorefileError::Zone { zone });
    }
    if servers.is_empty() {
        return Err(CorefileError::NoAddress { zone });
    }
    let (rest, position) = split_block(corefile)?;
    if let Some(line) = line_of(corefile, &rest, &zone) {
        return Err(CorefileError::Taken { zone, line });
    }
    let servers: Vec<String> = servers.iter().map(|server| format!(" {server}")).collect();
    let block = format!(
        "{BEGIN}\n{zone}:53 {{\n    errors\n    cache {CACHE_SECS}\n    forward .{}\n}}\n{END}\n",
        servers.concat()
    );
    // Keep the position of a present block; append a new one.
    let (before, after) = rest.split_at(position.unwrap_or(rest.len()));
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{gap}{block}{after}"))
}

/// The Corefile without our block; unchanged if it has none.
///
/// # Errors
/// [`CorefileError::Marks`] when the marker comments are not a pair.
pub fn uninstall(corefile: &str) -> Result<String, CorefileError> {
    split_block(corefile).map(|(rest, _)| rest)
}

/// The Corefile without our block, and the offset in it where the block was.
fn split_block(corefile: &str) -> Result<(String, Option<usize>), CorefileError> {
    let mut rest = String::with_capacity(corefile.len());
    let mut begun: Option<usize> = None;
    let mut position = None;
    for (index, line) in corefile.split_inclusive('\n').enumerate() {
        let marks = Err(CorefileError::Marks { line: index + 1 });
        match (line.trim(), begun) {
            (BEGIN, None) if position.is_none() => {
                begun = Some(index + 1);
                position = Some(rest.len());
            }
            (BEGIN, _) | (END, None) => return marks,
            (END, Some(_)) => begun = None,
            (_, Some(_)) => {}
            (_, None) => rest.push_str(line),
        }
    }
    match begun {
        Some(line) => Err(CorefileError::Marks { line }),
        None => Ok((rest, position)),
    }
}

/// Line number in `corefile` of another server block for the zone; `rest` is the Corefile without our block.
fn line_of(corefile: &str, rest: &str, zone: &str) -> Option<usize> {
    let mut depth = 0usize;
    for line in rest.lines() {
        let text = line.split('#').next().unwrap_or_default();
        let names = text.split('{').next().unwrap_or_default().split([' ', '\t', ',']);
        let is_zone = |name: &str| {
            let name = name.rsplit_once("://").map_or(name, |(_, name)| name);
            let name = name.split(':').next().unwrap_or_default().trim_end_matches('.');
            name.eq_ignore_ascii_case(zone)
        };
        if depth == 0 && names.into_iter().any(is_zone) {
            return Some(corefile.lines().position(|other| other == line).map_or(1, |index| index + 1));
        }
        depth = (depth + text.matches('{').count()).saturating_sub(text.matches('}').count());
    }
    None
}

/// Unified diff of two texts that differ in one place; empty when they are equal.
pub fn difference(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let from = head.saturating_sub(CONTEXT);
    let after = tail.min(CONTEXT);
    let (removed, added) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let lengths = [removed.len(), added.len()].map(|changed| head - from + changed + after);
    let mut text =
        format!("--- {name}\n+++ {name}\n@@ -{0},{1} +{0},{2} @@\n", from + 1, lengths[0], lengths[1]);
    let kept_after = &old[old.len() - tail..old.len() - tail + after];
    for (mark, lines) in [(' ', &old[from..head]), ('-', removed), ('+', added), (' ', kept_after)] {
        for line in lines {
            let _ = writeln!(text, "{mark}{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
