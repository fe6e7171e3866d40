//! `cargo xtask codegen`: makes the committed tables of built-in kinds under `crates/object/data`.
//!
//! Inputs are the Kubernetes modules that `tools/go.mod` pins, so the result is a function of the repository.
//! With `--check` nothing is written; stale files are an error, and so is an upstream sample that decodes wrongly.

mod go_source;
mod modules;
mod openapi;
mod protobuf;
mod replay;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use go_source::Package;
use modules::Modules;
use openapi::{Documents, ServedKind};
use protobuf::Messages;
use tables::Sources;

/// Packages outside the served groups that their types refer to.
const SHARED_PACKAGES: [&str; 5] = [
    "k8s.io/apimachinery/pkg/apis/meta/v1",
    "k8s.io/apimachinery/pkg/types",
    "k8s.io/apimachinery/pkg/runtime",
    "k8s.io/apimachinery/pkg/api/resource",
    "k8s.io/apimachinery/pkg/util/intstr",
];

/// Whether to write the tables or to compare them with what is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// Makes all tables.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<()> {
    let modules = Modules::locate(&root.join("tools"))?;
    let files = generate(&modules)?;
    let folder = root.join("crates/object/data");
    match mode {
        Mode::Write => write(&folder, &files),
        Mode::Check => {
            check(&folder, &files)?;
            let replayed = replay::replay(&modules, &kinds(&Documents::read(&modules)?))?;
            println!("tables are fresh; {replayed} upstream samples decode");
            Ok(())
        }
    }
}

/// File contents by path below the data folder.
fn generate(modules: &Modules) -> Result<BTreeMap<String, Vec<u8>>> {
    let documents = Documents::read(modules)?;
    let kinds = kinds(&documents);
    let packages = packages(modules, &kinds)?;
    let messages = Messages::compile(modules, packages.keys().map(String::as_str))?;
    let schemas = documents.schemas();
    let sources = Sources { packages: &packages, messages: &messages, schemas: &schemas };
    let mut files = BTreeMap::new();
    files.insert("kinds.txt".to_owned(), tables::table(&sources, &kinds)?.into_bytes());
    for (group_version, document) in documents.pruned() {
        let name = format!("openapi/{}.json.gz", group_version.replace('/', "_"));
        files.insert(name, compress(&serde_json::to_vec(&document)?)?);
    }
    Ok(files)
}

/// The served kinds, and those of apimachinery, which bodies carry with any group version.
fn kinds(documents: &Documents) -> Vec<ServedKind> {
    let shared = ["DeleteOptions", "PartialObjectMetadata", "Status"].map(|kind| ServedKind {
        group_version: "*".to_owned(),
        kind: kind.to_owned(),
        model: format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}"),
    });
    documents.kinds().into_iter().chain(shared).collect()
}

fn packages(modules: &Modules, kinds: &[ServedKind]) -> Result<BTreeMap<String, Package>> {
    let of_kinds =
        kinds.iter().map(|kind| tables::package_of(&kind.model)).collect::<Result<BTreeSet<_>>>()?;
    let shared = SHARED_PACKAGES.iter().map(|path| (*path).to_owned());
    let mut packages = BTreeMap::new();
    for path in of_kinds.into_iter().chain(shared) {
        let folder = modules.resolve(&path).with_context(|| format!("no module holds {path}"))?;
        packages.insert(path.clone(), Package::read(&path, &folder)?);
    }
    Ok(packages)
}

/// Gzip without a time stamp, so that equal input gives equal bytes.
fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().context("files lie below the data folder")?)?;
        fs::write(&path, bytes)?;
    }
    Ok(())
}

fn check(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut stale = Vec::new();
    for (name, bytes) in files {
        let is_same =
            fs::read(folder.join(name)).is_ok_and(|committed| has_equal_content(name, &committed, bytes));
        if !is_same {
            stale.push(name.as_str());
        }
    }
    if !stale.is_empty() {
        bail!("stale, run `cargo xtask codegen`: {}", stale.join(", "));
    }
    Ok(())
}

/// Compares two files; compressed ones by their content, because the bytes depend on the implementation of deflate.
fn has_equal_content(name: &str, committed: &[u8], made: &[u8]) -> bool {
    if !name.ends_with(".gz") {
        return committed == made;
    }
    let read = |bytes| {
        let mut content = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut content).map(|_| content)
    };
    matches!((read(committed), read(made)), (Ok(one), Ok(other)) if one == other)
}
