use std::sync::Arc;

use portolan_api::resources;
use portolan_object::Object;
use serde_json::json;

use super::*;
use crate::cache::compact::MAX_RECENT_OBJECTS;
use crate::client::ManagedFields;

fn key(name: &str) -> ObjectKey {
    ObjectKey::cluster(name)
}

fn shared() -> SharedCache<String> {
    let by_text: IndexBy<String> = Box::new(|_, text| vec![text.clone()]);
    SharedCache::new(vec![("text", by_text)], None, None, None)
}

fn put(shared: &SharedCache<String>, name: &str, version: &str, object: &str) {
    shared.put(key(name), version, object.to_owned()).expect("no budget");
}

fn log(shared: &SharedCache<String>) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    shared.observe(Box::new(move |change: &Change<String>| {
        let text = |side: &Option<Arc<String>>| side.as_deref().cloned().unwrap_or_else(|| "-".to_owned());
        let own = if change.is_own { " by us" } else { "" };
        sink.lock().push(format!("{} {}>{}{own}", change.key, text(&change.old), text(&change.new)));
        true
    }));
    seen
}

#[test]
fn observers_see_present_state_and_every_difference() {
    let shared = shared();
    put(&shared, "a", "1", "1");
    let seen = log(&shared);
    put(&shared, "a", "2", "2");
    put(&shared, "b", "3", "2");
    shared.remove(key("c"), "4", "9".to_owned());
    let next = vec![(key("b"), 3, None), (key("d"), 5, Some(shared.prepare(&key("d"), 5, "3".to_owned())))];
    shared.replace(next, "9", || {});
    assert_eq!(*seen.lock(), ["a ->1", "a 1>2", "b ->2", "d ->3", "a 2>-"]);
}

#[test]
fn indexes_follow_changes() {
    let shared = shared();
    let found = |value: &str| {
        shared.read(|state| state.indexed("text", value).map(|key| key.name.clone()).collect::<Vec<_>>())
    };
    put(&shared, "b", "1", "x");
    put(&shared, "a", "2", "x");
    assert_eq!(found("x"), ["a", "b"]);
    put(&shared, "a", "3", "y");
    assert_eq!((found("x"), found("y")), (vec!["b".to_owned()], vec!["a".to_owned()]));
    // An index added later, and one with a name that exists.
    shared.add_index("length", Box::new(|_, text| vec![text.len().to_string()]));
    shared.add_index("text", Box::new(|_, _| Vec::new()));
    let count = |index| shared.read(|state| state.indexed(index, "1").count());
    assert_eq!((count("length"), found("x")), (2, vec!["b".to_owned()]));
    shared.remove(key("b"), "4", "x".to_owned());
    assert!(found("x").is_empty());
    assert_eq!(count("length"), 1);
}

#[test]
fn own_writes_are_seen_at_once_and_only_once() {
    let shared = shared();
    shared.put_own(key("a"), "4", "too early".to_owned());
    shared.replace(Vec::new(), "5", || {});
    let seen = log(&shared);
    let text = |value: &str| value.to_owned();
    shared.put_own(key("a"), "7", text("own 7"));
    put(&shared, "a", "6", "older than ours");
    shared.put_own(key("a"), "8", text("own 8"));
    put(&shared, "a", "7", "our first write again");
    assert!(shared.is_known(&key("a"), "7") && shared.is_known(&key("a"), "8"));
    assert!(!shared.is_known(&key("a"), "9") && !shared.is_known(&key("b"), "8"));
    shared.confirm(&key("a"), "8");
    assert!(!shared.is_known(&key("a"), "8"));
    put(&shared, "a", "9", "theirs 9");
    shared.put_own(key("a"), "9", text("known from the watch"));
    shared.remove(key("a"), "10", text("last"));
    shared.put_own(key("a"), "9", text("answered after the removal was seen"));
    let want = ["a ->own 7 by us", "a own 7>own 8 by us", "a own 8>theirs 9", "a last>-"];
    assert_eq!(*seen.lock(), want);
    assert!(shared.read(|state| state.objects.is_empty()));
}

#[test]
fn an_index_that_is_added_during_a_list_has_what_was_listed() {
    let shared = shared();
    let listed = vec![(key("a"), 1, Some(shared.prepare(&key("a"), 1, "x".to_owned())))];
    shared.add_index("length", Box::new(|_, text| vec![text.len().to_string()]));
    shared.replace(listed, "1", || {});
    let count = |index: &str, value: &str| shared.read(|state| state.count(index, value));
    assert_eq!((count("text", "x"), count("length", "1")), (1, 1));
}

#[test]
fn a_compact_cache_encodes_what_did_not_change_last_and_indexes_it_the_same() {
    let by_value: IndexBy<Object> = Box::new(|_, object| vec![object.str_at(&["data", "k"]).to_owned()]);
    let codec = Codec::new(resources::CONFIG_MAP.into(), None, ManagedFields::Dropped);
    let shared = SharedCache::new(vec![("value", by_value)], None, None, Some(codec));
    let object = |value: &str| Object(json!({ "metadata": { "name": "a" }, "data": { "k": value } }));
    for index in 0..=MAX_RECENT_OBJECTS {
        let (name, version) = (index.to_string(), (index + 1).to_string());
        shared.put(key(&name), &version, object("old")).expect("no budget");
    }
    let is_decoded = |name: &str| shared.read(|state| state.objects[&key(name)].object.is_decoded());
    assert!(!is_decoded("0") && is_decoded("1"));
    assert_eq!(shared.get(&key("0")).as_deref(), Some(&object("old")));
    let count = |value: &str| shared.read(|state| state.count("value", value));
    shared.put(key("0"), "998", object("new")).expect("no budget");
    assert_eq!((count("old"), count("new")), (MAX_RECENT_OBJECTS, 1));
    assert!(is_decoded("0") && !is_decoded("1"));
    shared.remove(key("1"), "999", object("old"));
    assert_eq!((count("old"), count("new")), (MAX_RECENT_OBJECTS - 1, 1));
    // Large ones leave room for fewer.
    shared.put(key("2"), "1000", object(&"x".repeat(1 << 20))).expect("no budget");
    assert!(["0", "2"].iter().all(|name| !is_decoded(name)));
    shared.put(key("3"), "1001", object("new")).expect("no budget");
    assert!(is_decoded("3") && shared.has_recent());
    shared.compact_recent(1);
    assert!(!is_decoded("3") && !shared.has_recent());
    assert_eq!(shared.get(&key("3")).as_deref(), Some(&object("new")));
}
