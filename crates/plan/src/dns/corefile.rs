//! The text by which a cluster's CoreDNS sends one zone on to Portolan.
//!
//! Everything of ours stands between two marks and nothing else is touched, so the change can be taken back exactly.

use std::fmt::Write as _;
use std::net::IpAddr;

use portolan_object::dns_label::is_host_name;

const BEGIN: &str = "# BEGIN portolan: this block is changed and removed by `portolan dns`";
const END: &str = "# END portolan";
/// Seconds that CoreDNS keeps answers.
const CACHE_SECS: u32 = 5;
/// Lines around a change that a difference shows.
const CONTEXT: usize = 3;

/// Why a Corefile is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorefileError {
    /// The zone's name is none.
    #[error("{zone:?} is not the name of a zone")]
    Zone {
        /// As given.
        zone: String,
    },
    /// There is nothing to send the zone to.
    #[error("no address to send the zone {zone} to")]
    NoAddress {
        /// The zone.
        zone: String,
    },
    /// Somebody else's block answers for the zone.
    #[error(
        "line {line} of the Corefile answers for {zone} already, and not by Portolan: remove that server block, or \
         leave the zone to it"
    )]
    Taken {
        /// The zone.
        zone: String,
        /// Counted from one.
        line: usize,
    },
    /// One of the marks is missing or out of place.
    #[error(
        "the marks `{BEGIN}` and `{END}` are not a pair at line {line} of the Corefile: remove what is left of the \
         block by hand"
    )]
    Marks {
        /// Counted from one.
        line: usize,
    },
}

/// The Corefile with a block that sends `zone` to `servers`, in place of the one that was there.
///
/// Doing it again changes nothing.
///
/// # Errors
/// [`CorefileError`] when the zone is somebody else's, or the text has been changed between the marks.
pub fn install(corefile: &str, zone: &str, servers: &[IpAddr]) -> Result<String, CorefileError> {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    if !is_host_name(&zone) {
        return Err(CorefileError::Zone { zone });
    }
    if servers.is_empty() {
        return Err(CorefileError::NoAddress { zone });
    }
    let rest = uninstall(corefile)?;
    if let Some(line) = line_of(corefile, &rest, &zone) {
        return Err(CorefileError::Taken { zone, line });
    }
    let servers: Vec<String> = servers.iter().map(|server| format!(" {server}")).collect();
    let block = format!(
        "{BEGIN}\n{zone}:53 {{\n    errors\n    cache {CACHE_SECS}\n    forward .{}\n}}\n{END}\n",
        servers.concat()
    );
    // Where the block was before; at the end when it is new.
    let place = corefile.find(BEGIN).unwrap_or(rest.len());
    let (before, after) = rest.split_at(place);
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{gap}{block}{after}"))
}

/// The Corefile without our block. Without one it comes back as it is.
///
/// # Errors
/// [`CorefileError::Marks`] when the marks are not a pair.
pub fn uninstall(corefile: &str) -> Result<String, CorefileError> {
    let mut rest = String::with_capacity(corefile.len());
    let mut begun: Option<usize> = None;
    let mut blocks = 0;
    for (index, line) in corefile.split_inclusive('\n').enumerate() {
        let marks = Err(CorefileError::Marks { line: index + 1 });
        match (line.trim(), begun) {
            (BEGIN, None) if blocks == 0 => begun = Some(index + 1),
            (BEGIN, _) | (END, None) => return marks,
            (END, Some(_)) => {
                begun = None;
                blocks += 1;
            }
            (_, Some(_)) => {}
            (_, None) => rest.push_str(line),
        }
    }
    match begun {
        Some(line) => Err(CorefileError::Marks { line }),
        None => Ok(rest),
    }
}

/// The line, in the whole text, on which a server block of somebody else names the zone.
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

/// The difference between two texts that differ in one place, as `diff -u` shows it; empty when they are equal.
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
