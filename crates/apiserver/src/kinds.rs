//! The built-in resources this API server serves, as one constant table.
//!
//! Discovery, request routing, storage rules and RBAC read it; a resource that is not here is either a custom
//! resource or a 404. The table holds facts only: defaults, validation and printing live in their own modules
//! and are found by kind.

mod access;
mod cluster;
mod core;
mod network;
mod workloads;

#[cfg(test)]
mod tests;

/// All verbs of a full resource, in the order discovery lists them.
pub const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The only verb of review resources and of bindings.
pub const CREATE_ONLY: &[&str] = &["create"];

/// Verbs of subresources that expose a part of their parent (`status`, `scale`).
pub const PART_VERBS: &[&str] = &["get", "patch", "update"];

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
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// What may be done with it, in discovery order.
    pub verbs: &'static [&'static str],
    /// Subresources, sorted by name.
    pub subresources: &'static [Subresource],
    /// When `metadata.generation` grows.
    pub generation: Generation,
    /// What `metadata.name` may be.
    pub names: NameRule,
    /// A PUT of a missing object creates it.
    pub create_on_update: bool,
    /// A PUT without `metadata.resourceVersion` is refused.
    pub update_requires_version: bool,
    /// DELETE answers with the object even when it is gone; others answer with a `Status`.
    pub delete_returns_object: bool,
    /// CREATE stores the `status` of the body instead of dropping it.
    pub keeps_status_on_create: bool,
}

/// A subresource and the body it exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subresource {
    /// Name in paths, such as `scale`.
    pub name: &'static str,
    /// Kind of the body.
    pub kind: &'static str,
    /// Group of the body; together with `version` empty when the body belongs to the parent's group version.
    pub group: &'static str,
    /// Version of the body, empty as said at `group`.
    pub version: &'static str,
    /// What may be done with it, in discovery order.
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
    /// 1 at first, one more with every change outside `metadata` and `status`, or of `metadata.labels`.
    All,
}

/// What `metadata.name` may be; [`crate::validation::metadata`] holds the texts.
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

/// One API group and the version it prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Group, empty for the core group.
    pub name: &'static str,
    /// Versions, the preferred one first.
    pub versions: &'static [&'static str],
    /// Groups with a higher number come first in discovery.
    pub priority: u32,
}

/// The priority of groups that custom resources define.
pub const CUSTOM_GROUP_PRIORITY: u32 = 1000;

/// All groups in discovery order. Client tools resolve ambiguous short names by it.
pub static GROUPS: &[Group] = &[
    Group::v1("", 18000),
    Group::v1("apps", 17800),
    Group::v1("events.k8s.io", 17750),
    Group::v1("authentication.k8s.io", 17700),
    Group::v1("authorization.k8s.io", 17600),
    Group { name: "autoscaling", versions: &["v2", "v1"], priority: 17500 },
    Group::v1("batch", 17400),
    Group::v1("certificates.k8s.io", 17300),
    Group::v1("networking.k8s.io", 17200),
    Group::v1("policy", 17100),
    Group::v1("rbac.authorization.k8s.io", 17000),
    Group::v1("storage.k8s.io", 16800),
    Group::v1("admissionregistration.k8s.io", 16700),
    Group::v1("apiextensions.k8s.io", 16700),
    Group::v1("scheduling.k8s.io", 16600),
    Group::v1("coordination.k8s.io", 16500),
    Group::v1("node.k8s.io", 16300),
    Group::v1("discovery.k8s.io", 16200),
];

const PARTS: &[&[BuiltinResource]] =
    &[core::RESOURCES, workloads::RESOURCES, network::RESOURCES, access::RESOURCES, cluster::RESOURCES];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

/// Every built-in resource, one entry for each version.
pub static BUILTIN: [BuiltinResource; COUNT] = {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut next, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            all[next] = PARTS[part][index];
            next += 1;
            index += 1;
        }
        part += 1;
    }
    all
};

/// The resource at `/apis/{group}/{version}/.../{plural}`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static BuiltinResource> {
    BUILTIN.iter().find(|entry| entry.plural == plural && entry.group == group && entry.version == version)
}

/// The resource that holds objects of a kind.
pub fn find_kind(group: &str, version: &str, kind: &str) -> Option<&'static BuiltinResource> {
    BUILTIN.iter().find(|entry| entry.kind == kind && entry.group == group && entry.version == version)
}

/// The entry of a built-in group.
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|entry| entry.name == name)
}

impl BuiltinResource {
    /// A subresource by name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|entry| entry.name == name)
    }

    /// Whether `status` is a part that only its own path changes.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether a verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    const fn new(
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
            generation: Generation::None,
            names: NameRule::Subdomain,
            create_on_update: false,
            update_requires_version: false,
            delete_returns_object: false,
            keeps_status_on_create: false,
        }
    }

    const fn singular(mut self, singular: &'static str) -> Self {
        self.singular = singular;
        self
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    const fn category(mut self, names: &'static [&'static str]) -> Self {
        self.categories = names;
        self
    }

    const fn namespaced(mut self) -> Self {
        self.namespaced = true;
        self
    }

    const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    const fn parts(mut self, subresources: &'static [Subresource]) -> Self {
        self.subresources = subresources;
        self
    }

    const fn generation(mut self, rule: Generation) -> Self {
        self.generation = rule;
        self
    }

    const fn names(mut self, rule: NameRule) -> Self {
        self.names = rule;
        self
    }

    const fn create_on_update(mut self) -> Self {
        self.create_on_update = true;
        self
    }

    const fn update_requires_version(mut self) -> Self {
        self.update_requires_version = true;
        self
    }

    const fn delete_returns_object(mut self) -> Self {
        self.delete_returns_object = true;
        self
    }

    const fn keeps_status_on_create(mut self) -> Self {
        self.keeps_status_on_create = true;
        self
    }
}

impl Subresource {
    const fn new(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Self {
        Self { name, kind, group: "", version: "", verbs }
    }

    const fn status(kind: &'static str) -> Self {
        Self::new("status", kind, PART_VERBS)
    }

    const fn scale() -> Self {
        Self { name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: PART_VERBS }
    }
}

impl Group {
    const fn v1(name: &'static str, priority: u32) -> Self {
        Self { name, versions: &["v1"], priority }
    }
}
