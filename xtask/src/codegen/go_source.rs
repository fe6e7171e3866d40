//! Reads the struct declarations of the Kubernetes API packages.
//!
//! Neither OpenAPI nor the protobuf files say which fields are pointers, what `omitempty` drops, which structs
//! are inlined and what Go calls a type; only the Go sources do. This reads the small, regular part of Go in
//! which the API types are written, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The declarations of one package.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// The name in its package clause, which Go prints in type names.
    pub(super) name: String,
    /// Declared types by name.
    pub(super) types: BTreeMap<String, Declaration>,
}

/// What a type name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Declaration {
    /// A struct with its fields in source order.
    Struct(Vec<Field>),
    /// Any other type.
    Named(Type),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) go_name: String,
    pub(super) json: Json,
    /// `omitempty` or `omitzero`.
    pub(super) omits_empty: bool,
    /// `omitzero`, which also drops empty structs.
    pub(super) omits_zero: bool,
    /// Number in the protobuf message; `None` when the field does not travel in protobuf.
    pub(super) number: Option<i32>,
    pub(super) kind: Type,
}

/// How a field appears in JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Name(String),
    /// The fields of the struct stand in the outer object.
    Inline,
}

/// A type expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Pointer(Box<Type>),
    List(Box<Type>),
    /// Key and value.
    Map(Box<Type>, Box<Type>),
    /// A declared type: import path (empty for built-in types) and name.
    Named(String, String),
}

impl Package {
    /// Reads all sources of a package but its tests and generated methods.
    pub(super) fn read(import_path: &str, folder: &Path) -> Result<Self> {
        let mut package = Self::default();
        let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_source = name.ends_with(".go")
                && !name.ends_with("_test.go")
                && !name.starts_with("zz_generated")
                && !name.ends_with(".pb.go");
            if is_source {
                let text = fs::read_to_string(&path)?;
                package.add_file(import_path, &text).with_context(|| path.display().to_string())?;
            }
        }
        Ok(package)
    }

    fn add_file(&mut self, import_path: &str, text: &str) -> Result<()> {
        let imports = imports(text);
        let scope = Scope { import_path, imports: &imports };
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("package ") {
                name.split_whitespace().next().unwrap_or_default().clone_into(&mut self.name);
            }
            let Some((name, rest)) = line.strip_prefix("type ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            let rest = rest.strip_prefix("= ").unwrap_or(rest).trim();
            let rest = rest.split("//").next().unwrap_or_default().trim();
            if rest == "struct {" {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
                self.types.insert(name.to_owned(), Declaration::Struct(scope.fields(&body)?));
            } else if rest == "struct{}" {
                self.types.insert(name.to_owned(), Declaration::Struct(Vec::new()));
            } else if let Some(kind) = scope.type_expression(rest) {
                self.types.insert(name.to_owned(), Declaration::Named(kind));
            }
        }
        Ok(())
    }
}

/// What names mean in one file.
struct Scope<'a> {
    import_path: &'a str,
    imports: &'a BTreeMap<String, String>,
}

impl Scope<'_> {
    fn fields(&self, body: &[&str]) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        let mut in_comment = false;
        for line in body {
            let line = line.trim();
            in_comment |= line.starts_with("/*");
            let is_code = !in_comment && !line.is_empty() && !line.starts_with("//");
            in_comment &= !line.ends_with("*/");
            if is_code {
                fields.extend(self.field(line).with_context(|| format!("field {line:?}"))?);
            }
        }
        Ok(fields)
    }

    fn field(&self, line: &str) -> Result<Option<Field>> {
        let (declaration, tag) = line
            .split_once('`')
            .map_or((line, ""), |(left, right)| (left, right.split('`').next().unwrap_or_default()));
        let declaration = declaration.split("//").next().unwrap_or_default();
        let mut words = declaration.split_whitespace();
        let first = words.next().context("empty declaration")?;
        let (embedded_or_name, kind) = match words.next() {
            None => (first.trim_start_matches('*').rsplit('.').next().unwrap_or(first), first),
            Some(kind) => (first, kind),
        };
        let Some(kind) = self.type_expression(kind) else { return Ok(None) };
        let mut json = tag_value(tag, "json").unwrap_or_default().split(',');
        let json_name = json.next().unwrap_or_default();
        let options: Vec<&str> = json.collect();
        if json_name == "-" {
            return Ok(None);
        }
        let number = tag_value(tag, "protobuf").and_then(|value| value.split(',').nth(1)?.parse().ok());
        Ok(Some(Field {
            go_name: embedded_or_name.to_owned(),
            json: match json_name {
                "" if options.contains(&"inline") => Json::Inline,
                "" => Json::Name(embedded_or_name.to_owned()),
                name => Json::Name(name.to_owned()),
            },
            omits_empty: options.contains(&"omitempty") || options.contains(&"omitzero"),
            omits_zero: options.contains(&"omitzero"),
            number,
            kind,
        }))
    }

    /// `None` for what API types never are: functions, interfaces, channels.
    fn type_expression(&self, text: &str) -> Option<Type> {
        if let Some(rest) = text.strip_prefix('*') {
            return Some(Type::Pointer(Box::new(self.type_expression(rest)?)));
        }
        if let Some(rest) = text.strip_prefix("[]") {
            return Some(Type::List(Box::new(self.type_expression(rest)?)));
        }
        if let Some(rest) = text.strip_prefix("map[") {
            let (key, value) = rest.split_once(']')?;
            let (key, value) = (self.type_expression(key)?, self.type_expression(value)?);
            return Some(Type::Map(Box::new(key), Box::new(value)));
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        Some(match text.split_once('.') {
            Some((alias, name)) => Type::Named(self.imports.get(alias)?.clone(), name.to_owned()),
            None if text.starts_with(|c: char| c.is_ascii_lowercase()) => {
                Type::Named(String::new(), text.to_owned())
            }
            None => Type::Named(self.import_path.to_owned(), text.to_owned()),
        })
    }
}

