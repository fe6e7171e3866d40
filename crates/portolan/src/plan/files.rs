//! Manifests from files, folders and standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use portolan_object::{Object, yaml};
use serde_json::Value;

/// Bytes of one file, at most.
const MAX_BYTES: u64 = 64 << 20;
/// Files, at most.
const MAX_FILES: usize = 10_000;

/// Reads all manifests, in the order of the arguments; files of a folder by name. Lists are taken apart.
pub(crate) fn read(sources: &[String], recursive: bool) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for source in sources {
        if source == "-" {
            let mut text = String::new();
            std::io::stdin()
                .take(MAX_BYTES)
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
            objects.extend(parse(&text, "standard input")?);
            continue;
        }
        let mut files = Vec::new();
        find(Path::new(source), recursive, true, &mut files)?;
        for file in files {
            let name = file.display().to_string();
            let length = std::fs::metadata(&file).with_context(|| format!("cannot read {name}"))?.len();
            if length > MAX_BYTES {
                bail!("{name} has {length} bytes, more than {MAX_BYTES}");
            }
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
            objects.extend(parse(&text, &name)?);
        }
    }
    Ok(objects)
}

/// The file, or the manifests in a folder.
fn find(path: &Path, recursive: bool, is_asked: bool, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = path.display();
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
    if !metadata.is_dir() {
        let is_manifest =
            path.extension().is_some_and(|one| ["yaml", "yml", "json"].iter().any(|known| one == *known));
        if is_asked || is_manifest {
            files.push(path.to_owned());
        }
        if files.len() > MAX_FILES {
            bail!("more than {MAX_FILES} files");
        }
        return Ok(());
    }
    if !is_asked && !recursive {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {name}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {name}"))?;
        // Links to folders are not followed, so that the search ends.
        if !(entry.file_type().is_ok_and(|kind| kind.is_symlink()) && entry.path().is_dir()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.iter().try_for_each(|path| find(path, recursive, false, files))
}

fn parse(text: &str, name: &str) -> Result<Vec<Object>> {
    let documents = yaml::parse_documents(text).with_context(|| format!("{name} is not YAML"))?;
    let mut objects = Vec::new();
    for document in documents {
        let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match document.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => objects.extend(items.iter().cloned().map(Object)),
            None => objects.push(Object(document)),
        }
    }
    for object in &objects {
        if object.kind().is_empty() || object.api_version().is_empty() || object.name().is_empty() {
            bail!("{name} has a document without apiVersion, kind or metadata.name");
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_by_name_and_lists_are_taken_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\n");
        let list =
            "apiVersion: v1\nkind: List\nitems:\n- { apiVersion: v1, kind: Secret, metadata: { name: c } }\n";
        std::fs::create_dir(folder.path().join("below")).expect("a folder");
        for (name, text) in [
            ("2.yaml", map("b")),
            ("1.yml", map("a")),
            ("x.txt", "no".to_owned()),
            ("below/3.json", list.to_owned()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let source = [folder.path().display().to_string()];
        let names = |recursive| -> Vec<String> {
            read(&source, recursive)
                .expect("readable")
                .iter()
                .map(|object| object.name().to_owned())
                .collect()
        };
        assert_eq!(names(false), ["a", "b"]);
        assert_eq!(names(true), ["a", "b", "c"]);
        assert!(parse("a: 1", "x").is_err());
    }
}
