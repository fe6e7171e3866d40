//! Every target on its seeds and on a bounded number of their mutations.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portolan_fuzz::{TARGETS, Target};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Mutations of each target, unless the time ends first.
const MUTATIONS: u32 = 20_000;
/// Time for the mutations of one target.
const MAX_TARGET_TIME: Duration = Duration::from_secs(2);
/// Time that one input may take, in a debug build on a busy machine. Ordinary inputs take microseconds.
const MAX_INPUT_TIME: Duration = Duration::from_secs(10);

/// Pieces that the parsers treat specially, inserted by mutations.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"\"",
    b"'",
    b"\\",
    b"/",
    b"~1",
    b"~0",
    b"-",
    b"*",
    b"&a ",
    b"*a",
    b"..",
    b"@",
    b"?",
    b"!",
    b"==",
    b" notin ",
    b" in (",
    b"k8s\0",
    b"\x80\x03",
    b"&",
    b"=",
    b"%",
    b",",
    b"$patch",
    b"$deleteFromPrimitiveList/",
    b"f:",
    b"k:{",
    b"v:",
    b".",
    b"9999999999999999999",
    b"1e999",
    b"\n",
    b"---\n",
    b"\t",
    b"\xc0\x0c",
    b"\x00\x00\x29",
];

#[test]
fn every_target_has_a_folder_of_seeds_and_every_folder_a_target() {
    let folders: Vec<String> = fs::read_dir(seeds_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for target in TARGETS {
        assert!(folders.iter().any(|folder| folder == target.name), "seeds/{} is missing", target.name);
        assert!(seeds(target).len() >= 2, "seeds/{} needs a valid and a broken input", target.name);
    }
    assert_eq!(folders.len(), TARGETS.len(), "folders in seeds/: {folders:?}");
}

#[test]
fn every_seed_and_every_mutation_returns() {
    for target in TARGETS {
        let seeds = seeds(target);
        for (path, seed) in &seeds {
            run(target, seed, || path.display().to_string());
        }
        let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let deadline = Instant::now() + MAX_TARGET_TIME;
        for _ in 0..MUTATIONS {
            if Instant::now() > deadline {
                break;
            }
            let (_, seed) = &seeds[random.random_range(0..seeds.len())];
            let input = mutate(seed, &mut random);
            run(target, &input, || format!("input {:?}", input.escape_ascii().to_string()));
        }
    }
}

fn run(target: &Target, input: &[u8], name: impl Fn() -> String) {
    let started = Instant::now();
    let outcome = std::panic::catch_unwind(|| (target.run)(input));
    assert!(outcome.is_ok(), "target {} panics on {}", target.name, name());
    let took = started.elapsed();
    assert!(took < MAX_INPUT_TIME, "target {} takes {took:?} on {}", target.name, name());
}

/// One to eight changes: a flipped bit, a removed range, a repeated range, an inserted token, a cut end.
fn mutate(seed: &[u8], random: &mut TestRng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..random.random_range(1..=8) {
        let position = random.random_range(0..=input.len());
        match random.random_range(0..5) {
            0 if position < input.len() => input[position] ^= 1 << random.random_range(0..8),
            1 => {
                let end = (position + random.random_range(0..16)).min(input.len());
                input.drain(position..end);
            }
            2 if input.len() < 4096 => {
                let end = (position + random.random_range(0..64)).min(input.len());
                let range = input[position..end].to_vec();
                input.splice(position..position, range);
            }
            3 => {
                let token = TOKENS[random.random_range(0..TOKENS.len())];
                input.splice(position..position, token.iter().copied());
            }
            4 => input.truncate(position),
            _ => {}
        }
    }
    input
}

fn seeds_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = seeds_folder().join(target.name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let seed = fs::read(&path).expect("a seed can be read");
        (path, seed)
    };
    files.into_iter().map(read).collect()
}
