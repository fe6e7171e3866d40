use bytes::Bytes;

use super::*;
use crate::versioned::{PayloadError, Versioned};

struct Heavy(usize);

impl Payload for Heavy {
    fn stamp(&mut self, _: Revision) {}

    fn encode(&self) -> Bytes {
        Bytes::new()
    }

    fn decode(_: Bytes, _: Revision) -> Result<Self, PayloadError> {
        Ok(Self(0))
    }

    fn weight(&self) -> usize {
        self.0
    }
}

/// The write at `revision`, which supersedes a value of `weight` bytes.
fn event(revision: u64, weight: usize) -> Arc<Event<Heavy>> {
    let key: Arc<str> = "k".into();
    let previous = Versioned {
        key: Arc::clone(&key),
        value: Arc::new(Heavy(weight)),
        created: Revision(1),
        modified: Revision(revision - 1),
    };
    Arc::new(Event { revision: Revision(revision), key, current: None, previous: Some(previous) })
}

fn revisions(tail: &Tail<Heavy>, after: u64) -> Option<Vec<u64>> {
    Some(tail.after(Revision(after))?.map(|event| event.revision.0).collect())
}

#[test]
fn bounds() {
    struct Case {
        name: &'static str,
        limits: Limits,
        weights: &'static [usize],
        want_oldest: u64,
    }
    let cases = [
        Case {
            name: "all fit",
            limits: Limits { events: 3, bytes: 9999 },
            weights: &[1, 1, 1],
            want_oldest: 10,
        },
        Case {
            name: "count",
            limits: Limits { events: 3, bytes: 9999 },
            weights: &[1, 1, 1, 1],
            want_oldest: 11,
        },
        Case {
            name: "bytes drop as many as needed",
            limits: Limits { events: 9, bytes: 1500 },
            weights: &[100, 100, 100, 1000],
            want_oldest: 12,
        },
        Case {
            name: "one event beyond the bytes is not kept",
            limits: Limits { events: 9, bytes: 1500 },
            weights: &[100, 2000],
            want_oldest: 12,
        },
        Case {
            name: "no history at all",
            limits: Limits { events: 0, bytes: 9 },
            weights: &[1, 1],
            want_oldest: 12,
        },
    ];
    for case in cases {
        let mut tail = Tail::new(Revision(10), case.limits);
        for (revision, weight) in (11..).zip(case.weights) {
            tail.push(event(revision, *weight));
        }
        let newest = 10 + case.weights.len() as u64;
        assert_eq!(tail.oldest().0, case.want_oldest, "{}", case.name);
        for after in 9..newest + 2 {
            let want = (after >= case.want_oldest).then(|| (after + 1..=newest).collect::<Vec<_>>());
            assert_eq!(revisions(&tail, after), want, "{}, after {after}", case.name);
        }
    }
}

#[test]
fn history_that_is_too_old_is_taken_out_a_piece_at_a_time() {
    let mut tail = Tail::new(Revision(10), Limits { events: 9, bytes: 9999 });
    (11..=16).for_each(|revision| tail.push(event(revision, 100)));
    let full = tail.bytes();
    let taken = |tail: &mut Tail<Heavy>, until, count| -> Vec<u64> {
        tail.take_until(Revision(until), count).iter().map(|event| event.revision.0).collect()
    };
    assert_eq!(taken(&mut tail, 10, 9), [] as [u64; 0], "older than all");
    assert_eq!(taken(&mut tail, 14, 3), [11, 12, 13]);
    assert_eq!(taken(&mut tail, 14, 3), [14]);
    assert_eq!((tail.oldest().0, tail.bytes() * 3), (14, full), "two of six are left");
    assert_eq!(revisions(&tail, 13), None);
    assert_eq!(revisions(&tail, 14), Some(vec![15, 16]));
}
