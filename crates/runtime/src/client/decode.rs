//! Decodes lists, watch frames and the answers to writes.
//!
//! Key and version of an object are decoded first, while the object is still text. `managedFields` are often half of
//! an object and expensive to decode, so they are cut out of the text in watches and in the answers to writes, unless a
//! reader asks for them.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use portolan_net::TraceContext;
use portolan_object::{ObjectKey, Status};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::client::error::ClientError;
use crate::resource::Resource;

/// An object with its key and version, as received from the server.
#[derive(Debug, Clone)]
pub struct Seen<T> {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The object.
    pub object: T,
    /// The trace of the write that made this version, or that deleted the object. Known in watches of a server in this
    /// process.
    pub(crate) trace: Option<TraceContext>,
}

/// Whether `managedFields` of objects are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManagedFields {
    /// They are cut out.
    Dropped,
    /// They are decoded like all other fields.
    Kept,
}

/// Most items of one page. Clients ask for 500; a server may ignore that, and items without content are short.
const MAX_PAGE_ITEMS: usize = 1_000_000;

/// One page of a list, with its items as text.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) items: Vec<&'a RawValue>,
    pub(crate) resource_version: String,
    pub(crate) continue_token: String,
}

/// One frame of a watch.
#[derive(Debug)]
pub enum WatchEvent<T> {
    /// Created, or came to match the selectors, or part of the initial state.
    Added(Seen<T>),
    /// Changed.
    Modified(Seen<T>),
    /// Created or changed by a write of this process, which has the object already. It is not decoded again.
    Known {
        /// Namespace and name.
        key: ObjectKey,
        /// `metadata.resourceVersion`.
        resource_version: String,
    },
    /// Deleted, or no longer matches the selectors; the object is in its last matching state.
    Deleted(Seen<T>),
    /// All changes up to this version have been sent.
    Bookmark {
        /// Version to resume from.
        resource_version: String,
        /// The initial state is complete (streaming lists).
        initial_events_end: bool,
    },
}

#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(crate) kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) metadata: Metadata<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    resource_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    annotations: Option<InitialEventsEnd<'a>>,
    #[serde(borrow, default)]
    managed_fields: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct InitialEventsEnd<'a> {
    #[serde(borrow, default, rename = "k8s.io/initial-events-end")]
    value: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ListBody<'a> {
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(borrow, default)]
    items: Option<Items<'a>>,
}

/// At most [`MAX_PAGE_ITEMS`] items.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;

        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = sequence.next_element()? {
                    if items.len() == MAX_PAGE_ITEMS {
                        return Err(A::Error::custom(format_args!(
                            "a page of more than {MAX_PAGE_ITEMS} objects"
                        )));
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }

        deserializer.deserialize_seq(ItemsVisitor).map(Self)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    continue_token: String,
}

impl Envelope<'_> {
    pub(crate) fn key(&self) -> ObjectKey {
        let text = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or_default().to_owned();
        ObjectKey { namespace: text(&self.metadata.namespace), name: text(&self.metadata.name) }
    }

    fn resource_version(&self) -> String {
        self.metadata.resource_version.as_deref().unwrap_or_default().to_owned()
    }

    fn seen<T>(&self, object: T) -> Seen<T> {
        Seen { key: self.key(), resource_version: self.resource_version(), object, trace: None }
    }

    /// UID and version.
    fn version(&self) -> (&str, &str) {
        let metadata = &self.metadata;
        (
            metadata.uid.as_deref().unwrap_or_default(),
            metadata.resource_version.as_deref().unwrap_or_default(),
        )
    }
}

/// Decodes one object. Items of built-in lists have no `apiVersion` and `kind`; they are added.
pub(crate) fn object<T: DeserializeOwned>(
    raw: &str,
    resource: &Resource,
) -> Result<Seen<T>, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_str(raw)?;
    let seen = |object| envelope.seen(object);
    if envelope.kind.is_some() {
        return Ok(seen(serde_json::from_str(raw)?));
    }
    let fields = raw.trim_start().strip_prefix('{').unwrap_or(raw);
    let (api_version, kind) = (resource.gvk.api_version(), &resource.gvk.kind);
    let typed = format!(r#"{{"apiVersion":"{api_version}","kind":"{kind}",{fields}"#);
    Ok(seen(serde_json::from_str(&typed)?))
}

/// Decodes one object that did not come in a list.
pub(crate) fn object_of_one<T: DeserializeOwned>(
    raw: &str,
    resource: &Resource,
    managed_fields: ManagedFields,
) -> Result<Seen<T>, serde_json::Error> {
    object_of(&serde_json::from_str(raw)?, raw, resource, managed_fields)
}

