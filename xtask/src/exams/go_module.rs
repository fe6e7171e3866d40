//! Files of a Go module that a pin names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::printed;

/// The folder in Go's module cache with the module of `path` that the module in `pins` requires.
pub(super) fn folder(pins: &Path, path: &str) -> Result<PathBuf> {
    go(pins, &["mod", "download", path])?;
    let found = go(pins, &["list", "-m", "-f", "{{.Dir}}", path])?;
    let found = PathBuf::from(found.trim());
    if !found.is_dir() {
        bail!("go has no folder of {path}: see `go list -m` in {}", pins.display());
    }
    Ok(found)
}

fn go(folder: &Path, arguments: &[&str]) -> Result<String> {
    printed(Command::new("go").current_dir(folder).args(arguments))
}

/// Copies a folder; the copies can be written, unlike the files of the cache.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {:?}", entry.path()))?;
            fs::write(&target, bytes).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}
