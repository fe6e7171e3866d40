//! From samples to the few numbers that are printed. Pure; units are the caller's.

use serde::Serialize;

/// What is said about a set of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// How many samples there are.
    pub(crate) count: usize,
    /// The smallest.
    pub(crate) minimum: f64,
    /// Half of the samples are at most this; the mean of the middle two when their number is even.
    pub(crate) median: f64,
    /// The smallest sample that is not exceeded by 99 of 100 (nearest rank), so a sample that really occurred; with
    /// fewer than 100 samples it is the largest.
    pub(crate) p99: f64,
    /// The largest.
    pub(crate) maximum: f64,
}

impl Summary {
    /// Sums up; `None` for no samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        let p99 = sorted[nearest_rank(sorted.len(), 99)];
        Some(Self { count: sorted.len(), minimum, median, p99, maximum })
    }
}

/// Index of the sample at `percent`, 1 to 100, in `count` sorted samples of which there is at least one.
fn nearest_rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let up_to = |last: u32| (1..=last).rev().map(f64::from).collect::<Vec<_>>();
        // name, samples, median, P99
        let cases = [
            ("one sample is everything", vec![7.0], 7.0, 7.0),
            ("an even number has two in the middle", vec![4.0, 1.0, 2.0, 3.0], 2.5, 4.0),
            ("an odd number has one", vec![9.0, 1.0, 2.0], 2.0, 9.0),
            ("a hundred leave one above", up_to(100), 50.5, 99.0),
            ("fewer leave none above", up_to(99), 50.0, 99.0),
            ("two hundred leave two above", up_to(200), 100.5, 198.0),
            ("equal samples", vec![3.0; 10], 3.0, 3.0),
        ];
        for (name, samples, median, p99) in cases {
            let summary = Summary::of(&samples).expect("there are samples");
            assert_eq!((summary.median, summary.p99), (median, p99), "{name}");
            assert_eq!(summary.count, samples.len(), "{name}");
        }
    }

    #[test]
    fn extremes_do_not_depend_on_the_order() {
        let summary = Summary::of(&[2.0, 8.0, 0.5, 4.0]).expect("there are samples");
        assert_eq!((summary.minimum, summary.maximum), (0.5, 8.0));
    }

    #[test]
    fn nothing_is_said_about_nothing() {
        assert_eq!(Summary::of(&[]), None);
    }
}
