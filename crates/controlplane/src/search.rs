//! Look-ups over the clusters: `search/cache/…` and `proxying/karmada/proxy/…` of the group `search.karmada.io`.
//!
//! `search/cache/api/v1/pods` lists the cached pods of all clusters. Below `proxying/NAME/proxy` the clusters look like one API
//! server: cached kinds are listed, read and watched in all clusters, one object is changed in the cluster that has it, and
//! everything else is answered by the control plane itself. An object says in an annotation where it comes from. Upstream:
//! karmada pkg/registry/search/storage, pkg/search/proxy.
//!
//! A look-up shows what is cached to everyone who may use the path. A change is made as the user, as through
//! `clusters/NAME/proxy`.

mod lists;
mod watches;

use http::Method;
use portolan_api::search::{CACHE_SOURCE, GROUP, VERSION};
use portolan_apiserver::mounted::{Answer, Answering, Kind, Mounted, MountedRequest};
use portolan_apiserver::request::RequestInfo;
use portolan_apiserver::request::options::ListOptions;
use portolan_controllers::search::{CachedCollection, SearchCaches};
use portolan_object::{Object, ObjectKey, Status};
use portolan_plan::search::ClusterVersions;
use portolan_runtime::Resource;
use serde_json::Value;

use lists::Selected;

/// Resource of the look-ups by list.
const SEARCH: &str = "search";
/// Resource of the look-ups as one API server.
const PROXYING: &str = "proxying";

/// Answers look-ups.
pub(crate) struct Search {
    caches: SearchCaches,
}

/// The caches of one resource.
struct Cached {
    resource: Resource,
    collections: Vec<CachedCollection>,
}

impl Cached {
    fn kind(&self) -> Kind {
        Kind { gvk: self.resource.gvk.clone(), plural: self.resource.plural.clone() }
    }
}

impl Search {
    pub(crate) fn new(caches: SearchCaches) -> Self {
        Self { caches }
    }

    /// The caches of the resource that a path names.
    fn cached(&self, target: &RequestInfo) -> Option<Cached> {
        let (resource, collections) = self.caches.of(&target.group, &target.version, &target.resource)?;
        Some(Cached { resource, collections })
    }

    /// `search/cache/…`: the cached objects as one list, also of one name.
    fn list_cached(&self, request: &MountedRequest<'_>) -> Result<Answer, Status> {
        let info = request.info;
        if info.name != "cache" {
            let text = format!("look-ups in {:?} are not served: only search/cache/… is", info.name);
            return Err(Status::bad_request(text));
        }
        if *request.method != Method::GET {
            let text = format!("the server does not allow {} on look-ups", request.method);
            return Err(Status::new(405, "MethodNotAllowed", text));
        }
        let path = format!("/{}/{}", info.subresource, info.rest);
        let target = RequestInfo::parse(request.method, &path, request.query);
        if !target.is_resource || !target.subresource.is_empty() {
            return Err(Status::bad_request(format!("{path} is not the path of a resource")));
        }
        let options = ListOptions::parse(request.query, false)?;
        // As upstream, the list is empty for a kind that no registry names.
        let Some(cached) = self.cached(&target) else {
            let gvk = portolan_object::GroupVersionKind::new(&*target.group, &*target.version, "");
            let kind = Kind { gvk, plural: target.resource };
            return Ok(Answer::List {
                kind,
                items: Vec::new(),
                version: String::new(),
                next: String::new(),
                remaining: None,
            });
        };
        let mut selected = Selected::parse(&options, &target.namespace)?;
        if !target.name.is_empty() {
            selected = selected.named(&target.name);
        }
        let items =
            selected.objects(&cached.collections).map(|(cluster, _, object)| marked(&object, &cluster));
        let items = items.collect();
        Ok(Answer::List {
            kind: cached.kind(),
            items,
            version: String::new(),
            next: String::new(),
            remaining: None,
        })
    }

