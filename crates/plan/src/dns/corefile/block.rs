//! A server block of the Corefile between two marker comments.

/// Cache time of CoreDNS for a zone, in seconds.
pub(super) const CACHE_SECS: u32 = 5;

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
        "the marks `{begin}` and `{end}` are not a pair at line {line} of the Corefile: remove what is left of the \
         block by hand"
    )]
    Marks {
        /// The first mark.
        begin: String,
        /// The second mark.
        end: String,
        /// Line number, from 1.
        line: usize,
    },
}

/// The comments around a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks<'a> {
    pub(super) begin: &'a str,
    pub(super) end: &'a str,
}

/// The Corefile with a server block for `zone` between the marks, in the place of the one that is there.
pub(super) fn put_block(
    corefile: &str,
    zone: &str,
    marks: Marks<'_>,
    block: &str,
) -> Result<String, CorefileError> {
    let (rest, position) = split_block(corefile, marks)?;
    if let Some(line) = line_of(corefile, &rest, zone) {
        return Err(CorefileError::Taken { zone: zone.to_owned(), line });
    }
    // Keep the position of a present block; append a new one.
    let (before, after) = rest.split_at(position.unwrap_or(rest.len()));
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{gap}{}\n{block}{}\n{after}", marks.begin, marks.end))
}

/// The Corefile without the block between the marks, and the offset in it where the block was.
pub(super) fn split_block(
    corefile: &str,
    marks: Marks<'_>,
) -> Result<(String, Option<usize>), CorefileError> {
    let Marks { begin, end } = marks;
    let misplaced = |line| CorefileError::Marks { begin: begin.to_owned(), end: end.to_owned(), line };
    let mut rest = String::with_capacity(corefile.len());
    let mut begun: Option<usize> = None;
    let mut position = None;
    for (index, line) in corefile.split_inclusive('\n').enumerate() {
        let text = line.trim();
        match begun {
            None if text == begin && position.is_none() => {
                begun = Some(index + 1);
                position = Some(rest.len());
            }
            Some(_) if text == end => begun = None,
            _ if text == begin || text == end => return Err(misplaced(index + 1)),
            Some(_) => {}
            None => rest.push_str(line),
        }
    }
    match begun {
        Some(line) => Err(misplaced(line)),
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
