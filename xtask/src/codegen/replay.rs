//! Replays upstream's own round-trip samples through `portolan_object::proto`.
//!
//! The API module carries, for every kind, one object with all fields set, as protobuf and as JSON. Decoding the
//! one must give the other; that proves the table and the decoder together.

use std::fs;

use anyhow::{Context, Result, ensure};
use portolan_object::proto;
use serde_json::Value;

use super::modules::Modules;
use super::openapi::ServedKind;

/// Compares all samples; answers how many there were.
pub(super) fn replay(modules: &Modules, kinds: &[ServedKind]) -> Result<usize> {
    let folder = modules.resolve("k8s.io/api/testdata/HEAD").context("no samples")?;
    let mut replayed = 0;
    for kind in kinds {
        let (group, version) = kind.group_version.split_once('/').unwrap_or(("core", &kind.group_version));
        let sample = |extension| folder.join(format!("{group}.{version}.{}.{extension}", kind.kind));
        let Ok(body) = fs::read(sample("pb")) else { continue };
        let json = fs::read(sample("json"))?;
        let want = without_nulls(serde_json::from_slice(&json)?);
        let found = without_nulls(proto::decode(&body).with_context(|| format!("{kind:?}"))?);
        ensure!(found == want, "{kind:?} differs: {}", difference(&found, &want, ""));
        replayed += 1;
    }
    ensure!(replayed > 50, "only {replayed} samples were found");
    Ok(replayed)
}

/// The decoder leaves out fields that Go prints as `null`.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// The first place where two values differ.
fn difference(found: &Value, want: &Value, path: &str) -> String {
    if let (Value::Object(found), Value::Object(want)) = (found, want) {
        let names = found.keys().chain(want.keys());
        for name in names {
            let (found, want) =
                (found.get(name).unwrap_or(&Value::Null), want.get(name).unwrap_or(&Value::Null));
            if found != want {
                return difference(found, want, &format!("{path}.{name}"));
            }
        }
    }
    if let (Value::Array(found), Value::Array(want)) = (found, want)
        && found.len() == want.len()
    {
        let mut pairs = found.iter().zip(want).enumerate();
        if let Some((index, (found, want))) = pairs.find(|(_, (found, want))| found != want) {
            return difference(found, want, &format!("{path}[{index}]"));
        }
    }
    format!("{path} is {found}, expected {want}")
}
