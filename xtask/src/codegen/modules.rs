//! Finds the Kubernetes sources in the Go module cache, at the versions that `tools/go.mod` pins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The modules that the tables are made from.
const MODULES: [&str; 5] = [
    "k8s.io/kubernetes",
    "k8s.io/api",
    "k8s.io/apimachinery",
    "k8s.io/apiextensions-apiserver",
    "k8s.io/kube-aggregator",
];

/// Where each module lies, by module path.
#[derive(Debug, Clone)]
pub(super) struct Modules {
    folders: BTreeMap<String, PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    path: String,
    dir: PathBuf,
}

impl Modules {
    /// Asks Go for the modules; it downloads what the cache lacks.
    pub(super) fn locate(tools: &Path) -> Result<Self> {
        let output = Command::new("go")
            .args(["mod", "download", "-json"])
            .args(MODULES)
            .current_dir(tools)
            .output()
            .context("run go")?;
        ensure!(output.status.success(), "go mod download: {}", String::from_utf8_lossy(&output.stderr));
        let mut folders = BTreeMap::new();
        for module in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Downloaded>() {
            let Downloaded { path, dir } = module?;
            folders.insert(path, dir);
        }
        Ok(Self { folders })
    }

    /// The folder of a package or file given by its import path, such as `k8s.io/api/core/v1`.
    pub(super) fn resolve(&self, import_path: &str) -> Option<PathBuf> {
        self.folders.iter().find_map(|(module, folder)| {
            let inside = import_path.strip_prefix(module.as_str())?;
            match inside.strip_prefix('/') {
                Some(inside) => Some(folder.join(inside)),
                None if inside.is_empty() => Some(folder.clone()),
                None => None,
            }
        })
    }
}
