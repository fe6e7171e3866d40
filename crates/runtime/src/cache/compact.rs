//! Compact caches keep an object as JSON, and decode it when it is read.
//!
//! A decoded object takes about five times the memory of its JSON, because each map of it is a node of a B-tree with room for
//! eleven entries. Most objects of a large cache are not read for hours. Those that changed last stay decoded, because
//! controllers read an object several times shortly after it changed. The JSON is shared with the server if it is in this
//! process and keeps the object in the same form.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use portolan_object::ObjectKey;
use serde_json::ser::Formatter;

use crate::cache::Content;
use crate::cache::size::memory_of;
use crate::client::{ManagedFields, StoredObjects, object_of_one};
use crate::resource::Resource;

/// Objects of a compact cache that stay decoded, at most: those that changed last.
const RECENT: usize = 256;
/// Estimated memory of the objects that stay decoded, in bytes. A few large objects take more than many small ones.
const RECENT_BYTES: u64 = 8 << 20;

/// An object as a cache keeps it.
pub(super) enum Kept<T> {
    Decoded(Arc<T>),
    /// JSON of the trimmed object.
    Encoded(Arc<[u8]>),
    /// What the server in this process keeps itself.
    Shared(Bytes),
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Decoded(object) => Self::Decoded(object.clone()),
            Self::Encoded(text) => Self::Encoded(text.clone()),
            Self::Shared(text) => Self::Shared(text.clone()),
        }
    }
}

impl<T> Kept<T> {
    pub(super) fn is_decoded(&self) -> bool {
        matches!(self, Self::Decoded(_))
    }
}

/// Encodes and decodes the objects of a compact cache.
pub(super) struct Codec<T> {
    encode: fn(&T) -> Option<Arc<[u8]>>,
    decode: fn(&[u8]) -> T,
    decode_shared: fn(&[u8], &Resource, ManagedFields) -> T,
    memory_of: fn(&T) -> u64,
    resource: Resource,
    stored: Option<Arc<dyn StoredObjects>>,
    managed_fields: ManagedFields,
}

impl<T: Content> Codec<T> {
    pub(super) fn new(
        resource: Resource,
        stored: Option<Arc<dyn StoredObjects>>,
        managed_fields: ManagedFields,
    ) -> Self {
        let (encode, decode, decode_shared) = (encode::<T>, decode::<T>, decode_shared::<T>);
        let memory_of = memory_of::<T>;
        Self { encode, decode, decode_shared, memory_of, resource, stored, managed_fields }
    }
}

impl<T> Codec<T> {
    /// The object as JSON. It stays decoded if that would not keep each value.
    pub(super) fn keep(&self, key: &ObjectKey, version: u64, object: Arc<T>) -> Kept<T> {
        let shared = self.stored.as_ref().and_then(|stored| stored.text(&self.resource, key, version));
        match shared {
            Some(text) => Kept::Shared(text),
            None => (self.encode)(&object).map_or_else(|| Kept::Decoded(object), Kept::Encoded),
        }
    }

    /// Estimated memory of the decoded object in bytes.
    pub(super) fn memory_of(&self, object: &T) -> u64 {
        (self.memory_of)(object)
    }

    /// Decodes what [`Kept::Encoded`] has.
    pub(super) fn read(&self, text: &[u8]) -> T {
        (self.decode)(text)
    }

    /// Decodes what [`Kept::Shared`] has, not trimmed.
    pub(super) fn read_shared(&self, text: &[u8]) -> T {
        (self.decode_shared)(text, &self.resource, self.managed_fields)
    }
}

/// `None` for an object with a floating-point number: reading it back could change its last digit.
fn encode<T: Content>(object: &T) -> Option<Arc<[u8]>> {
    let mut text = Vec::new();
    object.serialize(&mut serde_json::Serializer::with_formatter(&mut text, WithoutFloats)).ok()?;
    Some(text.into())
}

fn decode<T: Content>(text: &[u8]) -> T {
    serde_json::from_slice(text).expect("`encode` wrote the text from an object that was read from JSON")
}

fn decode_shared<T: Content>(text: &[u8], resource: &Resource, managed_fields: ManagedFields) -> T {
    let text = std::str::from_utf8(text).expect("the object was read from the same text when it came");
    let read = object_of_one(text, resource, managed_fields);
    read.expect("the object was read from the same text when it came").object
}

/// Writes compact JSON, and fails at a floating-point number.
struct WithoutFloats;

