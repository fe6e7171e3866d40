//! Files of the store with flipped bits, cut, emptied or removed.
//!
//! A damaged state is refused at the start, or every missing object is reported. What is neither is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use http::Method;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::Setting;
use crate::client::Client;
use crate::server::{Server, Start, change_file, copy_state};
use crate::tally::Tally;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const OBJECTS: usize = 300;
/// Words of a log line that reports damage.
const REPORT: [&str; 3] = ["damaged", "corrupt", "malformed"];

/// A change of one file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    FlippedBit,
    ZeroedSector,
    Cut,
    Emptied,
    Removed,
}

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let origin = tempfile::tempdir()?;
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    // Killed: the newest writes are in the log. Ended in order: all are in the database.
    let (killed, ended) = (origin.path().join("killed"), origin.path().join("ended"));
    let expected = write_objects(setting, &killed, false).await?;
    write_objects(setting, &ended, true).await?;
    while Instant::now() < deadline {
        let base = if random.random_bool(0.5) { &killed } else { &ended };
        let round = tempfile::tempdir()?;
        copy_state(&base.join("state"), &round.path().join("state"))?;
        let Some((damage, file)) = damage(&round.path().join("state"), &mut random)? else { continue };
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        judge(setting, round.path(), &format!("{damage:?} of {name}"), &expected, &mut tally).await?;
    }
    Ok(tally)
}

/// Makes a state with objects, and returns their names.
async fn write_objects(setting: &Setting, folder: &Path, in_order: bool) -> Result<BTreeSet<String>> {
    let mut server = Server::start(&setting.portolan, folder)?;
    let client = server.client()?;
    let mut names = BTreeSet::new();
    for number in 0..OBJECTS {
        let name = format!("object{number}");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"text": "x".repeat(number * 7 % 900)}});
        let answer = client.create(CONFIG_MAPS, &object).await?;
        anyhow::ensure!(answer.status == 201, "{}", answer.message());
        names.insert(name);
    }
    if in_order {
        server.terminate()?.context("the server does not end")?;
    } else {
        server.kill()?;
    }
    Ok(names)
}

/// Damages a random file that belongs to the store.
fn damage(state: &Path, random: &mut StdRng) -> Result<Option<(Damage, PathBuf)>> {
    let files = files_of_store(state)?;
    anyhow::ensure!(!files.is_empty(), "{} has no store", state.display());
    let file = files[random.random_range(0..files.len())].clone();
    let length = usize::try_from(fs::metadata(&file)?.len())?;
    if length == 0 {
        return Ok(None);
    }
    let at = random.random_range(0..length);
    let damage = match random.random_range(0..10) {
        0 => Damage::ZeroedSector,
        1 => Damage::Cut,
        2 => Damage::Emptied,
        3 => Damage::Removed,
        _ => Damage::FlippedBit,
    };
    match damage {
        Damage::FlippedBit => {
            let bit = random.random_range(0..8);
            change_file(&file, |bytes| bytes[at] ^= 1 << bit)?;
        }
        Damage::ZeroedSector => {
            let start = at / 512 * 512;
            change_file(&file, |bytes| bytes[start..(start + 512).min(length)].fill(0))?;
        }
        Damage::Cut => change_file(&file, |bytes| bytes.truncate(at))?,
        Damage::Emptied => change_file(&file, Vec::clear)?,
        Damage::Removed => fs::remove_file(&file)?,
    }
    Ok(Some((damage, file)))
}

/// The files of the store, in the state directory or one below. Without shared memory: SQLite creates it at each start.
fn files_of_store(state: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files_of_store(&path)?);
        } else if name.starts_with("store") && !name.ends_with("-shm") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

async fn judge(
    setting: &Setting,
    folder: &Path,
    what: &str,
    expected: &BTreeSet<String>,
    tally: &mut Tally,
) -> Result<()> {
    let server = match Server::try_start(&setting.portolan, folder)? {
        Start::Refused(_) => {
            tally.refused();
            return Ok(());
        }
        Start::Broken(text) => {
            tally.succeeded(format!("{what}: {text}"));
            return Ok(());
        }
        Start::Serving(server) => server,
    };
    let found = match names(&server.client()?).await {
        Ok(found) => found,
        Err(error) => {
            tally.succeeded(format!("{what}: the list cannot be read: {error:#}"));
            return Ok(());
        }
    };
    let missing = expected.difference(&found).count() as u64;
    let log = server.log();
    let is_reported = REPORT.iter().any(|word| log.contains(word));
    match (missing, is_reported) {
        (0, _) => tally.harmless(),
        (_, true) => tally.refused(),
        (_, false) => {
            tally.succeeded(format!("{what}: {missing} objects are gone without a report"));
            tally.lost(missing, what.to_owned());
        }
    }
    Ok(())
}

async fn names(client: &Client) -> Result<BTreeSet<String>> {
    let list = client.request(&Method::GET, CONFIG_MAPS).await?.json()?;
    let items = list["items"].as_array().context("no items")?;
    Ok(items.iter().filter_map(|item| Some(item["metadata"]["name"].as_str()?.to_owned())).collect())
}
