use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::batch::{Guard, Write};
use crate::versioned::PayloadError;
use crate::watch::Lagged;

/// A value that remembers its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String, pub(crate) Revision);

impl Payload for Text {
    fn stamp(&mut self, revision: Revision) {
        self.1 = revision;
    }

    fn encode(&self) -> Bytes {
        self.0.clone().into()
    }

    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError> {
        Ok(Self(String::from_utf8(bytes.into()).map_err(PayloadError::new)?, revision))
    }
}

pub(crate) fn text(value: impl Into<String>) -> Text {
    Text(value.into(), Revision(0))
}

fn put(key: &str, value: &str) -> Batch<Text> {
    Batch { guards: vec![], writes: vec![Write::Put(key.into(), text(value))] }
}

fn delete(key: &str) -> Batch<Text> {
    Batch { guards: vec![], writes: vec![Write::Delete(key.into())] }
}

/// `+key@created.modified` or `-key`, with `<modified` of the previous value.
pub(crate) fn render(event: &Event<Text>) -> String {
    let previous = event.previous.as_ref().map_or(String::new(), |value| format!("<{}", value.modified));
    match &event.current {
        Some(value) => {
            assert_eq!((value.modified, value.value.1), (event.revision, event.revision));
            format!("{}+{}@{}={}{previous}", event.revision, event.key, value.created, value.value.0)
        }
        None => format!("{}-{}{previous}", event.revision, event.key),
    }
}

fn list(page: &Page<Text>) -> Vec<String> {
    page.items.iter().map(|item| format!("{}={}", item.key, item.value.0)).collect()
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}

#[tokio::test]
async fn commits() {
    struct Case {
        name: &'static str,
        batch: Batch<Text>,
        want: Result<&'static [&'static str], (&'static str, Option<u64>)>,
    }
    let multi = |guards, writes| Batch { guards, writes };
    let cases = [
        Case { name: "create", batch: Batch::create("a", text("1")), want: Ok(&["4+a@4=1"]) },
        Case { name: "create existing", batch: Batch::create("x", text("1")), want: Err(("x", Some(3))) },
        Case { name: "update", batch: Batch::update("x", Revision(3), text("n")), want: Ok(&["4+x@1=n<3"]) },
        Case {
            name: "update stale",
            batch: Batch::update("x", Revision(1), text("n")),
            want: Err(("x", Some(3))),
        },
        Case {
            name: "update absent",
            batch: Batch::update("a", Revision(1), text("n")),
            want: Err(("a", None)),
        },
        Case { name: "delete", batch: Batch::delete("y", Revision(2)), want: Ok(&["4-y<2"]) },
        Case { name: "delete stale", batch: Batch::delete("x", Revision(1)), want: Err(("x", Some(3))) },
        Case { name: "unguarded delete of nothing", batch: delete("a"), want: Err(("a", None)) },
        Case { name: "nothing to do", batch: multi(vec![], vec![]), want: Ok(&[]) },
        Case {
            name: "only guards",
            batch: multi(vec![Guard::Absent("a".into()), Guard::Unchanged("x".into(), Revision(3))], vec![]),
            want: Ok(&[]),
        },
        Case {
            name: "one revision per write, later ones see earlier ones",
            batch: multi(
                vec![],
                vec![
                    Write::Put("a".into(), text("1")),
                    Write::Put("a".into(), text("2")),
                    Write::Delete("a".into()),
                    Write::Put("a".into(), text("3")),
                ],
            ),
            want: Ok(&["4+a@4=1", "5+a@4=2<4", "6-a<5", "7+a@7=3"]),
        },
        Case {
            name: "guards look at the state before the batch",
            batch: multi(
                vec![Guard::Absent("a".into()), Guard::Absent("b".into())],
                vec![Write::Put("a".into(), text("1")), Write::Put("b".into(), text("2"))],
            ),
            want: Ok(&["4+a@4=1", "5+b@5=2"]),
        },
        Case {
            name: "a failing write takes back the earlier ones",
            batch: multi(vec![], vec![Write::Put("x".into(), text("n")), Write::Delete("a".into())]),
            want: Err(("a", None)),
        },
    ];
    for case in cases {
        let store = Store::in_memory();
        for (key, value) in [("x", "1"), ("y", "1"), ("x", "2")] {
            store.commit(put(key, value)).await.expect("setup");
        }
        match (store.commit(case.batch).await, case.want) {
            (Ok(events), Ok(want)) => {
                assert_eq!(events.iter().map(render).collect::<Vec<_>>(), want, "{}", case.name);
                assert_eq!(store.revision().0, 3 + want.len() as u64, "{}", case.name);
            }
            (Err(CommitError::Conflict { key, current }), Err(want)) => {
                assert_eq!((&*key, current.map(|value| value.modified.0)), want, "{}", case.name);
                assert_eq!(store.revision(), Revision(3), "{}", case.name);
                let all = store.range(&Query::default()).expect("readable");
                assert_eq!(list(&all), ["x=2", "y=1"], "{}", case.name);
            }
            (got, want) => panic!("{}: got {got:?}, want {want:?}", case.name),
        }
    }
}

