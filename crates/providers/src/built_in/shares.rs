//! What the writers of one zone share: whether all of them have written, and the serial number.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use portolan_plan::federation::dns::record::DomainName;

/// Zones by name.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<BTreeMap<DomainName, Share>>);

#[derive(Debug, Default)]
struct Share {
    /// Writers that have written all their records.
    written: BTreeSet<String>,
    /// Serial numbers below this one may have been used.
    floor: u32,
    /// Whether the numbers of earlier processes are known.
    has_begun: bool,
}

/// What is to be done with a zone after a writer has written or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A writer has still to write: queries for its names cannot be answered yet.
    Wait,
    /// All have written.
    Answer,
    /// Nothing is to be in the zone any more.
    Withdraw,
}

impl Shares {
    /// A writer has written everything, or has left the zone. `writers` are those that the zone has now.
    pub(super) fn written(
        &self,
        zone: &DomainName,
        writer: &str,
        has_left: bool,
        writers: &BTreeSet<String>,
    ) -> Next {
        let mut shares = self.0.lock();
        let share = shares.entry(zone.clone()).or_default();
        if has_left {
            share.written.remove(writer);
        } else {
            share.written.insert(writer.to_owned());
        }
        if writers.is_empty() {
            share.written.clear();
            return Next::Withdraw;
        }
        if writers.is_subset(&share.written) { Next::Answer } else { Next::Wait }
    }

    /// Notes that earlier processes may have used serial numbers below `floor`. Counts once for each zone: later floors contain the
    /// numbers of this process.
    pub(super) fn begin(&self, zone: &DomainName, floor: u32) {
        let mut shares = self.0.lock();
        let share = shares.entry(zone.clone()).or_default();
        if !std::mem::replace(&mut share.has_begun, true) {
            share.floor = share.floor.max(floor);
        }
    }

    /// Notes that this process has used the serial numbers below `floor`.
    pub(super) fn used(&self, zone: &DomainName, floor: u32) {
        let mut shares = self.0.lock();
        let share = shares.entry(zone.clone()).or_default();
        share.floor = share.floor.max(floor);
    }

    /// Serial numbers below this one may have been used.
    pub(super) fn floor(&self, zone: &DomainName) -> u32 {
        self.0.lock().get(zone).map_or(0, |share| share.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_answered_when_all_have_written_and_left_when_none_wants_it() {
        let (shares, zone) = (Shares::default(), DomainName::parse("example.com").expect("a name"));
        let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        for (writer, has_left, writers, want) in [
            ("a", false, of(&["a", "b"]), Next::Wait),
            ("a", false, of(&["a", "b"]), Next::Wait),
            ("b", false, of(&["a", "b"]), Next::Answer),
            // A third one comes: the zone is answered already, which the zone itself remembers.
            ("a", false, of(&["a", "b", "c"]), Next::Wait),
            ("b", true, of(&["a", "c"]), Next::Wait),
            ("c", false, of(&["a", "c"]), Next::Answer),
            ("a", true, of(&["c"]), Next::Answer),
            ("c", true, of(&[]), Next::Withdraw),
            ("a", false, of(&["a", "c"]), Next::Wait),
        ] {
            assert_eq!(
                shares.written(&zone, writer, has_left, &writers),
                want,
                "{writer} {has_left} {writers:?}"
            );
        }
    }

    #[test]
    fn a_serial_number_is_never_lower_than_one_before() {
        let (shares, zone) = (Shares::default(), DomainName::parse("example.com").expect("a name"));
        shares.used(&zone, 5);
        shares.begin(&zone, 7);
        assert_eq!(shares.floor(&zone), 7);
        shares.begin(&zone, 9);
        assert_eq!(shares.floor(&zone), 7, "what this process has noted since is not of an earlier one");
        shares.used(&zone, 6);
        shares.used(&zone, 8);
        assert_eq!(shares.floor(&zone), 8);
    }
}
