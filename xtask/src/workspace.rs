//! Where the workspace is, and which of its crates depend on which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand};

/// The folder of the root manifest.
pub(crate) fn root() -> Result<PathBuf> {
    Ok(metadata()?.workspace_root.into_std_path_buf())
}

/// The folder that Cargo builds into.
pub(crate) fn target_directory() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.into_std_path_buf())
}

/// For each crate of the workspace, the names of its normal dependencies, ours and others'.
pub(crate) fn dependencies() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let metadata = metadata()?;
    let crates = metadata.workspace_packages().into_iter().map(|package| {
        let normal =
            package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        (package.name.to_string(), normal.map(|dependency| dependency.name.clone()).collect())
    });
    Ok(crates.collect())
}

fn metadata() -> Result<Metadata> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .features(CargoOpt::AllFeatures)
        .exec()
        .context("cannot read the workspace's metadata")
}
