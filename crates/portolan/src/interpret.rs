//! `portolan interpret`: checks and tries customised interpreters before they are applied to a control plane.
//!
//! Works on files only. The output is that of `karmadactl interpret`.

mod arguments;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use portolan_api::config::{InterpreterOperation, ResourceInterpreterCustomization};
use portolan_api::work::AggregatedStatusItem;
use portolan_lua::{self as lua, Limits};
use portolan_object::{Object, yaml};
use serde_json::{Value, json};

pub(crate) use arguments::Interpret;

/// Checks or executes.
pub(crate) fn run(arguments: &Interpret) -> Result<()> {
    if arguments.edit {
        bail!(
            "--edit is not built: edit the file, and try it with --operation; a customization in a control plane is \
             edited with `kubectl edit resourceinterpretercustomization NAME`"
        );
    }
    let documents = read_all(&arguments.filenames)?;
    let mut out = std::io::stdout().lock();
    if arguments.check {
        return check(&mut out, &documents);
    }
    let Some(operation) = arguments.operation else {
        bail!("operation is not set for executing: use --operation, or --check to check the scripts only");
    };
    let results =
        execute(operation, &documents, arguments).with_context(|| format!("Execute {} error", operation))?;
    let count = results.len();
    for (index, (name, value)) in results.iter().enumerate() {
        writeln!(out, "---\n# [{}/{count}] {name}:", index + 1)?;
        write!(out, "{}", yaml::to_string(value))?;
    }
    Ok(())
}

/// A document of a file.
struct Document {
    source: String,
    content: Value,
}

/// The documents of files and folders; `-` is standard input.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut files: Vec<PathBuf> = std::fs::read_dir(path)
                .with_context(|| format!("cannot read {}", path.display()))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|file| {
                    file.extension()
                        .is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|one| kind == *one))
                })
                .collect();
            files.sort();
            for file in files {
                read(&file, &mut documents)?;
            }
        } else {
            read(path, &mut documents)?;
        }
    }
    if documents.is_empty() {
        bail!("no customization in the files of -f");
    }
    Ok(documents)
}

fn read(path: &Path, documents: &mut Vec<Document>) -> Result<()> {
    let source = path.display().to_string();
    if source.starts_with("http://") || source.starts_with("https://") {
        bail!("{source}: URLs are not read; download the file, or pipe it to `-f -`");
    }
    let text = if source == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {source}"))?
    };
    let found = yaml::parse_documents(&text).with_context(|| format!("{source} is not YAML"))?;
    documents.extend(found.into_iter().map(|content| Document { source: source.clone(), content }));
    Ok(())
}

fn customization(document: &Document) -> Result<ResourceInterpreterCustomization> {
    let kind = Object(document.content.clone()).group_version_kind();
    serde_json::from_value(document.content.clone())
        .map_err(|error| anyhow!("not a ResourceInterpreterCustomization, got {kind}: {error}"))
}

/// Prints the verdict on every script; fails if one does not compile.
fn check(out: &mut impl Write, documents: &[Document]) -> Result<()> {
    let mut is_faulty = false;
    for document in documents {
        let name = document.content["metadata"]["name"].as_str().unwrap_or(&document.source);
        writeln!(out, "-----------------------------------\nSOURCE: {name}")?;
        let customization = match customization(document) {
            Ok(customization) => customization,
            Err(error) => {
                is_faulty = true;
                writeln!(out, "{error}")?;
                continue;
            }
        };
        let target = &customization.spec.target;
        if let Some((field, _)) = [("kind", &target.kind), ("apiVersion", &target.api_version)]
            .iter()
            .find(|(_, value)| value.is_empty())
        {
            is_faulty = true;
            writeln!(out, "target.{field} no set")?;
            continue;
        }
        writeln!(out, "TARGET: {} {}", target.api_version, target.kind)?;
        writeln!(out, "RULERS:")?;
        for operation in InterpreterOperation::ALL {
            let verdict = match customization.spec.customizations.script(operation).map(lua::check) {
                None => "UNSET".to_owned(),
                Some(Ok(())) => "PASS".to_owned(),
                Some(Err(error)) => {
                    is_faulty = true;
                    format!("ERROR: {error}")
                }
            };
            writeln!(out, "    {:<22}{verdict}", format!("{operation}:"))?;
        }
    }
    if is_faulty { Err(anyhow!("some customizations are faulty; see above")) } else { Ok(()) }
}

