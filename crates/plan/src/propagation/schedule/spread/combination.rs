//! The best combination of groups for a spread constraint.
//!
//! Karmada searches depth first through all combinations (karmada pkg/scheduler/core/spreadconstraint/select_groups.go),
//! which takes exponential time. Here the same combination is found by dynamic programming.

use std::cmp::Reverse;

/// A group of clusters to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group<'a> {
    /// Unique among the groups.
    pub(super) name: &'a str,
    /// Number of its clusters, at least 1.
    pub(super) clusters: usize,
    /// Preference; not negative.
    pub(super) score: i64,
}

/// What a combination must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Smallest number of groups, at least 1.
    pub(super) min: usize,
    /// Largest number of groups.
    pub(super) max: usize,
    /// Smallest number of clusters in all groups together.
    pub(super) clusters: usize,
}

/// States beyond which a search is refused: memory of one byte and time of some nanoseconds each.
const MAX_STATES: usize = 50_000_000;

/// Extensions of combinations after which [`some`] ends.
const MAX_STEPS: usize = 100_000;

/// The search would take too much memory and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Position in the search: groups so far and clusters so far, each up to the number from which on it makes no difference.
type Position = (usize, usize);
/// Score and clusters of a combination.
type Worth = Option<(i64, usize)>;

/// The best combination as indices into `groups`, by descending score; `None` if there is none.
///
/// Groups are added in the order of their number of clusters, score and name, and a combination is complete as soon as it
/// has enough groups and clusters. Of the complete ones the best has the largest sum of scores, then the most clusters,
/// then comes first in the order of adding. If its first groups by score are a complete combination as well, these are
/// taken.
pub(super) fn best(groups: &[Group<'_>], wanted: Wanted) -> Result<Option<Vec<usize>>, TooLarge> {
    let Some(search) = Search::new(groups, wanted)? else { return Ok(None) };
    let Some(mut chosen) = search.run() else { return Ok(None) };
    let rank = |position: usize| search.order[position];
    chosen.sort_by_key(|&position| (Reverse(groups[rank(position)].score), groups[rank(position)].name));
    let shortest = (1..chosen.len()).find(|&length| search.is_complete(&chosen[..length]));
    chosen.truncate(shortest.unwrap_or(chosen.len()));
    Ok(Some(chosen.into_iter().map(rank).collect()))
}

/// At most `limit` complete combinations, the best ones of those that are found first.
pub(super) fn some(groups: &[Group<'_>], wanted: Wanted, limit: usize) -> Vec<Vec<usize>> {
    let order = order(groups);
    let wanted = Wanted { max: wanted.max.min(groups.len()), ..wanted };
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut steps = MAX_STEPS;
    let mut open: Vec<(Vec<usize>, usize)> = vec![(Vec::new(), 0)];
    while let Some((path, next)) = open.pop() {
        let clusters: usize = path.iter().map(|&position| groups[order[position]].clusters).sum();
        if path.len() >= wanted.min && clusters >= wanted.clusters {
            found.push(path);
            if found.len() == limit {
                break;
            }
            continue;
        }
        if path.len() >= wanted.max || steps == 0 {
            continue;
        }
        for position in (next..order.len()).rev() {
            steps = steps.saturating_sub(1);
            let mut longer = path.clone();
            longer.push(position);
            open.push((longer, position + 1));
        }
    }
    let sum = |path: &Vec<usize>| {
        let chosen = || path.iter().map(|&position| groups[order[position]]);
        (chosen().map(|group| group.score).sum::<i64>(), chosen().map(|group| group.clusters).sum::<usize>())
    };
    found.sort_by_key(|path| Reverse(sum(path)));
    found.iter().map(|path| path.iter().map(|&position| order[position]).collect()).collect()
}

/// The order in which groups are added to a combination.
fn order(groups: &[Group<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&index| {
        let Group { name, clusters, score } = groups[index];
        (clusters, Reverse(score), name)
    });
    order
}

struct Search<'a> {
    groups: &'a [Group<'a>],
    /// Indices of the groups, in the order of adding.
    order: Vec<usize>,
    wanted: Wanted,
    /// Groups beyond this number are not counted: the maximum, or the minimum if there is no effective maximum.
    counted: usize,
}

