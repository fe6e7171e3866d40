use serde_json::json;

use super::*;

fn config_map(value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "a", "resourceVersion": "7", "uid": "u", "labels": { "l": "1" } },
        "data": { "k": value },
    })
}

fn record(change: Change, value: &str) -> Record {
    Record::new(Arc::new(Opening::new("v1", "ConfigMap", change).unwrap()), &config_map(value))
}

fn stamped(change: Change, revision: u64) -> Record {
    let mut record = record(change, "v");
    record.stamp(Revision(revision));
    record
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const OBJECT: &str = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"42","labels":{"l":"1"},"name":"a","uid":"u"},"data":{"k":"v"}}"#;

#[test]
fn a_stamped_record_is_a_frame_with_slices() {
    let record = stamped(Change::Added, 42);
    assert_eq!(text(&record.frame()), format!("{{\"type\":\"ADDED\",\"object\":{OBJECT}}}\n"));
    assert_eq!(text(&record.object()), OBJECT);
    let metadata = r#""metadata":{"resourceVersion":"42","labels":{"l":"1"},"name":"a","uid":"u"}"#;
    assert_eq!(text(&record.metadata()), metadata);
    assert_eq!(text(&record.object_fields()), format!("{metadata},\"data\":{{\"k\":\"v\"}}}}"));
    assert_eq!(record.value()["metadata"]["resourceVersion"], "42");
    assert!(record.was_added());
}

#[test]
fn every_revision_fits() {
    for revision in [1, 9, 10, u64::MAX] {
        let record = stamped(Change::Modified, revision);
        assert_eq!(record.value()["metadata"]["resourceVersion"], json!(revision.to_string()));
        assert!(!record.was_added());
    }
}

#[test]
fn the_deleted_frame_has_the_old_content_and_the_new_revision() {
    let frame = stamped(Change::Added, 42).deleted_frame(Revision(1000));
    let want = OBJECT.replace("\"42\"", "\"1000\"");
    assert_eq!(text(&frame), format!("{{\"type\":\"DELETED\",\"object\":{want}}}\n"));
}

#[test]
fn the_last_metadata_has_the_new_revision() {
    let record = stamped(Change::Added, 42);
    let want = text(&record.metadata()).replace("\"42\"", "\"1000\"");
    assert_eq!(text(&record.metadata_at(Revision(1000))), want);
}

#[test]
fn the_durable_form_decodes_to_the_same_record() {
    let first = stamped(Change::Added, 42);
    let durable = first.encode();
    assert_eq!(durable, record(Change::Added, "v").encode(), "stamping does not change it");
    assert_eq!(text(&durable), OBJECT.replace("\"resourceVersion\":\"42\",", ""));
    let second = Record::decode(durable, Revision(42)).unwrap();
    assert_eq!(second.object(), first.object());
    assert_eq!(second.metadata(), first.metadata());
    assert_eq!(second.summary(), first.summary());
}

#[test]
fn a_record_moves_to_another_revision() {
    let record = stamped(Change::Added, 42);
    for revision in [7, 1000, u64::MAX] {
        let moved = record.at(Revision(revision));
        assert_eq!(text(&moved.object()), OBJECT.replace("\"42\"", &format!("\"{revision}\"")));
        assert_eq!(text(&moved.metadata()), text(&record.metadata_at(Revision(revision))));
        assert_eq!(moved.summary(), record.summary());
        assert!(moved.is_same(&record));
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let with = |data: &[u8]| {
        let start = br#"{"kind":"A","apiVersion":"v1","metadata":{"name":"a"},"data":"#;
        [start.as_slice(), data, b"}"].concat()
    };
    let cases: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("no fields", b"{}".to_vec()),
        ("wrong order", br#"{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}"#.to_vec()),
        ("cut", with(b"{\"k\":1")),
        ("not UTF-8", with(b"\"\xff\"")),
        ("half a surrogate pair", with(br#""\ud800""#)),
        ("a number out of range", with(b"1e999")),
        (
            "metadata not UTF-8",
            b"{\"kind\":\"A\",\"apiVersion\":\"v1\",\"metadata\":{\"x\":\"\xff\"}}".to_vec(),
        ),
    ];
    for (name, bytes) in cases {
        assert!(Record::decode(Bytes::from(bytes), Revision(1)).is_err(), "{name}");
    }
    assert!(
        Record::decode(Bytes::from(with(br#"{"k":[1,-2,0.5,true,null,"\u00e4"]}"#)), Revision(1)).is_ok()
    );
}

#[test]
fn a_kind_that_is_too_long_is_an_error() {
    let longest = usize::from(u16::MAX) - 200;
    assert!(Opening::new("v1", &"K".repeat(longest), Change::Added).is_ok());
    let error = Opening::new("v1", &"K".repeat(usize::from(u16::MAX)), Change::Added).unwrap_err();
    assert_eq!(
        error.to_string(),
        "kind and apiVersion have 65537 bytes together, more than a record can hold"
    );
    let durable =
        format!(r#"{{"kind":"{}","apiVersion":"v1","metadata":{{"name":"a"}}}}"#, "K".repeat(70_000));
    assert!(Record::decode(Bytes::from(durable), Revision(1)).is_err());
}

#[test]
fn equality_ignores_revisions() {
    let old = stamped(Change::Added, 42);
    assert!(record(Change::Modified, "v").is_same(&old));
    assert!(!record(Change::Modified, "w").is_same(&old));
}