/// Import paths by the name under which a file uses them.
fn imports(text: &str) -> BTreeMap<String, String> {
    let block = text.split_once("import (").and_then(|(_, rest)| rest.split_once("\n)"));
    let single = text.lines().filter_map(|line| line.strip_prefix("import ")).filter(|rest| *rest != "(");
    let lines = block.map(|(block, _)| block).unwrap_or_default().lines().chain(single);
    lines.filter_map(import).collect()
}

fn import(line: &str) -> Option<(String, String)> {
    let (alias, rest) = line.split_once('"')?;
    let path = rest.split('"').next()?;
    let alias = match alias.trim() {
        "" => path.rsplit('/').next()?,
        alias => alias,
    };
    Some((alias.to_owned(), path.to_owned()))
}

/// The value of one key of a struct tag; escapes do not occur in API types.
fn tag_value<'a>(tag: &'a str, key: &str) -> Option<&'a str> {
    let start = tag.match_indices(key).map(|(at, _)| at).find(|at| {
        let starts_word = *at == 0 || tag.as_bytes()[at - 1] == b' ';
        starts_word && tag[at + key.len()..].starts_with(":\"")
    })?;
    tag[start + key.len() + 2..].split('"').next()
}

/// The declaration of `name`, or an error that says where it was expected.
pub(super) fn declaration<'a>(
    packages: &'a BTreeMap<String, Package>,
    import_path: &str,
    name: &str,
) -> Result<(&'a Package, &'a Declaration)> {
    let Some(package) = packages.get(import_path) else {
        bail!("{name} is declared in {import_path}, which is not among the packages read");
    };
    let found = package.types.get(name).with_context(|| format!("{import_path} does not declare {name}"))?;
    Ok((package, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
package v1

import (
	metav1 "k8s.io/meta/v1"
	"k8s.io/resource"
)

type Color string

type Thing struct {
	metav1.TypeMeta `json:",inline"`
	// A comment.
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	Count *int32 `json:"count,omitempty" protobuf:"varint,2,opt,name=count"` // trailing
	Limits map[Color]resource.Quantity `json:"limits" proto:"bytes,9,rep" protobuf:"bytes,3,rep,name=limits"`
	secret string `json:"-"`
}

type Check func(thing *Thing) error
"#;

    #[test]
    fn reads_structs_tags_and_imports() {
        let mut package = Package::default();
        package.add_file("k8s.io/thing", SOURCE).expect("readable");
        assert_eq!(package.name, "v1");
        assert_eq!(
            package.types["Color"],
            Declaration::Named(Type::Named(String::new(), "string".to_owned()))
        );
        let Declaration::Struct(fields) = &package.types["Thing"] else { panic!("a struct") };
        let summary: Vec<_> =
            fields.iter().map(|f| (f.go_name.as_str(), &f.json, f.omits_empty, f.number)).collect();
        let name = |text: &str| Json::Name(text.to_owned());
        assert_eq!(
            summary,
            [
                ("TypeMeta", &Json::Inline, false, None),
                ("ObjectMeta", &name("metadata"), true, Some(1)),
                ("Count", &name("count"), true, Some(2)),
                ("Limits", &name("limits"), false, Some(3)),
            ]
        );
        let Type::Map(key, value) = &fields[3].kind else { panic!("a map") };
        assert_eq!(**key, Type::Named("k8s.io/thing".to_owned(), "Color".to_owned()));
        assert_eq!(**value, Type::Named("k8s.io/resource".to_owned(), "Quantity".to_owned()));
        assert!(!package.types.contains_key("Check"));
    }
}
