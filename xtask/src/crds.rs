//! `cargo xtask crds`: the CustomResourceDefinitions of the federation as manifests, for API servers that are not ours.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use portolan_object::yaml;

use crate::workspace;

const HEADER: &str = "# Generated from the types in crates/api by `cargo xtask crds`; do not edit.\n";

/// Writes `deploy/crds`, one file per kind.
pub(crate) fn write() -> Result<()> {
    let folder = folder()?;
    fs::create_dir_all(&folder)?;
    let wanted = manifests();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if !wanted.iter().any(|(name, _)| path.ends_with(name)) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for (name, text) in wanted {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("wrote {}", folder.display());
    Ok(())
}

/// Fails when the committed manifests differ from what the types say.
pub(crate) fn check() -> Result<()> {
    let folder = folder()?;
    let stale: Vec<String> = manifests()
        .into_iter()
        .filter(|(name, text)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    if !stale.is_empty() {
        bail!("these files of deploy/crds are stale, run `cargo xtask crds`:\n  {}", stale.join("\n  "));
    }
    Ok(())
}

fn folder() -> Result<PathBuf> {
    Ok(workspace::root()?.join("deploy/crds"))
}

fn manifests() -> Vec<(String, String)> {
    let definitions = portolan_api::crd::all();
    let named = definitions.iter().map(|definition| {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        (format!("{name}.yaml"), format!("{HEADER}{}", yaml::to_string(definition)))
    });
    named.collect()
}