    /// `proxying/NAME/proxy/…`: the clusters as one API server.
    fn as_one_server(&self, request: &MountedRequest<'_>) -> Result<Answer, Status> {
        let info = request.info;
        if info.subresource != "proxy" {
            return Err(Status::new(404, "NotFound", "only proxying/NAME/proxy/… is served"));
        }
        let path = format!("/{}", info.rest);
        let target = RequestInfo::parse(request.method, &path, request.query);
        let Some(cached) = self.cached(&target) else { return Ok(Answer::Here { path }) };
        match target.verb {
            "list" => lists::list(&cached, &target, &ListOptions::parse(request.query, false)?),
            "watch" => {
                let options = ListOptions::parse(request.query, true)?;
                watches::watch(cached, &target, &options, self.caches.changes())
            }
            "get" if target.subresource.is_empty() => {
                let (cluster, object) = find(&cached, &target)?;
                let mut versions = ClusterVersions::default();
                versions.advance(&cluster, object.resource_version());
                let mut object = marked(&object, &cluster);
                object.metadata_mut().insert("resourceVersion".to_owned(), Value::from(versions.to_string()));
                Ok(Answer::Object(cached.kind(), object))
            }
            _ if target.name.is_empty() => Err(needs_name(&target)),
            verb => {
                let (cluster, _) = find(&cached, &target)?;
                let name = cluster.clone();
                let namespace = target.namespace.clone();
                let rewrite = move |object: &mut Value| restore(object, &cluster, &namespace);
                let rewrite = (verb == "update").then(|| Box::new(rewrite) as _);
                Ok(Answer::Forward { name, path: info.rest.clone(), rewrite })
            }
        }
    }
}

impl Mounted for Search {
    fn answers(&self, group: &str, version: &str, resource: &str) -> bool {
        (group, version) == (GROUP, VERSION) && [SEARCH, PROXYING].contains(&resource)
    }

    fn answer<'a>(&'a self, request: MountedRequest<'a>) -> Answering<'a> {
        Box::pin(async move {
            match request.info.resource.as_str() {
                SEARCH => self.list_cached(&request),
                _ => self.as_one_server(&request),
            }
        })
    }
}

/// The object that a request names, and its cluster.
///
/// # Errors
/// 404 when no cluster has it, 409 when several have one of this name.
fn find(cached: &Cached, target: &RequestInfo) -> Result<(String, std::sync::Arc<Object>), Status> {
    let key = match cached.resource.namespaced {
        true => ObjectKey::namespaced(&*target.namespace, &*target.name),
        false => ObjectKey::cluster(&*target.name),
    };
    let found =
        cached.collections.iter().filter_map(|one| Some((one.cluster.to_string(), one.cache.get(&key)?)));
    let mut found: Vec<_> = found.collect();
    match found.len() {
        0 => Err(Status::not_found(&target.group, &target.resource, &target.name)),
        1 => Ok(found.remove(0)),
        _ => {
            let clusters: Vec<_> = found.into_iter().map(|(cluster, _)| cluster).collect();
            let text = format!(
                "Operation cannot be fulfilled on {} {:?}: ambiguous objects in clusters [{}]",
                group_resource(target),
                target.name,
                clusters.join(", ")
            );
            Err(Status::new(409, "Conflict", text))
        }
    }
}

fn group_resource(target: &RequestInfo) -> String {
    match target.group.as_str() {
        "" => target.resource.clone(),
        group => format!("{}.{group}", target.resource),
    }
}

/// 405 for a request about a collection: nothing says which cluster is meant.
fn needs_name(target: &RequestInfo) -> Status {
    let text = format!(
        "{} is not supported on resources of kind {:?}: the request does not say which cluster is meant; use clusters/NAME/proxy",
        target.verb,
        group_resource(target)
    );
    Status::new(405, "MethodNotAllowed", text)
}

/// The object with the annotation that names its cluster.
fn marked(object: &Object, cluster: &str) -> Object {
    let mut object = object.clone();
    object.set_annotation(CACHE_SOURCE, cluster);
    object
}

/// Undoes what a look-up changed in an object: its version and the annotation.
fn restore(object: &mut Value, cluster: &str, namespace: &str) {
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(CACHE_SOURCE);
    }
    if let Some(version) = object.pointer_mut("/metadata/resourceVersion") {
        let versions = ClusterVersions::parse(version.as_str().unwrap_or_default());
        if let Some(own) = versions.of_object(cluster, namespace) {
            *version = Value::from(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_has_the_version_of_the_cluster() {
        let mut versions = ClusterVersions::default();
        versions.advance("a", "7");
        versions.advance("b", "9");
        let mut object = json!({ "metadata": { "resourceVersion": versions.to_string(),
            "annotations": { CACHE_SOURCE: "b", "own": "kept" } } });
        restore(&mut object, "b", "shop");
        assert_eq!(
            object,
            json!({ "metadata": { "resourceVersion": "9", "annotations": { "own": "kept" } } })
        );
        // The version of an object in a list is the cluster's own.
        let mut object = json!({ "metadata": { "resourceVersion": "9" } });
        restore(&mut object, "b", "shop");
        assert_eq!(object, json!({ "metadata": { "resourceVersion": "9" } }));
    }
}