impl<'a> Search<'a> {
    /// `None` if there are too few groups or the bounds exclude each other.
    fn new(groups: &'a [Group<'a>], wanted: Wanted) -> Result<Option<Self>, TooLarge> {
        let is_bounded = wanted.max < groups.len();
        let wanted = Wanted { max: wanted.max.min(groups.len()), ..wanted };
        if wanted.min > wanted.max {
            return Ok(None);
        }
        let counted = if is_bounded { wanted.max } else { wanted.min };
        let search = Self { groups, order: order(groups), wanted, counted };
        if groups.len().saturating_mul(search.states()) > MAX_STATES {
            return Err(TooLarge);
        }
        Ok(Some(search))
    }

    /// Number of positions.
    fn states(&self) -> usize {
        (self.counted + 1).saturating_mul(self.wanted.clusters.saturating_add(1))
    }

    fn index(&self, (count, clusters): Position) -> usize {
        count * (self.wanted.clusters + 1) + clusters
    }

    fn is_end(&self, (count, clusters): Position) -> bool {
        count >= self.wanted.min && clusters >= self.wanted.clusters
    }

    /// The position after adding a group; `None` beyond the maximum.
    fn add(&self, (count, clusters): Position, group: Group<'_>) -> Option<Position> {
        if count == self.counted && self.counted == self.wanted.max && self.wanted.max < self.groups.len() {
            return None;
        }
        let clusters = (clusters + group.clusters).min(self.wanted.clusters);
        Some(((count + 1).min(self.counted), clusters))
    }

    /// Positions in the order of adding, of the groups of the best combination.
    fn run(&self) -> Option<Vec<usize>> {
        let positions =
            || (0..=self.counted).flat_map(|count| (0..=self.wanted.clusters).map(move |s| (count, s)));
        // The worth of the best completion from each position, with the groups from some point in the order on.
        let mut worth: Vec<Worth> =
            positions().map(|position| self.is_end(position).then_some((0, 0))).collect();
        // For each group and position, whether the best completion has the group.
        let mut takes = vec![vec![false; self.states()]; self.groups.len()];
        for (&group, takes) in self.order.iter().zip(&mut takes).rev() {
            let group = self.groups[group];
            let mut before = worth.clone();
            for position in positions().filter(|&position| !self.is_end(position)) {
                let rest = self.add(position, group).and_then(|next| worth[self.index(next)]);
                let taken = rest.map(|(score, clusters)| (score + group.score, clusters + group.clusters));
                let index = self.index(position);
                // Of equal ones, the one with the earlier group comes first.
                if taken.is_some() && taken >= worth[index] {
                    before[index] = taken;
                    takes[index] = true;
                }
            }
            worth = before;
        }
        worth[self.index((0, 0))]?;
        let (mut position, mut chosen) = ((0, 0), Vec::new());
        for (place, takes) in takes.iter().enumerate() {
            if self.is_end(position) {
                break;
            }
            if takes[self.index(position)] {
                chosen.push(place);
                position = self.add(position, self.groups[self.order[place]])?;
            }
        }
        Some(chosen)
    }

    /// Whether a combination of positions is complete, and not before its last group in the order of adding.
    fn is_complete(&self, chosen: &[usize]) -> bool {
        let clusters = |position: usize| self.groups[self.order[position]].clusters;
        let sum: usize = chosen.iter().map(|&position| clusters(position)).sum();
        let last = chosen.iter().max().map_or(0, |&position| clusters(position));
        let is_long_enough = chosen.len() >= self.wanted.min && chosen.len() <= self.wanted.max;
        let needs_last = chosen.len() == self.wanted.min || sum - last < self.wanted.clusters;
        is_long_enough && sum >= self.wanted.clusters && needs_last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `R1(1,80) R2(4,40)`: name, clusters, score.
    fn groups(text: &str) -> Vec<Group<'_>> {
        let group = |word| -> Option<Group<'_>> {
            let word: &str = word;
            let (name, rest) = word.trim_end_matches(')').split_once('(')?;
            let (clusters, score) = rest.split_once(',')?;
            Some(Group { name, clusters: clusters.parse().ok()?, score: score.parse().ok()? })
        };
        text.split_whitespace().filter_map(group).collect()
    }

    fn names<'a>(groups: &[Group<'a>], chosen: &[usize]) -> Vec<&'a str> {
        chosen.iter().map(|&index| groups[index].name).collect()
    }

    #[test]
    fn chooses_as_karmada_does() {
        let cases = [
            ("R1(1,80) R2(4,40) R3(1,30) R4(3,30) R5(3,20) R6(5,10)", 2, 6, 5, "R1 R2"),
            ("R1(1,60) R2(1,50) R3(1,40) R4(3,30) R5(3,20) R6(3,10)", 1, 3, 6, "R1 R4 R5"),
            ("R1(1,60) R2(2,50) R3(3,40) R4(4,30)", 1, 2, 5, "R1 R4"),
            ("R4(1,60) R3(3,50) R1(3,40) R2(4,30)", 1, 2, 5, "R3 R1"),
            ("R1(1,80) R3(1,80) R2(1,60) R5(2,60) R4(5,50) R6(3,50)", 1, 3, 10, "R5 R4 R6"),
            ("R1(1,80) R2(2,30)", 2, 3, 4, ""),
            ("R1(1,80) R2(2,30)", 3, 3, 1, ""),
        ];
        for (text, min, max, clusters, want) in cases {
            let groups = groups(text);
            let chosen = best(&groups, Wanted { min, max, clusters }).unwrap().unwrap_or_default();
            assert_eq!(names(&groups, &chosen).join(" "), want, "{text} {min}..{max}, {clusters}");
        }
    }

    /// The search of Karmada, by its description: all complete combinations, sorted, with the rule of the shorter one.
    fn by_enumeration(groups: &[Group<'_>], wanted: Wanted) -> Option<Vec<usize>> {
        fn extend(
            groups: &[Group<'_>],
            order: &[usize],
            wanted: Wanted,
            path: &[usize],
            found: &mut Vec<Vec<usize>>,
        ) {
            let clusters: usize = path.iter().map(|&index| groups[index].clusters).sum();
            if clusters >= wanted.clusters && path.len() >= wanted.min && path.len() <= wanted.max {
                found.push(path.to_vec());
                return;
            }
            if path.len() >= wanted.max {
                return;
            }
            for (position, &index) in order.iter().enumerate() {
                extend(groups, &order[position + 1..], wanted, &[path, &[index]].concat(), found);
            }
        }
        let mut found = Vec::new();
        extend(groups, &order(groups), wanted, &[], &mut found);
        let sum = |path: &[usize]| {
            let score: i64 = path.iter().map(|&index| groups[index].score).sum();
            (score, path.iter().map(|&index| groups[index].clusters).sum::<usize>())
        };
        found.sort_by_key(|path| Reverse(sum(path)));
        for path in &mut found {
            path.sort_by_key(|&index| (Reverse(groups[index].score), groups[index].name));
        }
        let mut best = found.first()?.clone();
        for path in &found[1..] {
            if path.len() < best.len() && best.starts_with(path) {
                best.clone_from(path);
            }
        }
        Some(best)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_search_finds_the_same_as_trying_all_combinations(
            sizes in proptest::collection::vec((1..4usize, 0..4i64), 1..8),
            min in 1..5usize, more in 0..5usize, clusters in 0..12usize,
        ) {
            const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
            let groups: Vec<Group<'_>> = NAMES.iter().zip(sizes)
                .map(|(name, (clusters, score))| Group { name, clusters, score }).collect();
            let wanted = Wanted { min, max: min + more, clusters };
            let found = best(&groups, wanted).unwrap();
            prop_assert_eq!(&found, &by_enumeration(&groups, wanted));
            let some = some(&groups, wanted, 1_000);
            prop_assert_eq!(found.is_some(), !some.is_empty());
        }
    }

    #[test]
    fn sixty_groups_of_five_hundred_clusters_take_no_exponential_time() {
        let names: Vec<String> = (0..60).map(|index| format!("region-{index:02}")).collect();
        let groups: Vec<Group<'_>> = names
            .iter()
            .enumerate()
            .map(|(index, name)| Group { name, clusters: 3 + index % 11, score: (index * 7 % 13) as i64 })
            .collect();
        let wanted = Wanted { min: 20, max: 40, clusters: 250 };
        let chosen = best(&groups, wanted).unwrap().unwrap();
        assert!((20..=40).contains(&chosen.len()));
        assert!(chosen.iter().map(|&index| groups[index].clusters).sum::<usize>() >= 250);
        assert!(some(&groups, wanted, 100).len() <= 100);
    }
}
