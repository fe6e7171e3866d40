use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn lanes() -> Queue<String> {
    Queue::with_lanes("test", usize::MAX, |key: &String| Arc::from(&key[..1]))
}

async fn take(queue: &Queue<String>, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.extend(queue.next().await);
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn lanes_take_turns() {
    let queue = lanes();
    for key in ["a1", "a2", "a3", "b1", "a4", "c1"] {
        queue.add(key.to_owned());
    }
    assert_eq!(take(&queue, 6).await, ["a1", "b1", "c1", "a2", "a3", "a4"]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_at_its_limit_waits_and_delays_nobody() {
    let queue: Queue<String> = Queue::with_lanes("test", 1, |key: &String| Arc::from(&key[..1]));
    for key in ["a1", "a2", "b1"] {
        queue.add(key.to_owned());
    }
    assert_eq!(take(&queue, 2).await, ["a1", "b1"]);
    let blocked = tokio::time::timeout(Duration::from_secs(60), queue.next()).await;
    assert!(blocked.is_err(), "a2 waits for a1");
    queue.finish("a1".to_owned(), Next::Forget);
    assert_eq!(take(&queue, 1).await, ["a2"]);
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_higher_priority_come_first() {
    let priority = |key: &String| key.len().try_into().unwrap_or(i32::MAX);
    let queue: Queue<String> =
        Queue::made("test".to_owned(), None, 9, by_priority(priority), QueueMeter::unreported());
    for key in ["a", "b", "aa", "aaaa", "bb", "c"] {
        queue.add(key.to_owned());
    }
    assert_eq!(take(&queue, 6).await, ["aaaa", "aa", "bb", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_queued_once_and_never_runs_twice_at_once() {
    let queue = lanes();
    queue.add("a".to_owned());
    queue.add("a".to_owned());
    assert_eq!(take(&queue, 1).await, ["a"]);
    queue.add("a".to_owned());
    queue.add("a".to_owned());
    let second = tokio::time::timeout(Duration::from_secs(60), queue.next()).await;
    assert!(second.is_err(), "the first pass still runs");
    queue.finish("a".to_owned(), Next::Forget);
    assert_eq!(take(&queue, 1).await, ["a"], "once more, because it was added meanwhile");
    queue.finish("a".to_owned(), Next::Forget);
    assert!(queue.is_idle());
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_success_forgets_them() {
    let queue = lanes();
    queue.add("a".to_owned());
    let mut waits = Vec::new();
    for _ in 0..14 {
        let before = Instant::now();
        let key = queue.next().await.expect("an open queue");
        waits.push(before.elapsed());
        queue.finish(key, Next::Backoff);
    }
    assert!(waits[1] < Duration::from_millis(60), "{waits:?}");
    assert!(waits[13] > Duration::from_secs(20) && waits[13] <= Duration::from_secs(31), "{waits:?}");
    assert_eq!(queue.failures(&"a".to_owned()), 14);
    let key = queue.next().await.expect("an open queue");
    queue.finish(key, Next::Forget);
    assert_eq!(queue.failures(&"a".to_owned()), 0);
    assert!(queue.is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_failed_because_a_server_was_away_is_tried_within_seconds() {
    let queue = lanes();
    queue.add("a".to_owned());
    let mut longest = Duration::ZERO;
    for _ in 0..14 {
        let before = Instant::now();
        let key = queue.next().await.expect("an open queue");
        longest = longest.max(before.elapsed());
        queue.finish(key, Next::BackoffUnreachable);
    }
    assert!(longest > Duration::from_secs(2) && longest < Duration::from_secs(4), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn the_shortest_delay_holds_and_an_addition_ends_it() {
    let queue = lanes();
    let started = Instant::now();
    queue.add_after("a".to_owned(), Duration::from_secs(9));
    queue.add_after("a".to_owned(), Duration::from_secs(3));
    queue.add_after("a".to_owned(), Duration::from_secs(5));
    assert_eq!(take(&queue, 1).await, ["a"]);
    assert_eq!(started.elapsed().as_secs(), 3);
    queue.finish("a".to_owned(), Next::After(Duration::from_secs(60)));
    queue.add("a".to_owned());
    assert_eq!(take(&queue, 1).await, ["a"]);
    assert_eq!(started.elapsed().as_secs(), 3, "an addition does not wait for the delay");
    queue.finish("a".to_owned(), Next::Forget);
    assert!(queue.is_idle(), "the old delay is gone");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_key_finds_an_idle_worker_while_another_is_busy() {
    let queue = lanes();
    let idle = tokio::spawn({
        let queue = queue.clone();
        async move { queue.next().await }
    });
    tokio::task::yield_now().await;
    queue.add_after("b".to_owned(), Duration::from_secs(1));
    queue.add("a".to_owned());
    // Two workers: the one that gets `a` is busy for an hour, the other one must see `b` in time.
    let started = Instant::now();
    let mut seen = BTreeSet::from([queue.next().await.expect("an open queue")]);
    seen.insert(idle.await.expect("no panic").expect("an open queue"));
    assert_eq!(seen, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(started.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_wakes_every_worker() {
    let queue = lanes();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.close();
    for worker in workers {
        assert_eq!(worker.await.expect("no panic"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_time_gets_it() {
    let queue = Queue::new("test");
    queue.add("a".to_owned());
    let failed = queue.next().await.expect("a key");
    queue.finish(failed, Next::BackoffAtLeast(Duration::from_secs(7)));
    assert_eq!((queue.ready(), queue.waiting()), (0, 1));
    let started = Instant::now();
    let again = queue.next().await.expect("the key that failed");
    assert_eq!(started.elapsed(), Duration::from_secs(7));
    assert_eq!(queue.failures(&again), 1, "it counts as a failure");
    queue.finish(again, Next::Forget);
    assert!(queue.is_idle());
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    AddAfter(u8, u64),
    Take,
    Finish(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6u8).prop_map(Step::Add),
        1 => (0..6u8, 0..50u64).prop_map(|(key, millis)| Step::AddAfter(key, millis)),
        3 => Just(Step::Take),
        2 => (0..8usize, 0..4u8).prop_map(|(which, how)| Step::Finish(which, how)),
    ]
}

proptest! {
    /// Whatever happens: no key is with two workers, and every key that was added is handed out afterwards.
    #[test]
    fn nothing_is_lost_and_nothing_runs_twice(steps in proptest::collection::vec(step(), 0..60)) {
        let now = Instant::now();
        let place = |key: &u8| {
            let lane = Arc::from(if key.is_multiple_of(2) { "even" } else { "odd" });
            Place { lane, priority: i32::from(key % 3) }
        };
        let mut state: QueueState<u8> = QueueState::new(2);
        let mut running = Vec::new();
        let mut owed: BTreeMap<u8, bool> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Add(key) => { state.add(key, place(&key), now, Origin::at(now)); owed.insert(key, true); }
                Step::AddAfter(key, millis) => {
                    state.add_at(key, now + Duration::from_millis(millis));
                    owed.insert(key, true);
                }
                Step::Take => {
                    state.wake_delayed(now, place);
                    if let Some((key, _)) = state.take(now) {
                        prop_assert!(!running.contains(&key), "{} runs twice", key);
                        running.push(key);
                        owed.remove(&key);
                    }
                }
                Step::Finish(which, how) if !running.is_empty() => {
                    let key = running.remove(which % running.len());
                    let at = (how == 0).then(|| now + Duration::from_millis(7));
                    if at.is_some() { owed.insert(key, true); }
                    state.finish(key, place(&key), now, at);
                }
                Step::Finish(..) => {}
            }
        }
        for key in std::mem::take(&mut running) { state.finish(key, place(&key), now, None); }
        let later = now + Duration::from_secs(1);
        for _ in 0..100 {
            state.wake_delayed(later, place);
            let Some((key, _)) = state.take(later) else { break };
            owed.remove(&key);
            state.finish(key, place(&key), now, None);
        }
        prop_assert!(owed.is_empty(), "never handed out: {:?}", owed);
        prop_assert!(state.is_idle());
    }
}
