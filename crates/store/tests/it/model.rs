//! Random histories against a naive model that keeps every state it ever had.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use portolan_store::{
    Batch, CommitError, Event, Guard, Limits, Options, Query, ReadError, Revision, Store, Watch, Write,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::note::Note;

const KEYS: [&str; 8] = ["/a/1", "/a/2", "/a/3", "/ab/1", "/b/1", "/b/2", "/b", "/c/1"];
const PREFIXES: [&str; 6] = ["", "/a", "/a/", "/b", "/c/1", "/none"];

#[derive(Debug, Clone)]
enum Step {
    Commit { guards: Vec<(usize, Want)>, writes: Vec<(usize, bool)> },
    Watch { prefix: usize, back: u64 },
    Read { prefix: usize, start_after: Option<usize>, limit: usize, back: u64 },
    Drain,
    Restart,
}

/// What a guard asks of its key.
#[derive(Debug, Clone, Copy)]
enum Want {
    Absent,
    /// Its true revision, or one beside it.
    Revision(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    let want = prop_oneof![Just(Want::Absent), (0u64..6).prop_map(|off| Want::Revision(off / 5))];
    let guards = prop::collection::vec((key.clone(), want), 0..2);
    let writes = prop::collection::vec((key.clone(), prop::bool::weighted(0.75)), 0..4);
    prop_oneof![
        8 => (guards, writes).prop_map(|(guards, writes)| Step::Commit { guards, writes }),
        2 => (0..PREFIXES.len(), 0u64..20).prop_map(|(prefix, back)| Step::Watch { prefix, back }),
        4 => (0..PREFIXES.len(), prop::option::of(key), 0usize..4, 0u64..20)
            .prop_map(|(prefix, start_after, limit, back)| Step::Read { prefix, start_after, limit, back }),
        1 => Just(Step::Drain),
        1 => Just(Step::Restart),
    ]
}

/// (created, modified, text) of every key.
type State = BTreeMap<String, (u64, u64, String)>;

/// What should have happened.
struct Model {
    /// The state after each revision, from zero on.
    states: Vec<State>,
    /// What each revision did, from one on, as text.
    events: Vec<(String, String)>,
}

impl Model {
    fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    fn state(&self) -> &State {
        self.states.last().expect("the empty state")
    }

    /// The key that conflicts with the batch; none if it was applied.
    fn commit(&mut self, guards: &[Guard], writes: &[Write<Note>]) -> Option<String> {
        for guard in guards {
            let (key, want) = match guard {
                Guard::Absent(key) => (key, None),
                Guard::Unchanged(key, revision) => (key, Some(revision.0)),
            };
            if self.state().get(&**key).map(|value| value.1) != want {
                return Some(key.to_string());
            }
        }
        let kept = self.states.len();
        for write in writes {
            let key = write.key().to_string();
            let (revision, mut state) = (self.newest() + 1, self.state().clone());
            let previous = state.get(&key).cloned();
            let did = match write {
                Write::Put(_, note) => {
                    let created = previous.as_ref().map_or(revision, |value| value.0);
                    state.insert(key.clone(), (created, revision, note.text.clone()));
                    format!("{revision} {created} {} {previous:?}", note.text)
                }
                Write::Delete(_) if previous.is_none() => {
                    self.states.truncate(kept);
                    self.events.truncate(kept - 1);
                    return Some(key);
                }
                Write::Delete(_) => {
                    state.remove(&key);
                    format!("{revision} deleted {previous:?}")
                }
            };
            self.states.push(state);
            self.events.push((key, did));
        }
        None
    }

