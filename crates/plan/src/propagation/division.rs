//! Dividing replicas over clusters in proportion to weights.
//!
//! Highest averages by Webster (Sainte-Laguë), the method that Karmada uses (karmada:
//! pkg/util/helper/webstermethod.go). Used for replicas and for Job completions.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// One cluster's part in a division of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaShare<'a> {
    /// The cluster; the last tie-breaker.
    pub cluster: &'a str,
    /// Relative weight without a unit; zero gets no replicas.
    pub weight: i64,
}

/// Order of names in which equal shares are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TieBreak {
    /// The smallest name first.
    Ascending,
    /// The largest name first.
    Descending,
}

impl TieBreak {
    /// By the parity of the template's uid, so that not every workload favours the same clusters.
    pub fn for_uid(uid: &str) -> Self {
        if uid.is_empty() || portolan_api::names::fnv1a_32(uid.as_bytes()).is_multiple_of(2) {
            TieBreak::Ascending
        } else {
            TieBreak::Descending
        }
    }
}

/// Divides `total` replicas. The result has the order of `shares` and sums to `total`; it is all zeros if no weight is
/// positive.
///
/// # Cost
/// `shares × log(shares)`, whatever `total` is.
pub fn divide(total: i64, shares: &[ReplicaShare<'_>], ties: TieBreak) -> Vec<i64> {
    let mut seats = certain_seats(total, shares);
    let remaining = total - seats.iter().sum::<i64>();
    let candidates = shares.iter().enumerate().filter(|(_, share)| share.weight > 0);
    let mut next: BinaryHeap<Claim<'_>> =
        candidates.map(|(index, share)| Claim { index, share: *share, seats: seats[index], ties }).collect();
    for _ in 0..remaining {
        let Some(mut first) = next.peek_mut() else { break };
        first.seats += 1;
        seats[first.index] = first.seats;
    }
    seats
}

/// For each share a number of replicas that it gets in any case, so that only about two for each share are left to divide.
///
/// With the sum W of the weights w and k shares, a share gets at least w·(total − k/2)/W − 1/2 replicas: if t is the
/// smallest quotient that gets a replica, a share gets between w/2t − 1/2 and w/2t + 1/2, and all of them sum to `total`.
fn certain_seats(total: i64, shares: &[ReplicaShare<'_>]) -> Vec<i64> {
    let weights = || shares.iter().map(|share| i128::from(share.weight.max(0)));
    let sum: i128 = weights().sum();
    let shared = i128::from(total) - shares.len() as i128;
    if sum == 0 || shared <= 0 {
        return vec![0; shares.len()];
    }
    // Never more than `total`, so it fits.
    weights().map(|weight| i64::try_from((weight * shared / sum - 1).max(0)).unwrap_or_default()).collect()
}

/// A share that waits for its next replica. The greatest one is served first.
struct Claim<'a> {
    index: usize,
    share: ReplicaShare<'a>,
    seats: i64,
    ties: TieBreak,
}

impl Ord for Claim<'_> {
    /// Larger weight/(2·seats+1), then fewer seats, then the name.
    fn cmp(&self, other: &Self) -> Ordering {
        // Cross-multiplied: no rounding.
        let quotient = |one: &Self, of: &Self| i128::from(one.share.weight) * i128::from(2 * of.seats + 1);
        let by_quotient = quotient(self, other).cmp(&quotient(other, self));
        let by_name = other.share.cluster.cmp(self.share.cluster);
        let by_name = if self.ties == TieBreak::Ascending { by_name } else { by_name.reverse() };
        by_quotient.then(other.seats.cmp(&self.seats)).then(by_name)
    }
}