/// Runs one operation, and returns its results by name.
fn execute(
    operation: InterpreterOperation,
    documents: &[Document],
    arguments: &Interpret,
) -> Result<Vec<(&'static str, Value)>> {
    let object = |path: &Option<PathBuf>, flag: &str| -> Result<Object> {
        let path = path.as_ref().ok_or_else(|| anyhow!("{flag} is needed for this operation"))?;
        one_object(path)
    };
    let desired = || object(&arguments.desired_file, "--desired-file");
    let observed = || object(&arguments.observed_file, "--observed-file");
    // Operations on a template take it from either flag, as karmadactl does.
    let any = || {
        if arguments.desired_file.is_some() {
            desired()
        } else {
            object(&arguments.observed_file, "--desired-file or --observed-file")
        }
    };
    let subject = if operation == InterpreterOperation::Retain { desired()? } else { any()? };
    let script = script(operation, documents, &subject)?;
    let limits = Limits::default();
    Ok(match operation {
        InterpreterOperation::Retain => {
            vec![("retained", lua::retain(&script, &subject, &observed()?, limits)?.0)]
        }
        InterpreterOperation::InterpretReplica => {
            let (count, requirements) = lua::replicas(&script, &subject, limits)?;
            vec![("replica", json!(count)), ("requires", json!(requirements))]
        }
        InterpreterOperation::InterpretComponent => {
            vec![("components", json!(lua::components(&script, &subject, limits)?))]
        }
        InterpreterOperation::ReviseReplica => {
            vec![("revised", lua::revise(&script, &subject, arguments.desired_replica, limits)?.0)]
        }
        InterpreterOperation::InterpretStatus => vec![("status", lua::reflect(&script, &subject, limits)?)],
        InterpreterOperation::AggregateStatus => {
            let items = arguments.status_file.as_deref().map(status_items).transpose()?.unwrap_or_default();
            let mut aggregated = subject.clone();
            aggregated.0["status"] = lua::aggregate(&script, &subject, &items, limits)?;
            vec![("aggregatedStatus", aggregated.0)]
        }
        InterpreterOperation::InterpretHealth => {
            vec![("healthy", json!(lua::health(&script, &subject, limits)?))]
        }
        InterpreterOperation::InterpretDependency => {
            vec![("dependencies", json!(lua::dependencies(&script, &subject, limits)?))]
        }
    })
}

/// The script of an operation on the kind of an object.
fn script(operation: InterpreterOperation, documents: &[Document], object: &Object) -> Result<String> {
    let kind = object.group_version_kind();
    for document in documents {
        let customization = customization(document)?;
        let target = &customization.spec.target;
        if target.api_version == object.api_version()
            && target.kind == object.kind()
            && let Some(script) = customization.spec.customizations.script(operation)
        {
            return Ok(script.to_owned());
        }
    }
    bail!("rule is not enabled: no customization in -f has a script for {operation} of {kind}")
}

fn one_object(path: &Path) -> Result<Object> {
    let mut documents = Vec::new();
    read(path, &mut documents)?;
    match documents.len() {
        1 => Ok(Object(documents.remove(0).content)),
        count => bail!("{} has {count} objects, expected one", path.display()),
    }
}

/// The items of a status file: one document each, or a list.
fn status_items(path: &Path) -> Result<Vec<AggregatedStatusItem>> {
    let mut documents = Vec::new();
    read(path, &mut documents)?;
    let items = documents.into_iter().flat_map(|document| match document.content {
        Value::Array(items) => items,
        other => vec![other],
    });
    let read =
        |item| serde_json::from_value(item).with_context(|| format!("{} has no status item", path.display()));
    items.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(scripts: Value) -> Document {
        let content = json!({"apiVersion": "config.karmada.io/v1alpha1", "kind": "ResourceInterpreterCustomization",
            "metadata": {"name": "widgets"},
            "spec": {"target": {"apiVersion": "example.io/v1", "kind": "Widget"}, "customizations": scripts}});
        Document { source: "file.yaml".to_owned(), content }
    }

    #[test]
    fn a_check_prints_a_verdict_on_every_script() {
        let documents = [document(json!({"retention": {"luaScript": "function Retain() end"},
                                         "replicaRevision": {"luaScript": "function ("}}))];
        let mut out = Vec::new();
        assert!(check(&mut out, &documents).is_err());
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..5],
            ["SOURCE: widgets", "TARGET: example.io/v1 Widget", "RULERS:", "    Retain:               PASS"]
        );
        assert_eq!(lines[5], "    InterpretReplica:     UNSET");
        assert!(
            lines[7].starts_with("    ReviseReplica:        ERROR: the script does not compile"),
            "{text}"
        );
    }

    #[test]
    fn only_a_script_for_the_kind_runs() {
        let documents = [document(json!({"retention": {"luaScript": "x"}}))];
        let object = |kind: &str| Object(json!({"apiVersion": "example.io/v1", "kind": kind}));
        assert_eq!(script(InterpreterOperation::Retain, &documents, &object("Widget")).unwrap(), "x");
        for (operation, kind) in
            [(InterpreterOperation::Retain, "Gadget"), (InterpreterOperation::InterpretHealth, "Widget")]
        {
            let error = script(operation, &documents, &object(kind)).unwrap_err().to_string();
            assert!(error.contains("rule is not enabled"), "{error}");
        }
    }
}
