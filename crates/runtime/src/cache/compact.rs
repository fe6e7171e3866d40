//! Compact caches keep an object as JSON, and decode it when it is read.
//!
//! A decoded object takes about five times the memory of its JSON, because each map of it is a node of a B-tree with room for
//! eleven entries. Most objects of a large cache are not read for hours. Those that changed last stay decoded for some seconds,
//! because controllers read an object several times shortly after it changed. The JSON is shared with the server if it is in
//! this process and keeps the object in the same form; otherwise it is compressed.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use portolan_object::ObjectKey;
use portolan_packing::{Packed, Packer};
use serde_json::ser::Formatter;

use crate::cache::Content;
use crate::cache::size::memory_of;
use crate::client::{ManagedFields, StoredObject, StoredObjects, object_of_one};
use crate::resource::Resource;

/// Objects of a compact cache that stay decoded: those that changed last.
pub(super) const MAX_RECENT_OBJECTS: usize = 256;
/// Estimated memory of these objects, in bytes.
pub(super) const MAX_RECENT_BYTES: u64 = 1 << 20;
/// Time without a change after which none stays decoded.
pub(super) const RECENT_TIME: Duration = Duration::from_secs(10);

/// An object as a cache keeps it.
pub(super) enum Kept<T> {
    Decoded(Arc<T>),
    /// JSON of the trimmed object.
    Encoded(Arc<[u8]>),
    /// The same, compressed.
    Packed(Arc<Packed>),
    /// What the server in this process keeps itself.
    Shared(Arc<dyn StoredObject>),
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Decoded(object) => Self::Decoded(object.clone()),
            Self::Encoded(text) => Self::Encoded(text.clone()),
            Self::Packed(text) => Self::Packed(text.clone()),
            Self::Shared(object) => Self::Shared(object.clone()),
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
    encode: fn(&T) -> Option<Vec<u8>>,
    decode: fn(&[u8]) -> T,
    decode_shared: fn(&[u8], &Resource, ManagedFields) -> T,
    memory_of: fn(&T) -> u64,
    resource: Resource,
    stored: Option<Arc<dyn StoredObjects>>,
    managed_fields: ManagedFields,
    packer: Packer,
}

impl<T: Content> Codec<T> {
    pub(super) fn new(
        resource: Resource,
        stored: Option<Arc<dyn StoredObjects>>,
        managed_fields: ManagedFields,
    ) -> Self {
        let (encode, decode, decode_shared) = (encode::<T>, decode::<T>, decode_shared::<T>);
        let memory_of = memory_of::<T>;
        let packer = Packer::default();
        Self { encode, decode, decode_shared, memory_of, resource, stored, managed_fields, packer }
    }
}

impl<T> Codec<T> {
    /// The object as JSON. It stays decoded if that would not keep each value.
    pub(super) fn keep(&self, key: &ObjectKey, version: u64, object: Arc<T>) -> Kept<T> {
        let stored = self.stored.as_ref().and_then(|stored| stored.find(&self.resource, key, version));
        if let Some(stored) = stored {
            return Kept::Shared(stored);
        }
        let Some(text) = (self.encode)(&object) else { return Kept::Decoded(object) };
        match self.packer.pack(&self.resource.plural, &text) {
            Some(packed) => Kept::Packed(Arc::new(packed)),
            None => Kept::Encoded(text.into()),
        }
    }

    /// The memory of a decoded object in bytes, estimated.
    pub(super) fn memory_of(&self, object: &T) -> u64 {
        (self.memory_of)(object)
    }

    /// Decodes what [`Kept::Encoded`] has, or [`Kept::Packed`] without its compression.
    pub(super) fn read(&self, text: &[u8]) -> T {
        (self.decode)(text)
    }

    /// Decodes what [`Kept::Shared`] has, not trimmed.
    pub(super) fn read_shared(&self, object: &dyn StoredObject) -> T {
        (self.decode_shared)(&object.text(), &self.resource, self.managed_fields)
    }
}

