//! How changes are divided into requests.

use std::ops::Range;

use portolan_plan::federation::dns::record::Change;

/// Ranges of consecutive changes with at most `limit` writes each. A change with more writes is alone.
pub(crate) fn batches(changes: &[Change], limit: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut writes = 0;
    for (index, change) in changes.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if writes + change.writes.len() <= limit => last.end = index + 1,
            _ => {
                ranges.push(index..index + 1);
                writes = 0;
            }
        }
        writes += change.writes.len();
    }
    ranges
}

/// The halves of a range with at least two elements.
pub(crate) fn halves(range: &Range<usize>) -> Option<[Range<usize>; 2]> {
    let middle = range.start + range.len() / 2;
    (range.len() > 1).then_some([range.start..middle, middle..range.end])
}

#[cfg(test)]
mod tests {
    use portolan_plan::federation::dns::record::{DomainName, RecordSet, RecordType, Write};

    use super::*;

    fn change(writes: usize) -> Change {
        let name = DomainName::parse("a.example.com").unwrap();
        let set = RecordSet::new(name.clone(), RecordType::A, 60, ["192.0.2.1"]);
        Change { name, writes: vec![Write::Delete(set); writes] }
    }

    #[test]
    fn a_batch_has_at_most_the_writes_that_the_provider_takes() {
        for (writes, limit, want) in [
            (vec![], 4, vec![]),
            (vec![2, 2, 2], 4, vec![0..2, 2..3]),
            (vec![2, 3], 4, vec![0..1, 1..2]),
            (vec![9, 1, 1], 4, vec![0..1, 1..3]),
        ] {
            let changes: Vec<Change> = writes.iter().map(|&count| change(count)).collect();
            assert_eq!(batches(&changes, limit), want, "{writes:?}");
        }
    }

    #[test]
    fn a_range_is_halved_until_it_has_one_change() {
        assert_eq!(halves(&(3..8)), Some([3..5, 5..8]));
        assert_eq!(halves(&(3..4)), None);
    }
}