impl Formatter for WithoutFloats {
    fn write_f64<W: ?Sized + Write>(&mut self, _writer: &mut W, _value: f64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, _writer: &mut W, _value: f32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The objects that changed last, each with the number of its change.
#[derive(Debug, Default)]
pub(super) struct Recent {
    changes: VecDeque<RecentChange>,
    count: u64,
    /// Sum of the changes. An object that changed several times counts as often, so that this is an upper bound.
    bytes: u64,
}

#[derive(Debug)]
struct RecentChange {
    key: ObjectKey,
    number: u64,
    /// Estimated memory of the decoded object.
    bytes: u64,
}

impl Recent {
    /// Notes a change of an object that takes `bytes` when it is decoded. Returns its number, which is never 0.
    pub(super) fn note(&mut self, key: &ObjectKey, bytes: u64) -> u64 {
        self.count += 1;
        self.bytes += bytes;
        self.changes.push_back(RecentChange { key: key.clone(), number: self.count, bytes });
        self.count
    }

    /// Takes the oldest change that is not recent any more. The object may have changed since.
    pub(super) fn take_old(&mut self) -> Option<(ObjectKey, u64)> {
        if self.changes.len() <= RECENT && self.bytes <= RECENT_BYTES {
            return None;
        }
        let old = self.changes.pop_front()?;
        self.bytes -= old.bytes;
        Some((old.key, old.number))
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::work::{ClusterResourceBinding, ResourceBinding, Work};
    use portolan_object::Object;
    use serde_json::{Value, json};

    use super::*;

    fn kept<T: Content + PartialEq + std::fmt::Debug>(object: Value) -> bool {
        let object: Arc<T> = Arc::new(serde_json::from_value(object).expect("an object of the type"));
        let codec = Codec::<T>::new(Resource::of::<Work>(), None, ManagedFields::Dropped);
        match codec.keep(&ObjectKey::cluster("a"), 7, object.clone()) {
            Kept::Decoded(same) => {
                assert_eq!(same, object);
                false
            }
            Kept::Encoded(text) => {
                assert_eq!(codec.read(&text), *object);
                true
            }
            Kept::Shared(_) => unreachable!("there is no server"),
        }
    }

    #[test]
    fn what_is_kept_as_text_is_read_back_the_same() {
        let metadata = json!({ "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
            "labels": { "a": "ü\u{0}\"" }, "finalizers": ["f"], "generation": u64::MAX });
        let object =
            |rest: Value| json!({ "apiVersion": "v1", "kind": "K", "metadata": metadata, "rest": rest });
        assert!(kept::<Object>(object(json!([1, -1, u64::MAX, i64::MIN, "1.5", null, true, {}, []]))));
        assert!(!kept::<Object>(object(json!([{ "deep": 0.1 }]))), "a float stays decoded");
        let metadata = json!({ "name": "a", "namespace": "n", "resourceVersion": "7" });
        let work = json!({ "apiVersion": "work.karmada.io/v1alpha1", "kind": "Work", "metadata": metadata,
            "spec": { "workload": { "manifests": [object(json!(null))] }, "suspendDispatching": true },
            "status": { "manifestStatuses": [{ "identifier": { "ordinal": 0, "kind": "K", "version": "v1",
                "name": "a", "resource": "k", "group": "" }, "status": { "ready": 1 }, "health": "Healthy" }] } });
        assert!(kept::<Work>(work));
        let binding = |kind: &str| {
            json!({ "apiVersion": "work.karmada.io/v1alpha2", "kind": kind, "metadata": metadata,
                "spec": { "resource": { "apiVersion": "v1", "kind": "K", "name": "a" }, "replicas": 2,
                    "clusters": [{ "name": "m", "replicas": 2 }], "placement": { "clusterAffinity": {} },
                    "gracefulEvictionTasks": [{ "fromCluster": "m", "reason": "r", "producer": "p" }] },
                "status": { "aggregatedStatus": [{ "clusterName": "m", "status": { "ready": 1 } }] } })
        };
        assert!(kept::<ResourceBinding>(binding("ResourceBinding")));
        assert!(kept::<ClusterResourceBinding>(binding("ClusterResourceBinding")));
    }

    struct Server(&'static str);

    impl StoredObjects for Server {
        fn text(&self, _resource: &Resource, _key: &ObjectKey, version: u64) -> Option<Bytes> {
            (version == 7).then(|| Bytes::from_static(self.0.as_bytes()))
        }
    }

    #[test]
    fn the_text_of_a_server_in_this_process_is_shared() {
        let text =
            r#"{"kind":"K","apiVersion":"v1","metadata":{"name":"a","managedFields":[{}]},"data":{"f":0.1}}"#;
        let codec = Codec::<Object>::new(
            Resource::of::<Work>(),
            Some(Arc::new(Server(text))),
            ManagedFields::Dropped,
        );
        let object: Arc<Object> = Arc::new(serde_json::from_str(text).expect("an object"));
        let key = ObjectKey::cluster("a");
        let Kept::Shared(shared) = codec.keep(&key, 7, object.clone()) else { panic!("it is not shared") };
        assert_eq!(shared.as_ptr(), text.as_ptr());
        let want =
            json!({ "kind": "K", "apiVersion": "v1", "metadata": { "name": "a" }, "data": { "f": 0.1 } });
        assert_eq!(codec.read_shared(&shared), Object(want));
        assert!(codec.keep(&key, 8, object).is_decoded(), "the server has another version");
    }

    #[test]
    fn only_the_last_changes_are_recent() {
        let mut recent = Recent::default();
        let key = |index: usize| ObjectKey::cluster(index.to_string());
        for index in 0..RECENT {
            recent.note(&key(index), 1);
            assert_eq!(recent.take_old(), None);
        }
        recent.note(&key(0), 1);
        assert_eq!(recent.take_old(), Some((key(0), 1)));
        assert_eq!(recent.take_old(), None);
    }

    #[test]
    fn large_objects_are_recent_as_long_as_there_is_room() {
        let mut recent = Recent::default();
        let key = ObjectKey::cluster;
        recent.note(&key("small"), 1);
        recent.note(&key("half"), RECENT_BYTES / 2);
        assert_eq!(recent.take_old(), None);
        recent.note(&key("other half"), RECENT_BYTES / 2);
        assert_eq!(recent.take_old(), Some((key("small"), 1)));
        assert_eq!(recent.take_old(), None);
        recent.note(&key("huge"), RECENT_BYTES + 1);
        assert_eq!(recent.take_old(), Some((key("half"), 2)));
        assert_eq!(recent.take_old(), Some((key("other half"), 3)));
        assert_eq!(recent.take_old(), Some((key("huge"), 4)), "even the newest one");
        assert_eq!(recent.take_old(), None);
    }
}
