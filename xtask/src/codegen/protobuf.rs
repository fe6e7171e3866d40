//! Compiles the published `generated.proto` files and looks up the content of fields.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::modules::Modules;

/// All messages by full name, such as `.k8s.io.api.core.v1.Pod`.
#[derive(Debug)]
pub(super) struct Messages {
    by_name: BTreeMap<String, DescriptorProto>,
}

/// Encoding of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    Int32,
    Int64,
    Double,
    String,
    Bytes,
    Message,
}

/// Cardinality of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    Single,
    List,
    Map,
}

struct ModuleFiles(Modules);

impl FileResolver for ModuleFiles {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.resolve(name) {
            Some(path) => File::open(name, &path),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

impl Messages {
    /// Compiles the proto files of the packages that have one, with all they import.
    pub(super) fn compile<'a>(modules: &Modules, packages: impl Iterator<Item = &'a str>) -> Result<Self> {
        let files: Vec<String> = packages
            .map(|package| format!("{package}/generated.proto"))
            .filter(|file| modules.resolve(file).is_some_and(|path| path.exists()))
            .collect();
        let mut resolver = ChainFileResolver::new();
        resolver.add(GoogleFileResolver::new());
        resolver.add(ModuleFiles(modules.clone()));
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        compiler.open_files(&files).context("compile generated.proto files")?;
        let mut by_name = BTreeMap::new();
        for file in compiler.file_descriptor_set().file {
            let package = file.package().to_owned();
            for message in file.message_type {
                by_name.insert(format!(".{package}.{}", message.name()), message);
            }
        }
        Ok(Self { by_name })
    }

    /// The message of a Go type.
    pub(super) fn get(&self, import_path: &str, name: &str) -> Option<&DescriptorProto> {
        let package = import_path.replace('/', ".").replace('-', "_");
        self.by_name.get(&format!(".{package}.{name}"))
    }

    /// The content of a field.
    pub(super) fn wire(&self, field: &FieldDescriptorProto) -> Result<(Cardinality, Wire)> {
        if let Some(entry) = self.map_entry(field) {
            let value =
                entry.field.iter().find(|field| field.number() == 2).context("map entry without value")?;
            return Ok((Cardinality::Map, scalar(value)?));
        }
        let cardinality = match field.label() {
            Label::Repeated => Cardinality::List,
            Label::Optional | Label::Required => Cardinality::Single,
        };
        Ok((cardinality, scalar(field)?))
    }

    fn map_entry(&self, field: &FieldDescriptorProto) -> Option<&DescriptorProto> {
        let (owner, entry) = field.type_name().rsplit_once('.')?;
        let entry = self.by_name.get(owner)?.nested_type.iter().find(|nested| nested.name() == entry)?;
        entry.options.as_ref().is_some_and(|options| options.map_entry()).then_some(entry)
    }
}

fn scalar(field: &FieldDescriptorProto) -> Result<Wire> {
    Ok(match field.r#type() {
        Type::Bool => Wire::Bool,
        Type::Int32 => Wire::Int32,
        Type::Int64 => Wire::Int64,
        Type::Double => Wire::Double,
        Type::String => Wire::String,
        Type::Bytes => Wire::Bytes,
        Type::Message => Wire::Message,
        other => anyhow::bail!("{}: {other:?} is not used by Kubernetes", field.name()),
    })
}