impl PartialOrd for Claim<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Claim<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Claim<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 6] = ["c1", "c2", "c3", "c4", "c5", "c6"];

    fn shares(weights: &[i64]) -> Vec<ReplicaShare<'static>> {
        NAMES.iter().zip(weights).map(|(cluster, &weight)| ReplicaShare { cluster, weight }).collect()
    }

    #[test]
    fn divides_by_highest_averages() {
        let cases: &[(&str, i64, &[i64], &[i64])] = &[
            ("S1", 1, &[1, 1, 1], &[1, 0, 0]),
            ("S2", 3, &[1, 1], &[2, 1]),
            ("S3", 5, &[1, 1], &[3, 2]),
            ("S4", 7, &[1, 1, 1], &[3, 2, 2]),
            ("S5", 9, &[1, 2], &[3, 6]),
            ("S6", 9, &[1, 3], &[2, 7]),
            ("S7", 12, &[3, 2, 1], &[6, 4, 2]),
            ("S8", 13, &[3, 2, 1], &[7, 4, 2]),
            ("S9", 14, &[3, 2, 1], &[7, 5, 2]),
            ("S10", 12, &[6, 12, 18], &[2, 4, 6]),
            ("S11", 10, &[1, 2, 3], &[2, 3, 5]),
            ("S12", 3, &[1, 2, 3], &[1, 1, 1]),
            ("S13", 2, &[1, 2, 3], &[0, 1, 1]),
            ("S14", 2, &[3, 1], &[1, 1]),
            ("S15", 4, &[1, 3], &[1, 3]),
            ("S16", 10, &[3, 3, 3], &[4, 3, 3]),
            ("S17", 10, &[7, 2, 1], &[7, 2, 1]),
            ("S18", 5, &[100, 1], &[5, 0]),
            ("S19", 100, &[100, 1], &[99, 1]),
            ("S20", 3, &[5, 0, 0], &[3, 0, 0]),
            ("no weight at all", 3, &[0, 0], &[0, 0]),
            ("S22", 4, &[1200, 900, 400], &[2, 1, 1]),
            ("S23", 8, &[100_000, 80_000, 30_000, 20_000], &[3, 3, 1, 1]),
        ];
        for (name, total, weights, want) in cases {
            assert_eq!(divide(*total, &shares(weights), TieBreak::Ascending), *want, "{name}");
        }
    }

    #[test]
    fn ties_turn_around_with_the_uid() {
        let cases: &[(&str, i64, &[i64], &[i64])] = &[
            ("S1", 1, &[1, 1, 1], &[0, 0, 1]),
            ("S2", 3, &[1, 1], &[1, 2]),
            ("S4", 7, &[1, 1, 1], &[2, 2, 3]),
            ("S16", 10, &[3, 3, 3], &[3, 3, 4]),
        ];
        for (name, total, weights, want) in cases {
            assert_eq!(divide(*total, &shares(weights), TieBreak::Descending), *want, "{name}");
        }
        for (uid, ties) in [
            ("", TieBreak::Ascending),
            ("a", TieBreak::Ascending),
            ("b", TieBreak::Descending),
            ("uid-1", TieBreak::Descending),
            ("uid-2", TieBreak::Ascending),
            ("11111111-1111-1111-1111-111111111111", TieBreak::Descending),
        ] {
            assert_eq!(TieBreak::for_uid(uid), ties, "{uid:?}");
        }
    }

    /// The method as it is defined: one replica after the other.
    fn one_by_one(total: i64, shares: &[ReplicaShare<'_>], ties: TieBreak) -> Vec<i64> {
        let mut seats = vec![0; shares.len()];
        for _ in 0..total {
            let claims = shares.iter().enumerate().filter(|(_, share)| share.weight > 0);
            let claims =
                claims.map(|(index, share)| Claim { index, share: *share, seats: seats[index], ties });
            let Some(first) = claims.max() else { break };
            seats[first.index] += 1;
        }
        seats
    }

    proptest! {
        #[test]
        fn a_division_is_the_same_as_one_replica_after_the_other(
            total in 0..200i64, weights in proptest::collection::vec(0..50i64, 1..6), ascending: bool,
        ) {
            let ties = if ascending { TieBreak::Ascending } else { TieBreak::Descending };
            let shares = shares(&weights);
            let divided = divide(total, &shares, ties);
            prop_assert_eq!(&divided, &one_by_one(total, &shares, ties));
            let want = if weights.iter().all(|&weight| weight == 0) { 0 } else { total };
            prop_assert_eq!(divided.iter().sum::<i64>(), want);
        }
    }

    #[test]
    fn the_largest_numbers_are_divided_at_once() {
        let total = i64::from(i32::MAX);
        let divided = divide(total, &shares(&[i64::MAX, i64::MAX / 2, 1]), TieBreak::Ascending);
        assert_eq!(divided.iter().sum::<i64>(), total);
        assert!(divided[0] > divided[1] && divided[1] > 700_000_000);
    }
}
