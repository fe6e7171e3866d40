//! All resources of one moment, and the place where the newest such snapshot is found.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::Value;

use super::Resource;
use crate::crd::CustomVersion;
use crate::discovery::Documents;
use crate::kinds::{self, by_version};
use crate::openapi::Specifications;
use crate::proxy::Announced;

/// One API group.
#[derive(Debug)]
pub struct Group {
    /// Name, empty for the core group.
    pub name: String,
    /// Versions, the preferred one first.
    pub versions: Vec<Version>,
    priority: u32,
}

/// One version of a group.
#[derive(Debug)]
pub struct Version {
    /// Such as `v1`.
    pub name: String,
    /// Resources, sorted by plural.
    pub resources: Vec<Arc<Resource>>,
    /// Set if another server answers the version; `resources` is empty then.
    pub remote: Option<RemoteVersion>,
}

/// A group version that another server answers.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteVersion {
    /// Group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Priority of the group, if no other version has set one.
    pub priority: u32,
    /// Whether the server answers now.
    pub is_current: bool,
    /// Its resources, in the form of aggregated discovery; `None` if it has never answered.
    pub resources: Option<Arc<Value>>,
}

/// All resources of one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Groups in discovery order.
    pub groups: Vec<Group>,
    by_path: HashMap<String, HashMap<String, HashMap<String, Arc<Resource>>>>,
    discovery: OnceLock<Documents>,
    specifications: OnceLock<Arc<Specifications>>,
    /// The documents of an earlier snapshot, of which most stay the same.
    former: Option<Arc<Specifications>>,
}

impl Snapshot {
    /// Orders and indexes the built-in resources together with custom ones.
    ///
    /// A custom resource cannot take the path of a built-in one, and another server not that of a group version with
    /// resources.
    fn new(builtin: &[Arc<Resource>], added: &Added, announced: &[Announced]) -> Self {
        let mut snapshot = Self::default();
        for resource in builtin {
            snapshot.add(Arc::clone(resource));
        }
        for version in &added.custom {
            let definition = &version.definition;
            if snapshot.find(&definition.group, &version.name, &definition.names.plural).is_none() {
                let mut resource = Resource::custom(Arc::clone(version));
                resource.announce(announced);
                snapshot.add(Arc::new(resource));
            }
        }
        added.remote.iter().for_each(|remote| snapshot.add_remote(remote));
        snapshot.sort();
        snapshot
    }

    fn add_remote(&mut self, remote: &RemoteVersion) {
        let (group, version) = (&remote.group, &remote.version);
        if self.serves(group, version) {
            return;
        }
        let at = self.group_at(group, remote.priority);
        let versions = &mut self.groups[at].versions;
        versions.push(Version { name: version.clone(), resources: Vec::new(), remote: Some(remote.clone()) });
    }

    /// The place of a group, which is added if it is missing.
    fn group_at(&mut self, name: &str, priority: u32) -> usize {
        self.groups.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
            self.groups.push(Group { name: name.to_owned(), versions: Vec::new(), priority });
            self.groups.len() - 1
        })
    }

    fn add(&mut self, resource: Arc<Resource>) {
        let (group, version) = (&resource.kind.group, &resource.kind.version);
        let versions = self.by_path.entry(group.clone()).or_default();
        versions.entry(version.clone()).or_default().insert(resource.plural.clone(), Arc::clone(&resource));
        let priority = kinds::group(group).map_or(kinds::CUSTOM_GROUP_PRIORITY, |known| known.priority);
        let at = self.group_at(group, priority);
        let versions = &mut self.groups[at].versions;
        match versions.iter_mut().find(|entry| entry.name == *version) {
            Some(entry) => entry.resources.push(resource),
            None => versions.push(Version { name: version.clone(), resources: vec![resource], remote: None }),
        }
    }

    fn sort(&mut self) {
        // The built-in table fixes the order of groups of the same priority; custom groups are sorted by name.
        let place =
            |name: &str| kinds::GROUPS.iter().position(|known| known.name == name).unwrap_or(usize::MAX);
        self.groups.sort_by(|a, b| {
            b.priority.cmp(&a.priority).then(place(&a.name).cmp(&place(&b.name))).then(a.name.cmp(&b.name))
        });
        for group in &mut self.groups {
            group.versions.sort_by(|a, b| by_version(&a.name, &b.name));
            for version in &mut group.versions {
                version.resources.sort_by(|a, b| a.plural.cmp(&b.plural));
            }
        }
    }

    /// Whether this server has resources of a group version.
    pub fn serves(&self, group: &str, version: &str) -> bool {
        self.by_path.get(group).is_some_and(|versions| versions.contains_key(version))
    }

    /// The resource at a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.by_path.get(group)?.get(version)?.get(plural)
    }

    /// The resource that holds objects of a kind.
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.by_path.get(group)?.get(version)?.values().find(|resource| resource.kind.kind == kind)
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Whether a group version is served.
    pub fn has_version(&self, group: &str, version: &str) -> bool {
        self.by_path.get(group).is_some_and(|versions| versions.contains_key(version))
    }

    /// Discovery documents, built on first use.
    pub fn discovery(&self) -> &Documents {
        self.discovery.get_or_init(|| Documents::new(&self.groups))
    }

    /// OpenAPI documents, each built on first use.
    pub fn specifications(&self) -> &Specifications {
        self.specifications
            .get_or_init(|| Arc::new(Specifications::new(&self.groups, self.former.as_deref())))
    }
}

/// Holder of the newest snapshot.
#[derive(Debug)]
pub struct Registry {
    builtin: Vec<Arc<Resource>>,
    /// Subresources of custom resources that other servers answer.
    announced: Vec<Announced>,
    added: Mutex<Added>,
    current: ArcSwap<Snapshot>,
}

/// What is served besides the built-in resources.
#[derive(Debug, Default)]
struct Added {
    custom: Vec<Arc<CustomVersion>>,
    remote: Vec<RemoteVersion>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Registry {
    /// Serves the built-in resources.
    pub fn new(announced: Vec<Announced>) -> Self {
        let builtin: Vec<_> = kinds::all().map(|kind| Arc::new(Resource::builtin(kind))).collect();
        let current = ArcSwap::from_pointee(Snapshot::new(&builtin, &Added::default(), &announced));
        Self { builtin, announced, added: Mutex::default(), current }
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Serves these custom resources from now on, and no others.
    pub fn replace(&self, custom: &[Arc<CustomVersion>]) {
        let mut added = self.added.lock();
        added.custom = custom.to_vec();
        self.publish(&added);
    }

    /// Shows these group versions of other servers from now on, and no others.
    pub fn set_remote(&self, remote: Vec<RemoteVersion>) {
        let mut added = self.added.lock();
        if added.remote != remote {
            added.remote = remote;
            self.publish(&added);
        }
    }

    fn publish(&self, added: &Added) {
        let current = self.current.load();
        let mut next = Snapshot::new(&self.builtin, added, &self.announced);
        next.former = current.specifications.get().or(current.former.as_ref()).cloned();
        self.current.store(Arc::new(next));
    }
}
