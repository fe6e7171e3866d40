//! Blocks in a cluster's Corefile: one makes CoreDNS forward a zone to Portolan, others answer the names of federations.
//!
//! Each block is between two marker comments, and the rest of the file is not changed, so that `uninstall` restores it.

mod block;
mod federation;

use std::fmt::Write as _;
use std::net::IpAddr;

use portolan_object::dns_label::is_host_name;

use block::{CACHE_SECS, Marks, put_block, split_block};

pub use block::CorefileError;
pub use federation::{FederationNames, install_federation, uninstall_federation};

const BEGIN: &str = "# BEGIN portolan: this block is changed and removed by `portolan dns`";
const END: &str = "# END portolan";
/// The marks of the block that forwards a zone.
const FORWARD: Marks<'_> = Marks { begin: BEGIN, end: END };
/// Context lines of a diff.
const CONTEXT: usize = 3;

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
    let servers: Vec<String> = servers.iter().map(|server| format!(" {server}")).collect();
    let block =
        format!("{zone}:53 {{\n    errors\n    cache {CACHE_SECS}\n    forward .{}\n}}\n", servers.concat());
    put_block(corefile, &zone, FORWARD, &block)
}

/// The Corefile without our block; unchanged if it has none.
///
/// # Errors
/// [`CorefileError::Marks`] when the marker comments are not a pair.
pub fn uninstall(corefile: &str) -> Result<String, CorefileError> {
    split_block(corefile, FORWARD).map(|(rest, _)| rest)
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
