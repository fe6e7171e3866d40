//! Changes of container images, part by part (karmada: pkg/util/imageparser).

use std::fmt;
use std::sync::LazyLock;

use portolan_api::policy::{ImageComponent, ImageOverrider, OverrideOperator};
use portolan_object::Object;
use regex::Regex;
use serde_json::Value;

use super::{OverrideFault, containers};

static TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\w[\w.-]{0,127}$").expect("a constant pattern compiles"));
static DIGEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}$")
        .expect("a constant pattern compiles")
});

/// An image name taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Image {
    /// Host with port; empty when the name has none.
    registry: String,
    /// Path.
    repository: String,
    /// Tag, digest or both with their separators: `:1.2`, `@sha256:…` or `:1.2@sha256:…`. Empty when the name has none.
    version: String,
}

impl Image {
    fn parse(text: &str) -> Self {
        let (path, version) = split_version(text);
        // Text before the first slash is a host only if it looks like one: `foo/bar` is a path.
        match path.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
                Self { registry: host.to_owned(), repository: rest.to_owned(), version: version.to_owned() }
            }
            _ => Self { registry: String::new(), repository: path.to_owned(), version: version.to_owned() },
        }
    }

    fn change(&mut self, component: ImageComponent, operator: OverrideOperator, value: &str) {
        let part = match component {
            ImageComponent::Registry => &mut self.registry,
            ImageComponent::Repository => &mut self.repository,
            ImageComponent::Tag => return self.change_version(operator, value),
        };
        match operator {
            OverrideOperator::Add => part.push_str(value),
            OverrideOperator::Replace => value.clone_into(part),
            OverrideOperator::Remove => part.clear(),
        }
    }

    /// The new version takes the place of tag and digest, because a digest fixes the image and the tag no longer counts. A text that
    /// is neither a tag nor a digest is ignored, as in Karmada.
    fn change_version(&mut self, operator: OverrideOperator, value: &str) {
        let old = match self.version.strip_prefix(':') {
            Some(tag) => tag.split('@').next().unwrap_or_default(),
            None => self.version.trim_start_matches('@'),
        };
        let new = match operator {
            OverrideOperator::Remove => return self.version.clear(),
            OverrideOperator::Add => format!("{old}{value}"),
            OverrideOperator::Replace => value.to_owned(),
        };
        if DIGEST.is_match(&new) {
            self.version = format!("@{new}");
        } else if TAG.is_match(&new) {
            self.version = format!(":{new}");
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.registry.is_empty() {
            write!(f, "{}/", self.registry)?;
        }
        write!(f, "{}{}", self.repository, self.version)
    }
}

/// Splits off `:tag`, `@digest` or both; a colon before the last slash belongs to a port.
fn split_version(text: &str) -> (&str, &str) {
    let end = text.find('@').unwrap_or(text.len());
    let name = text[..end].rfind('/').map_or(0, |slash| slash + 1);
    match text[name..end].rfind(':') {
        Some(colon) => text.split_at(name + colon),
        None => text.split_at(end),
    }
}

/// Changes the image at the predicate's path, or those of all containers.
pub(super) fn apply(overrider: &ImageOverrider, object: &mut Object) -> Result<(), OverrideFault> {
    let changed = |text: &str| {
        let mut image = Image::parse(text);
        image.change(overrider.component, overrider.operator, &overrider.value);
        Value::String(image.to_string())
    };
    let Some(predicate) = &overrider.predicate else {
        for container in containers::containers(object) {
            if let Some(text) = container.get("image").and_then(Value::as_str) {
                let image = changed(text);
                container.insert("image".to_owned(), image);
            }
        }
        return Ok(());
    };
    let path = &predicate.path;
    let missing = || OverrideFault::NoSuchPath { operator: "change image", path: path.clone() };
    let image = object.0.pointer_mut(path).ok_or_else(missing)?;
    let text =
        image.as_str().ok_or_else(|| OverrideFault::WrongType { path: path.clone(), wanted: "a string" })?;
    *image = changed(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_parts_of_an_image() {
        use ImageComponent::{Registry, Repository, Tag};
        use OverrideOperator::{Add, Remove, Replace};
        let digest = format!("a/nginx@sha256:{}", "0".repeat(64));
        let both = format!("reg:5000/nginx:1@sha256:{}", "0".repeat(64));
        let both_at_mirror = both.replace("reg:5000", "mirror:8443");
        let newer = format!("sha256:{}", "1".repeat(64));
        let at_newer = format!("reg:5000/nginx@{newer}");
        type Case<'a> = (&'a str, Vec<(ImageComponent, OverrideOperator, &'a str)>, &'a str);
        let cases: Vec<Case<'_>> = vec![
            (
                "nginx:1.19.0",
                vec![(Registry, Replace, "fictional.registry.us")],
                "fictional.registry.us/nginx:1.19.0",
            ),
            (
                "registry.k8s.io/kube-proxy:v1",
                vec![(Registry, Add, ".cn")],
                "registry.k8s.io.cn/kube-proxy:v1",
            ),
            ("registry.k8s.io/kube-proxy:v1", vec![(Registry, Remove, "")], "kube-proxy:v1"),
            ("foo/bar:1", vec![(Registry, Replace, "r.io")], "r.io/foo/bar:1"),
            ("nginx:1", vec![(Repository, Add, "-slim")], "nginx-slim:1"),
            (&digest, vec![(Tag, Replace, "1.2")], "a/nginx:1.2"),
            (&both, vec![(Registry, Replace, "mirror:8443")], &both_at_mirror),
            (&both, vec![(Repository, Add, "-slim"), (Tag, Replace, "9")], "reg:5000/nginx-slim:9"),
            (&both, vec![(Tag, Add, "-slim")], "reg:5000/nginx:1-slim"),
            (&both, vec![(Tag, Remove, "")], "reg:5000/nginx"),
            (&both, vec![(Tag, Replace, &newer)], &at_newer),
            ("nginx:1.2", vec![(Tag, Remove, "")], "nginx"),
            ("localhost:5000/nginx", vec![(Tag, Replace, "1.2")], "localhost:5000/nginx:1.2"),
            ("nginx:1.2", vec![(Tag, Replace, "no tag!")], "nginx:1.2"),
            (
                "nginx:1.19.0",
                vec![
                    (Registry, Replace, "fictional.registry.us"),
                    (Repository, Replace, "busybox"),
                    (Tag, Replace, "1.0"),
                ],
                "fictional.registry.us/busybox:1.0",
            ),
        ];
        for (text, changes, want) in cases {
            let mut image = Image::parse(text);
            for (component, operator, value) in &changes {
                image.change(*component, *operator, value);
            }
            assert_eq!(image.to_string(), want, "{text} {changes:?}");
        }
    }
}