/// `None` for an object with a floating-point number: reading it back could change its last digit.
fn encode<T: Content>(object: &T) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    object.serialize(&mut serde_json::Serializer::with_formatter(&mut text, WithoutFloats)).ok()?;
    Some(text)
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

/// The latest changes, which are those of the objects that stay decoded. An object that changed several times counts as
/// often.
#[derive(Debug, Default)]
pub(super) struct Recent {
    changes: VecDeque<RecentChange>,
    count: u64,
    bytes: u64,
}

#[derive(Debug)]
struct RecentChange {
    key: Arc<ObjectKey>,
    number: u64,
    bytes: u64,
}

impl Recent {
    /// Notes a change to an object that takes `bytes`. Returns its number, which is never 0.
    pub(super) fn note(&mut self, key: &Arc<ObjectKey>, bytes: u64) -> u64 {
        self.count += 1;
        self.bytes += bytes;
        self.changes.push_back(RecentChange { key: key.clone(), number: self.count, bytes });
        self.count
    }

    /// Takes the oldest change, with its number, if the limits do not allow to keep it. The object may have changed since.
    pub(super) fn take_surplus(&mut self) -> Option<(Arc<ObjectKey>, u64)> {
        let is_full = self.changes.len() > MAX_RECENT_OBJECTS || self.bytes > MAX_RECENT_BYTES;
        if is_full { self.take_oldest() } else { None }
    }

    /// Takes the oldest change, with its number. The object may have changed since.
    pub(super) fn take_oldest(&mut self) -> Option<(Arc<ObjectKey>, u64)> {
        let RecentChange { key, number, bytes } = self.changes.pop_front()?;
        self.bytes -= bytes;
        if self.changes.is_empty() {
            // Gives the memory back.
            self.changes = VecDeque::new();
        }
        Some((key, number))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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
            Kept::Packed(packed) => {
                assert_eq!(codec.read(&packed.unpack()), *object);
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

    #[derive(Clone, Copy)]
    struct Server(&'static str);

    impl StoredObjects for Server {
        fn find(&self, _: &Resource, _: &ObjectKey, version: u64) -> Option<Arc<dyn StoredObject>> {
            (version == 7).then(|| Arc::new(*self) as Arc<dyn StoredObject>)
        }
    }

    impl StoredObject for Server {
        fn text(&self) -> Bytes {
            Bytes::from_static(self.0.as_bytes())
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
        assert_eq!(shared.text().as_ptr(), text.as_ptr());
        let want =
            json!({ "kind": "K", "apiVersion": "v1", "metadata": { "name": "a" }, "data": { "f": 0.1 } });
        assert_eq!(codec.read_shared(&*shared), Object(want));
        assert!(codec.keep(&key, 8, object).is_decoded(), "the server has another version");
    }

    #[test]
    fn only_the_last_changes_are_recent() {
        let mut recent = Recent::default();
        let key = |index: usize| Arc::new(ObjectKey::cluster(index.to_string()));
        for index in 0..MAX_RECENT_OBJECTS {
            recent.note(&key(index), 1);
            assert_eq!(recent.take_surplus(), None);
        }
        recent.note(&key(0), 1);
        assert_eq!(recent.take_surplus(), Some((key(0), 1)));
        assert_eq!(recent.take_surplus(), None);
        // As many as it takes to make room for a large one, and itself if it is too large.
        recent.note(&key(1), MAX_RECENT_BYTES - 2);
        let surplus: Vec<_> = std::iter::from_fn(|| recent.take_surplus()).collect();
        assert_eq!(surplus.len(), MAX_RECENT_OBJECTS - 2);
        recent.note(&key(2), MAX_RECENT_BYTES + 1);
        assert_eq!(std::iter::from_fn(|| recent.take_surplus()).count(), 4);
        assert!(recent.is_empty());
        recent.note(&key(3), 1);
        assert_eq!((recent.take_surplus(), recent.take_oldest().is_some()), (None, true));
        assert!(recent.is_empty() && recent.take_oldest().is_none());
    }
}
