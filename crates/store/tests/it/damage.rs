//! Damaged files by seeds: each run is refused, reported or without effect. Nothing is lost silently.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-store --test it damage -- --nocapture` is the long form.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portolan_store::{Batch, Options, Query, Store, Write};

use crate::note::Note;
use crate::seeds::{Numbers, seeds};

/// Files of a store, without the lock and without shared memory, which SQLite creates at each start.
const SUFFIXES: [&str; 3] = ["", "-wal", "-newest"];
const SECTOR: usize = 512;
const PAGE: usize = 8192;

/// The files of a store at one instant, and what it held.
#[derive(Clone)]
struct Image {
    files: BTreeMap<&'static str, Vec<u8>>,
    objects: BTreeMap<String, String>,
    revision: u64,
}

fn options() -> Options {
    Options { keep_age: Duration::ZERO, keep_revisions: 40, ..Options::default() }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Image {
    /// The files of a store that is in use, as SIGKILL would leave them, or of a closed one.
    fn take(path: &Path, store: &Store<Note>) -> Self {
        let read = |suffix| fs::read(with_suffix(path, suffix)).ok().map(|bytes| (suffix, bytes));
        let files = SUFFIXES.into_iter().filter_map(read).collect();
        Self { files, objects: objects(store), revision: store.revision().0 }
    }

    fn write(&self, path: &Path) {
        for (suffix, bytes) in &self.files {
            fs::write(with_suffix(path, suffix), bytes).expect("written");
        }
    }

    /// Bytes of a file that mean something: the log is longer than its frames.
    fn used(&self, suffix: &str) -> usize {
        let bytes = &self.files[suffix];
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }
}

fn objects(store: &Store<Note>) -> BTreeMap<String, String> {
    let page = store.range(&Query::default()).expect("readable");
    page.items.iter().map(|item| (item.key.to_string(), item.value.text.clone())).collect()
}

/// Writes, updates and deletes; some values need pages of their own.
async fn write_some(store: &Store<Note>, numbers: &mut Numbers, writes: usize) {
    for number in 0..writes {
        let key = format!("/objects/{:02}", numbers.below(60));
        let write = match store.get(&key) {
            Some(_) if numbers.chance(20) => Write::Delete(key.into()),
            _ => {
                let length = if numbers.chance(5) { 30_000 } else { numbers.below(2_000) };
                Write::Put(key.into(), Note::new(format!("{number} {}", "v".repeat(length))))
            }
        };
        store.commit(Batch { guards: vec![], writes: vec![write] }).await.expect("committed");
    }
}

/// Images of one store in the order in which they were taken: right after a checkpoint, with a short log, later, and closed.
async fn images(seed: u64) -> Vec<Image> {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store.db");
    let numbers = &mut Numbers::new(seed);
    let mut images = Vec::new();
    let store = Store::open_with(&path, options()).await.expect("opened");
    write_some(&store, numbers, 150).await;
    store.close().await;
    let store = Store::open_with(&path, options()).await.expect("opened");
    write_some(&store, numbers, 3).await;
    images.push(Image::take(&path, &store));
    write_some(&store, numbers, 60).await;
    images.push(Image::take(&path, &store));
    write_some(&store, numbers, 120).await;
    images.push(Image::take(&path, &store));
    store.clone().close().await;
    images.push(Image::take(&path, &store));
    images
}

/// Damages the files of an image; returns what was done.
fn damage(image: &mut Image, older: &Image, other: &Image, numbers: &mut Numbers) -> String {
    let present: Vec<&'static str> = image.files.keys().copied().collect();
    let data: Vec<&'static str> = present.iter().copied().filter(|suffix| image.used(suffix) > 0).collect();
    // The small file beside the database gets few of the seeds.
    let suffix = match *numbers.pick(&data) {
        "-newest" if numbers.chance(70) => "",
        suffix => suffix,
    };
    let used = image.used(suffix);
    let bytes = image.files.get_mut(suffix).expect("present");
    // Most of the seeds flip one bit.
    match numbers.below(20) {
        0 => {
            bytes.truncate(numbers.below(used));
            format!("{suffix} cut to {}", bytes.len())
        }
        1 => {
            image.files.remove(suffix);
            format!("{suffix} removed")
        }
        2 => {
            bytes.clear();
            format!("{suffix} emptied")
        }
        kind @ (3 | 4) => {
            let length = if kind == 3 { SECTOR } else { 8 * SECTOR };
            let start = numbers.below(used) / length * length;
            let end = (start + length).min(bytes.len());
            bytes[start..end].fill(0);
            format!("{suffix} zeroed at {start}..{end}")
        }
        5 if older.files.contains_key(suffix) => {
            let page = numbers.below(used) / PAGE * PAGE;
            let (start, end) = (page + PAGE / 2, page + PAGE);
            let old = &older.files[suffix];
            if let (Some(new), Some(old)) = (bytes.get_mut(start..end), old.get(start..end)) {
                new.copy_from_slice(old);
            }
            format!("{suffix} torn at {start}")
        }
        6 => {
            let suffix = *numbers.pick(&SUFFIXES);
            match other.files.get(suffix) {
                Some(bytes) => image.files.insert(suffix, bytes.clone()),
                None => image.files.remove(suffix),
            };
            format!("{suffix} of another store")
        }
        7 => {
            let suffix = *numbers.pick(&["", "-wal"]);
            match older.files.get(suffix) {
                Some(bytes) => image.files.insert(suffix, bytes.clone()),
                None => image.files.remove(suffix),
            };
            format!("{suffix} of an earlier time")
        }
        _ => {
            let bit = numbers.below(used * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("{suffix} bit {bit} flipped")
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Reported,
    NoEffect,
}

/// Opens the damaged files and looks for what was there. Writes, and looks again.
async fn judge(path: &Path, image: &Image, what: &str) -> Outcome {
    let mut outcome = Outcome::NoEffect;
    let mut expected = image.objects.clone();
    for round in 0..2 {
        let store = match Store::<Note>::open_with(path, options()).await {
            Ok(store) => store,
            Err(error) => {
                let text =
                    format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
                assert!(text.contains(&path.display().to_string()), "{what}: {text}");
                assert!(!text.contains("panic"), "{what}: {text}");
                assert_eq!(round, 0, "{what}: opened once and then refused: {text}");
                return Outcome::Refused;
            }
        };
        let found = objects(&store);
        for (key, value) in &expected {
            match found.get(key) {
                Some(found) => assert!(found == value, "{what}: {key} has another value"),
                None => {
                    assert!(store.damaged(key).is_some(), "{what}: {key} is missing in round {round}");
                    outcome = Outcome::Reported;
                }
            }
        }
        for key in found.keys() {
            assert!(expected.contains_key(key), "{what}: {key} did not exist");
        }
        assert!(store.revision().0 >= image.revision, "{what}: revision {}", store.revision());
        let mut watch = store.watch("", store.oldest()).expect("covered");
        let history = std::iter::from_fn(|| watch.try_next().expect("not lagged"));
        let history: Vec<_> = history.map(|event| event.revision.0).collect();
        assert!(history.into_iter().eq(store.oldest().0 + 1..=store.revision().0), "{what}: gaps");
        // Room is taken and freed: pages that only seem to be free would be overwritten.
        for number in 0..8 {
            let key = format!("/new/{round}/{number}");
            let value = format!("{number} {}", "n".repeat(6_000));
            store.commit(Batch::create(key.clone(), Note::new(value.clone()))).await.expect("committed");
            expected.insert(key, value);
        }
        store.close().await;
    }
    outcome
}

#[tokio::test]
async fn damage_is_refused_or_reported() {
    let stores = [images(1).await, images(2).await];
    let directory = tempfile::tempdir().expect("directory");
    let mut outcomes = BTreeMap::<Outcome, u32>::new();
    for seed in seeds(60) {
        let numbers = &mut Numbers::new(seed);
        let own = numbers.below(stores.len());
        let (images, other) = (&stores[own], &stores[1 - own]);
        let at = numbers.below(images.len());
        let mut damaged = images[at].clone();
        let older = &images[if at == 0 { 0 } else { numbers.below(at) }];
        let what = damage(&mut damaged, older, &other[at], numbers);
        let what = format!("seed {seed}: image {at} of store {own}, {what}");
        let path = directory.path().join(seed.to_string()).join("store.db");
        fs::create_dir(path.parent().expect("a directory")).expect("made");
        damaged.write(&path);
        let outcome = judge(&path, &damaged, &what).await;
        *outcomes.entry(outcome).or_default() += 1;
        fs::remove_dir_all(path.parent().expect("a directory")).expect("removed");
    }
    println!("damaged stores: {outcomes:?}, lost silently 0, panics 0");
}