#[tokio::test]
async fn ranges() {
    let store = Store::in_memory();
    for key in ["/a/1", "/a/2", "/b/1", "/a/3"] {
        store.commit(put(key, "old")).await.expect("put");
    }
    // From revision 5 on: change, delete, create.
    store.commit(put("/a/2", "new")).await.expect("put");
    store.commit(delete("/a/1")).await.expect("delete");
    store.commit(put("/a/0", "new")).await.expect("put");
    store.commit(put("/a/2", "newer")).await.expect("put");

    type Case = (
        &'static str,
        (&'static str, Option<&'static str>, usize, Option<u64>),
        &'static [&'static str],
        usize,
    );
    let cases: [Case; 12] = [
        // name, (prefix, start after, limit, at), items, remaining
        ("prefix", ("/b/", None, 0, None), &["/b/1=old"], 0),
        ("limit", ("/a/", None, 2, None), &["/a/0=new", "/a/2=newer"], 1),
        ("next page", ("/a/", Some("/a/2"), 2, None), &["/a/3=old"], 0),
        ("a start that does not exist", ("/a/", Some("/a/1"), 1, None), &["/a/2=newer"], 1),
        ("a start before the prefix", ("/b/", Some("/a/1"), 0, None), &["/b/1=old"], 0),
        ("a start behind the prefix", ("/a/", Some("/b/1"), 0, None), &[], 0),
        ("nothing there", ("/c/", None, 0, None), &[], 0),
        ("old", ("/a/", None, 0, Some(4)), &["/a/1=old", "/a/2=old", "/a/3=old"], 0),
        ("old page", ("/a/", None, 1, Some(4)), &["/a/1=old"], 2),
        ("old second page", ("/a/", Some("/a/1"), 1, Some(4)), &["/a/2=old"], 1),
        ("between two changes", ("/a/", None, 0, Some(5)), &["/a/1=old", "/a/2=new", "/a/3=old"], 0),
        ("before everything", ("", None, 0, Some(0)), &[], 0),
    ];
    for (name, (prefix, start_after, limit, at), want, remaining) in cases {
        let query = Query {
            prefix: prefix.into(),
            start_after: start_after.map(str::to_owned),
            limit,
            at: at.map(Revision),
        };
        let page = store.range(&query).expect(name);
        assert_eq!(list(&page), want, "{name}");
        assert_eq!(page.remaining, remaining, "{name}");
        assert_eq!(page.revision, query.at.unwrap_or(Revision(8)), "{name}");
    }
    let future = store.range(&Query { at: Some(Revision(9)), ..Query::default() }).map(|page| page.revision);
    assert_eq!(future, Err(ReadError::Future { asked: Revision(9), newest: Revision(8) }));
}

