//! Result of looking up a name in one zone; shared by service zones and reverse zones.

use crate::record_set::RecordSet;

/// Answer of one zone for one name.
pub(crate) enum Lookup<'a> {
    /// The name exists with these record sets; none for a name that only has names below it (RFC 8020).
    Exists(&'a [RecordSet]),
    /// The name does not exist.
    NoName,
}
