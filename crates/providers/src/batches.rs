//! How changes are divided into requests.

use std::ops::Range;

/// Ranges of consecutive changes, by their sizes, of at most `limit` together. A larger change is alone.
pub(crate) fn batches(sizes: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut filled = 0;
    for (index, size) in sizes.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if filled + size <= limit => last.end = index + 1,
            _ => {
                ranges.push(index..index + 1);
                filled = 0;
            }
        }
        filled += size;
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
    use super::*;

    #[test]
    fn a_batch_has_at_most_what_the_provider_takes() {
        for (sizes, limit, want) in [
            (vec![], 4, vec![]),
            (vec![2, 2, 2], 4, vec![0..2, 2..3]),
            (vec![2, 3], 4, vec![0..1, 1..2]),
            (vec![9, 1, 1], 4, vec![0..1, 1..3]),
        ] {
            assert_eq!(batches(&sizes, limit), want, "{sizes:?}");
        }
    }

    #[test]
    fn a_range_is_halved_until_it_has_one_change() {
        assert_eq!(halves(&(3..8)), Some([3..5, 5..8]));
        assert_eq!(halves(&(3..4)), None);
    }
}
