//! Facts about a resource that discovery and routing need: names, verbs, subresources.

use portolan_object::GroupVersionKind;

use super::{ALL_VERBS, SUBRESOURCE_VERBS};

/// One built-in resource in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinResource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Version, such as `v1`.
    pub version: &'static str,
    /// Kind, such as `Deployment`.
    pub kind: &'static str,
    /// Name in paths, such as `deployments`.
    pub plural: &'static str,
    /// Name for one object in commands, such as `deployment`.
    pub singular: &'static str,
    /// Abbreviations for commands, such as `deploy`.
    pub short_names: &'static [&'static str],
    /// Groups of resources for commands, such as `all`.
    pub categories: &'static [&'static str],
    /// Objects live in a namespace.
    pub namespaced: bool,
    /// Allowed verbs, in discovery order.
    pub verbs: &'static [&'static str],
    /// Subresources, sorted by name.
    pub subresources: &'static [Subresource],
    /// A PUT of a missing object creates it.
    pub create_on_update: bool,
    /// A PUT without `metadata.resourceVersion` is refused.
    pub update_requires_version: bool,
    /// DELETE answers with the object even when it is gone; others answer with a `Status`.
    pub delete_returns_object: bool,
}

/// A subresource and the body it exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subresource {
    /// Name in paths, such as `scale`.
    pub name: &'static str,
    /// Kind of the body.
    pub kind: &'static str,
    /// Group of the body. `group` and `version` are both empty when the body belongs to the parent's group version.
    pub group: &'static str,
    /// Version of the body, see `group`.
    pub version: &'static str,
    /// Allowed verbs, in discovery order.
    pub verbs: &'static [&'static str],
}

/// A subresource of a built-in kind or a custom resource, as requests find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedSubresource {
    /// Name in paths.
    pub name: &'static str,
    /// Kind of its body.
    pub kind: GroupVersionKind,
    /// Whether the body belongs to another group version than the resource.
    pub is_foreign: bool,
    /// Verbs in discovery order.
    pub verbs: &'static [&'static str],
}

/// When `metadata.generation` grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// The field is absent.
    None,
    /// 1 at first, one more with every change of `spec`.
    Spec,
    /// 1 at first, one more with every change of `spec` or `metadata.annotations`.
    SpecAndAnnotations,
    /// 1 at first, one more with every change outside `metadata` and `status`.
    Content,
    /// The same, and with every change of `metadata.labels`.
    ContentAndLabels,
}

/// Rule for `metadata.name`; [`crate::validation::metadata`] holds the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain of at most 253 characters.
    Subdomain,
    /// RFC 1123 subdomain of at most so many characters, because children are named after the object.
    ShortSubdomain(usize),
    /// RFC 1123 label of at most 63 characters.
    Label,
    /// Anything that can stand in a path between two slashes.
    PathSegment,
    /// An IP address in canonical form.
    Address,
}

impl BuiltinResource {
    /// A subresource by name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|entry| entry.name == name)
    }

    /// Whether `status` is a subresource.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether a verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    pub(super) const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            kind,
            plural,
            singular: "",
            short_names: &[],
            categories: &[],
            namespaced: false,
            verbs: ALL_VERBS,
            subresources: &[],
            create_on_update: false,
            update_requires_version: false,
            delete_returns_object: false,
        }
    }

    pub(super) const fn singular(mut self, singular: &'static str) -> Self {
        self.singular = singular;
        self
    }

    pub(super) const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    pub(super) const fn category(mut self, names: &'static [&'static str]) -> Self {
        self.categories = names;
        self
    }

    pub(super) const fn namespaced(mut self) -> Self {
        self.namespaced = true;
        self
    }

    pub(super) const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    pub(super) const fn subresources(mut self, subresources: &'static [Subresource]) -> Self {
        self.subresources = subresources;
        self
    }

    pub(super) const fn create_on_update(mut self) -> Self {
        self.create_on_update = true;
        self
    }

    pub(super) const fn update_requires_version(mut self) -> Self {
        self.update_requires_version = true;
        self
    }

    pub(super) const fn delete_returns_object(mut self) -> Self {
        self.delete_returns_object = true;
        self
    }
}

impl Subresource {
    /// A subresource with a body of the parent's group version.
    pub(super) const fn new(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Self {
        Self { name, kind, group: "", version: "", verbs }
    }

    /// The same with a body of another group version.
    pub(super) const fn in_group(mut self, group: &'static str, version: &'static str) -> Self {
        self.group = group;
        self.version = version;
        self
    }

    pub(super) const fn status(kind: &'static str) -> Self {
        Self::new("status", kind, SUBRESOURCE_VERBS)
    }

    pub(super) const fn scale() -> Self {
        Self::new("scale", "Scale", SUBRESOURCE_VERBS).in_group("autoscaling", "v1")
    }
}

impl ServedSubresource {
    pub(crate) fn builtin(entry: &Subresource, parent: &GroupVersionKind) -> Self {
        let is_foreign = !entry.version.is_empty();
        let kind = match is_foreign {
            true => GroupVersionKind::new(entry.group, entry.version, entry.kind),
            false => parent.group_version().kind(entry.kind),
        };
        Self { name: entry.name, kind, is_foreign, verbs: entry.verbs }
    }

    /// Whether a verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }
}
