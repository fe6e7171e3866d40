use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::versioned::Revision;

fn value(key: &str, revision: u64) -> Versioned<()> {
    Versioned { key: key.into(), value: Arc::new(()), created: Revision(1), modified: Revision(revision) }
}

fn dump(index: &Index<()>) -> BTreeMap<String, u64> {
    let (from, to) = (index.position(|_| false), index.position(|_| true));
    index.between(from, to).map(|value| (value.key.to_string(), value.modified.0)).collect()
}

fn key(number: u16) -> String {
    format!("/{}/{:04}", number % 7, number)
}

proptest! {
    #[test]
    fn equals_a_sorted_map(steps in prop::collection::vec((0u16..1500, prop::bool::weighted(0.7)), 0..3000)) {
        let mut index = Index::new();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        for (revision, (number, is_put)) in steps.into_iter().enumerate() {
            let key = key(number);
            if is_put {
                index.put(value(&key, revision as u64));
                model.insert(key.clone(), revision as u64);
            } else {
                index.remove(&key);
                model.remove(&key);
            }
            prop_assert_eq!(index.get(&key).map(|value| value.modified.0), model.get(&key).copied());
            if revision % 500 == 0 {
                snapshots.push((index.clone(), model.clone()));
            }
        }
        snapshots.push((index, model));
        for (index, model) in snapshots {
            prop_assert_eq!(&dump(&index), &model);
            prop_assert!(index.leaves.iter().all(|leaf| (1..=MAX_LEAF_LEN).contains(&leaf.len())));
            for prefix in ["", "/3", "/3/", "/3/0042", "/9", "0"] {
                let from = index.position(|key| key < prefix);
                let to = index.position(|key| key < prefix || key.starts_with(prefix));
                let found: Vec<&str> = index.between(from, to).map(|value| &*value.key).collect();
                let want: Vec<&String> = model.keys().filter(|key| key.starts_with(prefix)).collect();
                prop_assert_eq!(index.distance(from, to), want.len());
                prop_assert_eq!(found, want);
            }
        }
    }
}

#[test]
fn a_snapshot_shares_all_but_the_written_leaf() {
    let mut index = Index::new();
    for number in 0..1000 {
        index.put(value(&format!("{number:04}"), number));
    }
    let snapshot = index.clone();
    index.put(value("0500", 5000));
    let copied = index.leaves.iter().zip(snapshot.leaves.iter()).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
    assert_eq!(copied, 1);
    assert_eq!(snapshot.get("0500").map(|value| value.modified), Some(Revision(500)));
    assert_eq!(index.get("0500").map(|value| value.modified), Some(Revision(5000)));
}