    fn range(&self, at: u64, prefix: &str, start_after: Option<&str>) -> Vec<(String, (u64, u64, String))> {
        let state = &self.states[usize::try_from(at).expect("small")];
        let matches = |key: &str| key.starts_with(prefix) && start_after.is_none_or(|start| key > start);
        state
            .iter()
            .filter(|(key, _)| matches(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn describe(event: &Event<Note>) -> (String, String) {
    let value = |v: &portolan_store::Versioned<Note>| {
        assert_eq!(v.value.revision, v.modified, "stamped");
        (v.created.0, v.modified.0, v.value.text.clone())
    };
    let (revision, previous) = (event.revision, event.previous.as_ref().map(value));
    let did = match event.current.as_ref().map(value) {
        Some((created, _, text)) => format!("{revision} {created} {text} {previous:?}"),
        None => format!("{revision} deleted {previous:?}"),
    };
    (event.key.to_string(), did)
}

/// A watch and the next revision it has to report.
struct Watcher {
    watch: Watch<Note>,
    prefix: &'static str,
    after: u64,
    /// It has looked at everything there was.
    is_idle: bool,
}

struct Run {
    store: Store<Note>,
    model: Model,
    watchers: Vec<Watcher>,
    /// Values are numbered, so that no two are the same.
    values: u64,
}

impl Run {
    async fn commit(&mut self, guards: Vec<(usize, Want)>, writes: Vec<(usize, bool)>) {
        let guards: Vec<_> = guards
            .into_iter()
            .map(|(key, want)| match want {
                Want::Absent => Guard::Absent(KEYS[key].into()),
                Want::Revision(off) => {
                    let true_one = self.model.state().get(KEYS[key]).map_or(1, |value| value.1);
                    Guard::Unchanged(KEYS[key].into(), Revision(true_one + off))
                }
            })
            .collect();
        let writes: Vec<_> = writes
            .into_iter()
            .map(|(key, is_put)| {
                self.values += 1;
                let key = KEYS[key].into();
                if is_put {
                    Write::Put(key, Note::new(format!("v{}", self.values)))
                } else {
                    Write::Delete(key)
                }
            })
            .collect();
        let before = self.model.newest();
        let want = self.model.commit(&guards, &writes);
        match (self.store.commit(Batch { guards, writes }).await, want) {
            (Ok(events), None) => {
                let got: Vec<_> = events.iter().map(describe).collect();
                assert_eq!(got, self.model.events[usize::try_from(before).expect("small")..]);
            }
            (Err(CommitError::Conflict { key, .. }), Some(want)) => assert_eq!(*key, *want),
            (got, want) => panic!("got {got:?}, want a conflict at {want:?}"),
        }
        assert_eq!(self.store.revision().0, self.model.newest());
    }

    fn watch(&mut self, prefix: &'static str, back: u64) {
        let after = self.model.newest().saturating_sub(back);
        match self.store.watch(prefix, Revision(after)) {
            Ok(watch) => self.watchers.push(Watcher { watch, prefix, after, is_idle: false }),
            Err(error) => self.expect_compacted(after, &error),
        }
    }

    fn expect_compacted(&self, asked: u64, error: &ReadError) {
        let (asked, oldest) = (Revision(asked), self.store.oldest());
        assert!(asked < oldest);
        assert_eq!(*error, ReadError::Compacted { asked, oldest });
    }

    fn read(&self, prefix: &str, start_after: Option<&str>, limit: usize, back: u64) {
        let at = self.model.newest().saturating_sub(back);
        let query = Query {
            prefix: prefix.to_owned(),
            start_after: start_after.map(str::to_owned),
            limit,
            at: (back > 0).then_some(Revision(at)),
        };
        let page = match self.store.range(&query) {
            Ok(page) => page,
            Err(error) => return self.expect_compacted(at, &error),
        };
        let mut want = self.model.range(at, prefix, start_after);
        let rest = if limit == 0 { vec![] } else { want.split_off(limit.min(want.len())) };
        let got: Vec<_> = page
            .items
            .iter()
            .map(|item| (item.key.to_string(), (item.created.0, item.modified.0, item.value.text.clone())))
            .collect();
        assert_eq!((got, page.remaining, page.revision.0), (want, rest.len(), at));
    }

    /// Every watcher reports exactly what it should, up to now, or that it fell behind.
    fn drain(&mut self) {
        let (model, oldest) = (&self.model, self.store.oldest());
        self.watchers.retain_mut(|watcher| {
            let events = (1..).zip(&model.events).filter(|(revision, _)| *revision > watcher.after);
            for (revision, want) in events.filter(|(_, event)| event.0.starts_with(watcher.prefix)) {
                match watcher.watch.try_next() {
                    Ok(event) => assert_eq!(describe(&event.expect("an event is due")), *want),
                    Err(lagged) => {
                        assert!(lagged.seen < lagged.oldest && lagged.oldest == oldest);
                        // One that had read everything slept until this very event.
                        assert!(!watcher.is_idle || revision <= oldest.0, "{revision} was not lost");
                        return false;
                    }
                }
            }
            match watcher.watch.try_next() {
                Ok(event) => assert!(event.is_none(), "{event:?} is not due"),
                Err(lagged) => {
                    assert!(!watcher.is_idle, "nothing happened that {lagged:?} could be about");
                    return false;
                }
            }
            assert_eq!(watcher.watch.seen().0, model.newest());
            (watcher.after, watcher.is_idle) = (model.newest(), true);
            true
        });
    }

    fn check_everything(&mut self) {
        for back in 0..=self.model.newest() {
            self.read("", None, 0, back);
        }
        for key in KEYS {
            let got = self
                .store
                .get(key)
                .map(|value| (value.created.0, value.modified.0, value.value.text.clone()));
            assert_eq!(got.as_ref(), self.model.state().get(key), "{key}");
        }
        self.drain();
    }
}

fn options() -> Options {
    Options {
        limits: Limits { events: 15, bytes: 1 << 20 },
        keep_age: Duration::ZERO,
        keep_revisions: 5,
        clock: std::sync::Arc::new(|| Duration::from_secs(7)),
        ..Options::default()
    }
}

/// Plays the steps; `path` makes the store durable.
async fn play(steps: Vec<Step>, path: Option<&Path>) {
    let store = match path {
        Some(path) => Store::open_with(path, options()).await.expect("opened"),
        None => Store::in_memory_with(options().limits),
    };
    let model = Model { states: vec![State::new()], events: vec![] };
    let mut run = Run { store, model, watchers: vec![], values: 0 };
    for step in steps {
        match step {
            Step::Commit { guards, writes } => run.commit(guards, writes).await,
            Step::Watch { prefix, back } => run.watch(PREFIXES[prefix], back),
            Step::Read { prefix, start_after, limit, back } => {
                run.read(PREFIXES[prefix], start_after.map(|key| KEYS[key]), limit, back);
            }
            Step::Drain => run.drain(),
            Step::Restart => {
                let Some(path) = path else { continue };
                run.drain();
                run.watchers.clear();
                run.store.clone().close().await;
                run.store = Store::open_with(path, options()).await.expect("opened again");
                // A little history always survives.
                assert!(run.store.oldest().0 <= run.model.newest().saturating_sub(5));
            }
        }
    }
    run.check_everything();
    run.store.close().await;
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn memory_equals_the_model(steps in prop::collection::vec(step(), 0..120)) {
        runtime().block_on(play(steps, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn sqlite_equals_the_model(steps in prop::collection::vec(step(), 0..120)) {
        let directory = tempfile::tempdir().expect("directory");
        runtime().block_on(play(steps, Some(&directory.path().join("store.db"))));
    }
}
