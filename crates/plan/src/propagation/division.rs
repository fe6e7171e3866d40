//! Dividing replicas over clusters in proportion to weights.
//!
//! Highest averages by Webster (Sainte-Laguë), the method that Karmada uses (karmada:
//! pkg/util/helper/webstermethod.go). Used for replicas and for Job completions.

use std::cmp::Ordering;

/// One cluster's part in a division of replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaShare {
    /// The cluster; the last tie-breaker.
    pub cluster: String,
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
/// `total × shares` comparisons.
pub fn divide(total: i64, shares: &[ReplicaShare], ties: TieBreak) -> Vec<i64> {
    let mut seats = vec![0; shares.len()];
    for _ in 0..total {
        let candidates = (0..shares.len()).filter(|&index| shares[index].weight > 0);
        let Some(next) = candidates.min_by(|&one, &other| rank(shares, &seats, ties, one, other)) else {
            break;
        };
        seats[next] += 1;
    }
    seats
}

/// `Less` when `one` is served before `other`: larger weight/(2·seats+1), then fewer seats, then the name.
fn rank(shares: &[ReplicaShare], seats: &[i64], ties: TieBreak, one: usize, other: usize) -> Ordering {
    let quotient = |index: usize, divisor_of: usize| {
        i128::from(shares[index].weight) * i128::from(2 * seats[divisor_of] + 1)
    };
    // one.weight / (2·one.seats+1) against other's, cross-multiplied: no rounding.
    let by_quotient = quotient(other, one).cmp(&quotient(one, other));
    let by_name = shares[one].cluster.cmp(&shares[other].cluster);
    let by_name = if ties == TieBreak::Ascending { by_name } else { by_name.reverse() };
    by_quotient.then(seats[one].cmp(&seats[other])).then(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(weights: &[i64]) -> Vec<ReplicaShare> {
        let named = weights.iter().enumerate();
        named.map(|(index, &weight)| ReplicaShare { cluster: format!("c{}", index + 1), weight }).collect()
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
}