#[tokio::test]
async fn a_watch_delivers_what_matches_in_order_and_sleeps_through_the_rest() {
    let store = Store::in_memory();
    store.commit(put("/a/1", "x")).await.expect("put");
    let mut early = store.watch("/a/", Revision(0)).expect("watch");
    let mut late = store.watch("/a/", Revision(3)).expect("watch");
    store.commit(put("/b/1", "x")).await.expect("put");
    store.commit(put("/a/1", "y")).await.expect("put");
    store.commit(delete("/a/1")).await.expect("delete");
    store.commit(put("/b/1", "y")).await.expect("put");

    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(render(&soon(early.next()).await.expect("event")));
    }
    assert_eq!(seen, ["1+/a/1@1=x", "3+/a/1@1=y<1", "4-/a/1<3"]);
    assert_eq!(early.seen(), Revision(4));
    assert!(early.try_next().expect("not lagged").is_none());
    assert_eq!(early.seen(), Revision(5));
    store.commit(put("/b/1", "z")).await.expect("put");
    assert_eq!(early.seen(), Revision(6), "an idle watch follows the writes that do not concern it");
    assert_eq!(render(&soon(late.next()).await.expect("event")), "4-/a/1<3");

    let waiting = tokio::spawn(async move { early.next().await.map(|event| event.revision) });
    tokio::task::yield_now().await;
    store.commit(put("/a/9", "x")).await.expect("put");
    assert_eq!(soon(waiting).await.expect("no panic"), Ok(Revision(7)));
}

#[tokio::test]
async fn a_slow_watch_lags_but_an_idle_one_does_not() {
    let store = Store::in_memory_with(Limits { events: 4, bytes: 1 << 20 });
    store.commit(put("/a", "1")).await.expect("put");
    let mut slow = store.watch("/a", Revision(0)).expect("watch");
    let mut idle = store.watch("/c", Revision(1)).expect("watch");
    for number in 0..10 {
        store.commit(put("/b", &number.to_string())).await.expect("put");
    }
    let lagged = Lagged { seen: Revision(0), oldest: Revision(7) };
    assert_eq!(soon(slow.next()).await.map(|event| event.revision), Err(lagged.clone()));
    assert_eq!(soon(slow.next()).await.map(|event| event.revision), Err(lagged));
    assert!(idle.try_next().expect("nothing was missed").is_none());
    store.commit(put("/c", "1")).await.expect("put");
    assert_eq!(soon(idle.next()).await.map(|event| event.revision), Ok(Revision(12)));

    let compacted = ReadError::Compacted { asked: Revision(7), oldest: Revision(8) };
    assert_eq!(store.watch("/a", Revision(7)).map(|_| ()), Err(compacted.clone()));
    let old = Query { at: Some(Revision(7)), ..Query::default() };
    assert_eq!(store.range(&old).map(|page| page.revision), Err(compacted));
    assert!(store.watch("/a", store.oldest()).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_leave_no_gap_and_watchers_miss_nothing() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 200;
    let store = Store::in_memory();
    let mut watch = store.watch("/", Revision(0)).expect("watch");
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    store.commit(put(&format!("/{writer}/{number}"), "x")).await.expect("put");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut keys = BTreeSet::new();
    for revision in 1..=WRITERS * EACH {
        let event = soon(watch.next()).await.expect("event");
        assert_eq!(event.revision.0, revision);
        keys.insert(event.key.to_string());
    }
    assert_eq!(keys.len() as u64, WRITERS * EACH);
    for writer in writers {
        soon(writer).await.expect("no panic");
    }
}

#[tokio::test]
async fn a_closed_store_reads_but_does_not_write() {
    let store = Store::in_memory();
    store.commit(put("a", "1")).await.expect("put");
    store.clone().close().await;
    let refused = store.commit(put("a", "2")).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { source: Unavailable::Closed })), "{refused:?}");
    assert_eq!(store.get("a").map(|value| value.modified), Some(Revision(1)));
}

#[tokio::test]
async fn replaced_values_are_those_of_the_history() {
    let store = Store::in_memory_with(Limits { events: 4, ..Limits::default() });
    for batch in [put("a", "1"), put("b", "2"), put("a", "3"), put("a", "4"), delete("b"), put("c", "5")] {
        store.commit(batch).await.expect("no guard");
    }
    let replaced = |after, to, limit| {
        let (values, last) = store.replaced(Revision(after), Revision(to), limit);
        (values.iter().map(|value| value.0.clone()).collect::<Vec<_>>(), last.0)
    };
    let found = |values: &[&str], last| (values.iter().map(ToString::to_string).collect::<Vec<_>>(), last);
    // The first two writes are not in the history any more.
    assert_eq!(replaced(0, 6, 10), found(&["1", "3", "2"], 6));
    assert_eq!(replaced(0, 6, 2), found(&["1", "3"], 4));
    assert_eq!(replaced(4, 5, 10), found(&["2"], 5));
    assert_eq!(replaced(6, 6, 10), found(&[], 6));
}
