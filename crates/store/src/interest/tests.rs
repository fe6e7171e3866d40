use proptest::prelude::*;

use super::*;

fn slot() -> Arc<Slot> {
    Arc::new(Slot::new(Revision(0), Revision(0)))
}

proptest! {
    #[test]
    fn wakes_exactly_the_prefixes(prefixes in prop::collection::vec("[ab/]{0,5}", 0..30), key in "[ab/]{0,6}") {
        let mut interest = Interest::default();
        let slots: Vec<_> = prefixes.iter().map(|prefix| (prefix, slot())).collect();
        for (prefix, slot) in &slots {
            interest.add(prefix, Arc::clone(slot));
        }
        let mut woken = Vec::new();
        interest.note(&key, Revision(7), &mut woken);
        for (prefix, slot) in &slots {
            let wants = key.starts_with(prefix.as_str());
            prop_assert_eq!(woken.iter().filter(|other| Arc::ptr_eq(other, slot)).count(), usize::from(wants));
            prop_assert_eq!(slot.unread(), wants.then_some(Revision(7)));
            interest.remove(prefix, slot);
        }
        prop_assert!(interest.by_prefix.is_empty());
    }
}

#[test]
fn a_watcher_is_woken_once_until_it_has_read() {
    let mut interest = Interest::default();
    let waiting = slot();
    interest.add("/pods/", Arc::clone(&waiting));
    let note = |revision| {
        let mut woken = Vec::new();
        interest.note("/pods/a", Revision(revision), &mut woken);
        woken.len()
    };
    assert_eq!((note(1), note(2)), (1, 0));
    assert_eq!(waiting.unread(), Some(Revision(1)));
    waiting.set_unread(None);
    assert_eq!(note(3), 1);
}

#[test]
fn a_watcher_from_the_future_sleeps_until_then() {
    let later = Slot::new(Revision(5), Revision(2));
    assert!(!later.note(Revision(5)));
    assert!(later.note(Revision(6)));
}

#[test]
fn the_narrowest_interest_is_woken_first_and_of_equal_ones_the_latest() {
    let mut interest = Interest::default();
    let registered = ["/pods/", "/pods/", "/pods/shop/", "/"].map(|prefix| (prefix, slot()));
    for (prefix, slot) in &registered {
        interest.add(prefix, Arc::clone(slot));
    }
    let mut woken = Vec::new();
    interest.note("/pods/shop/a", Revision(1), &mut woken);
    let place = |slot| registered.iter().position(|(_, other)| Arc::ptr_eq(other, slot));
    assert_eq!(woken.iter().filter_map(place).collect::<Vec<_>>(), [2, 1, 0, 3]);
}