/// Decodes the object of an envelope that is decoded already.
fn object_of<T: DeserializeOwned>(
    envelope: &Envelope<'_>,
    raw: &str,
    resource: &Resource,
    managed_fields: ManagedFields,
) -> Result<Seen<T>, serde_json::Error> {
    if envelope.kind.is_none() {
        return object(raw, resource);
    }
    let cut = envelope.metadata.managed_fields.filter(|_| managed_fields == ManagedFields::Dropped);
    let shortened = cut.and_then(|fields| without(raw, fields.get()));
    let object = serde_json::from_str(shortened.as_deref().unwrap_or(raw))?;
    Ok(envelope.seen(object))
}

/// `raw` without the field `managedFields`; `value` is the slice of `raw` that holds its value. `None` if the text around
/// it is unusual; the object is then decoded with the field.
fn without(raw: &str, value: &str) -> Option<String> {
    // Offset of `value`: both are slices of one text.
    let start = (value.as_ptr() as usize).checked_sub(raw.as_ptr() as usize)?;
    let after = raw.get(start + value.len()..)?;
    let before = raw.get(..start)?.trim_end().strip_suffix(':')?.trim_end();
    let before = before.strip_suffix(r#""managedFields""#)?.trim_end();
    // Remove one of the commas around it.
    let (before, after) = match before.strip_suffix(',') {
        Some(before) => (before, after),
        None => (before, after.trim_start().strip_prefix(',').unwrap_or(after)),
    };
    Some([before, after].concat())
}

pub(crate) fn page(body: &[u8]) -> Result<Page<'_>, serde_json::Error> {
    let list: ListBody<'_> = serde_json::from_slice(body)?;
    let items = list.items.map(|items| items.0).unwrap_or_default();
    let ListMetadata { resource_version, continue_token } = list.metadata;
    Ok(Page { items, resource_version, continue_token })
}

/// Decodes one line of a watch. Of objects for which `is_known` holds, only key and version are decoded.
pub(crate) fn frame<T: DeserializeOwned>(
    line: &Bytes,
    resource: &Resource,
    managed_fields: ManagedFields,
    is_known: impl Fn(&ObjectKey, &str) -> bool,
) -> Result<WatchEvent<T>, ClientError> {
    if let Some((kind, raw)) = split_frame(line)
        && let Ok(event) = event(kind, raw, (resource, managed_fields), &is_known)
    {
        return Ok(event);
    }
    let unreadable = |source| ClientError::Unreadable { request: format!("watch of {resource}"), source };
    let frame: Frame<'_> = serde_json::from_slice(line).map_err(unreadable)?;
    event(&frame.kind, frame.object.get(), (resource, managed_fields), &is_known)
}

/// Splits a line in the format of kube-apiserver into type and object, without parsing the object to find its end. If
/// anything follows the object, decoding it fails.
fn split_frame(line: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(line).ok()?.trim_ascii_end();
    let (kind, rest) = text.strip_prefix(r#"{"type":""#)?.split_once('"')?;
    Some((kind, rest.strip_prefix(r#","object":"#)?.strip_suffix('}')?))
}

fn event<T: DeserializeOwned>(
    kind: &str,
    raw: &str,
    (resource, managed_fields): (&Resource, ManagedFields),
    is_known: &impl Fn(&ObjectKey, &str) -> bool,
) -> Result<WatchEvent<T>, ClientError> {
    let unreadable = |source| ClientError::Unreadable { request: format!("watch of {resource}"), source };
    match kind {
        kind @ ("ADDED" | "MODIFIED") => {
            let envelope: Envelope<'_> = serde_json::from_str(raw).map_err(unreadable)?;
            let (key, resource_version) = (envelope.key(), envelope.resource_version());
            if is_known(&key, &resource_version) {
                return Ok(WatchEvent::Known { key, resource_version });
            }
            let mut seen = object_of(&envelope, raw, resource, managed_fields).map_err(unreadable)?;
            let (uid, version) = envelope.version();
            seen.trace = TraceContext::of_write(uid, version);
            Ok(if kind == "ADDED" { WatchEvent::Added(seen) } else { WatchEvent::Modified(seen) })
        }
        "DELETED" => {
            let envelope: Envelope<'_> = serde_json::from_str(raw).map_err(unreadable)?;
            let mut seen = object_of(&envelope, raw, resource, managed_fields).map_err(unreadable)?;
            let (uid, version) = envelope.version();
            seen.trace = TraceContext::of_deletion(uid, version);
            Ok(WatchEvent::Deleted(seen))
        }
        "BOOKMARK" => {
            let envelope: Envelope<'_> = serde_json::from_str(raw).map_err(unreadable)?;
            let end = envelope.metadata.annotations.as_ref().and_then(|mark| mark.value.as_deref());
            let initial_events_end = end == Some("true");
            Ok(WatchEvent::Bookmark { resource_version: envelope.resource_version(), initial_events_end })
        }
        // ERROR carries a Status. An unknown type is an error as well, as in client-go.
        _ => {
            let status: Status = serde_json::from_str(raw).map_err(unreadable)?;
            Err(ClientError::from_status(status))
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_object::Object;

    use portolan_api::resources;

    use super::*;

    fn config_maps() -> Resource {
        resources::CONFIG_MAP.into()
    }

    #[test]
    fn managed_fields_are_cut_out() {
        let cases = [
            ("absent", r#"{"name":"a"}"#),
            ("last", r#"{"name":"a","managedFields":[{"manager":"m","fieldsV1":{"f:data":{}}}]}"#),
            ("first", r#"{"managedFields":[{"manager":"m, \"}]"}],"name":"a"}"#),
            ("between", r#"{"name":"a", "managedFields" : [ ] , "uid":"u"}"#),
            ("alone", r#"{"managedFields":[]}"#),
            ("null", r#"{"name":"a","managedFields":null}"#),
            ("an annotation of that name", r#"{"annotations":{"managedFields":"x"},"managedFields":[1]}"#),
        ];
        for (name, metadata) in cases {
            let text = format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{metadata},"data":{{"k":"v"}}}}"#
            );
            let mut want: Object = serde_json::from_str(&text).expect("an object");
            let read: Seen<Object> =
                object_of_one(&text, &config_maps(), ManagedFields::Dropped).expect("an object");
            // `null` costs nothing to read, and means the same.
            if name != "null" {
                want.metadata_mut().remove("managedFields");
            }
            assert_eq!(read.object, want, "{name}");
            let whole: Seen<Object> =
                object_of_one(&text, &config_maps(), ManagedFields::Kept).expect("an object");
            assert_eq!(Some(whole.object), serde_json::from_str(&text).ok(), "{name}");
        }
    }

    #[test]
    fn list_items_get_their_kind() {
        let body =
            br#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"t"},
            "items":[{"metadata":{"name":"a","namespace":"n","resourceVersion":"3"},"data":{"k":"v"}}]}"#;
        let page = page(body).expect("a list");
        assert_eq!((page.resource_version.as_str(), page.continue_token.as_str()), ("7", "t"));
        let item: Seen<Object> = object(page.items[0].get(), &config_maps()).expect("an object");
        assert_eq!(item.key, ObjectKey::namespaced("n", "a"));
        assert_eq!(item.resource_version, "3");
        assert_eq!(item.object.group_version_kind(), config_maps().gvk);
        assert_eq!(item.object.str_at(&["data", "k"]), "v");
    }

    #[test]
    fn an_empty_list_may_say_null() {
        let body = br#"{"metadata":{"resourceVersion":"7"},"items":null}"#;
        assert!(page(body).expect("a list").items.is_empty());
    }

    #[test]
    fn a_page_of_too_many_items_is_refused() {
        let body = |count: usize| format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(count - 1));
        let items = |count| page(body(count).as_bytes()).map(|page| page.items.len());
        assert_eq!(items(MAX_PAGE_ITEMS).expect("it fits"), MAX_PAGE_ITEMS);
        let refused = items(MAX_PAGE_ITEMS + 1).expect_err("one too many").to_string();
        assert!(refused.starts_with("a page of more than 1000000 objects"), "{refused}");
    }

    #[test]
    fn frames() {
        let read = |text: &'static str| {
            frame::<Object>(
                &Bytes::from_static(text.as_bytes()),
                &config_maps(),
                ManagedFields::Dropped,
                |_, _| false,
            )
        };
        let added = r#"{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"3"}}}"#;
        assert!(matches!(read(added), Ok(WatchEvent::Added(seen)) if seen.resource_version == "3"));
        let known = added.replace(r#""a""#, r#""known""#);
        let known = frame::<Object>(&Bytes::from(known), &config_maps(), ManagedFields::Dropped, |key, _| {
            key.name == "known"
        });
        assert!(matches!(known, Ok(WatchEvent::Known { resource_version, .. }) if resource_version == "3"));
        let end = r#"{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert!(matches!(read(end), Ok(WatchEvent::Bookmark { initial_events_end: true, .. })));
        let bookmark = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#;
        assert!(matches!(read(bookmark), Ok(WatchEvent::Bookmark { initial_events_end: false, .. })));
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1138 (1148)","reason":"Expired","code":410}}"#;
        assert!(matches!(read(gone), Err(ClientError::Expired(_))));
        assert!(matches!(read("{"), Err(ClientError::Unreadable { .. })));
        let other_order =
            r#"{ "object" : {"metadata":{"name":"a","resourceVersion":"3"}}, "type" : "DELETED" }"#;
        assert!(matches!(read(other_order), Ok(WatchEvent::Deleted(seen)) if seen.key.name == "a"));
        let more = r#"{"type":"DELETED","object":{"metadata":{"name":"a"}},"later":{}}"#;
        assert!(matches!(read(more), Ok(WatchEvent::Deleted(seen)) if seen.key.name == "a"));
        let cut = r#"{"type":"DELETED","object":{"metadata":{"name":"a"}}"#;
        assert!(matches!(read(cut), Err(ClientError::Unreadable { .. })));
    }
}
