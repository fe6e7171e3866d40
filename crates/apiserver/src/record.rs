//! One stored version of an object: its encoded bytes, and beside them what selectors and deletion ask for.
//!
//! The bytes are the watch frame of the write that made this version. A watcher gets them as they are, a GET or a
//! LIST gets a slice of them, so an object is encoded once in its life. The revision is known only when the store
//! commits, so it is written into room left in front of the content; nothing is moved or encoded again.
//!
//! ```text
//! {"type":"ADDED","object":{"kind":"K","apiVersion":"V","metadata":{"resourceVersion":"42","name":...},...}}\n
//! └───────── opening, one for each kind ────────────────────────────┘└rev┘└──────── content ──────────────────┘
//! ```
//!
//! Records never change after they are stamped. Field values are read from the bytes, not kept.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use portolan_store::{Payload, PayloadError, Revision};
use serde::Deserialize;
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Digits of the largest revision.
const REVISION_DIGITS: usize = 20;

const METADATA_OPENING: &str = r#""metadata":{"resourceVersion":""#;

/// What a write did to its object, as the watch frame names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The object is new.
    Added,
    /// The object was there before.
    Modified,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
        }
    }
}

/// The text in front of the revision, the same for all objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    text: Box<str>,
    /// Where the object starts in `text`.
    object: usize,
    /// Where `"metadata"` starts in `text`.
    members: usize,
}

impl Opening {
    /// The opening of objects of one kind, written by one sort of change.
    pub fn new(api_version: &str, kind: &str, change: Change) -> Self {
        let frame = frame_opening(change.word());
        let object = object_opening(api_version, kind);
        Self {
            text: format!("{frame}{object}{METADATA_OPENING}").into(),
            object: frame.len(),
            members: frame.len() + object.len(),
        }
    }
}

/// `{"type":"ADDED","object":`.
pub fn frame_opening(word: &str) -> String {
    format!(r#"{{"type":"{word}","object":"#)
}

/// `{"kind":"ConfigMap","apiVersion":"v1",`.
pub fn object_opening(api_version: &str, kind: &str) -> String {
    format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","#)
}

/// What ends a watch frame after its object.
pub const FRAME_END: &str = "}\n";

/// What is known of an object without parsing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub is_deleting: bool,
}

/// One version of an object.
#[derive(Debug)]
pub struct Record {
    /// The whole watch frame; empty until stamped.
    frame: Bytes,
    pending: Option<Box<Pending>>,
    object: u16,
    members: u16,
    /// Where the revision's digits start.
    revision: u16,
    /// Where the content starts: the quote behind the revision.
    content: u16,
    /// Bytes of content up to the end of `metadata`.
    metadata: u32,
    summary: Summary,
    /// The frame that tells watchers of this version's end.
    farewell: OnceLock<Box<Bytes>>,
    /// Values of the kind's selectable fields, in the order of its table.
    fields: OnceLock<Box<[Box<str>]>>,
}

#[derive(Debug)]
struct Pending {
    opening: Arc<Opening>,
    /// Room for opening and revision, then the content and the frame's end.
    buffer: Vec<u8>,
}

impl Record {
    /// Encodes an object. `kind`, `apiVersion` and the resourceVersion of `object` are ignored: the opening and the
    /// store provide them.
    pub fn new(opening: Arc<Opening>, object: &Value) -> Self {
        let room = opening.text.len() + REVISION_DIGITS;
        let mut buffer = vec![0; room];
        let metadata_end = write_content(&mut buffer, object);
        let summary = Summary::of(object);
        Self::pending(opening, buffer, metadata_end - room, summary)
    }

    fn pending(opening: Arc<Opening>, mut buffer: Vec<u8>, metadata: usize, summary: Summary) -> Self {
        buffer.extend_from_slice(FRAME_END.as_bytes());
        buffer.shrink_to_fit();
        Self {
            frame: Bytes::new(),
            object: narrow(opening.object),
            members: narrow(opening.members),
            revision: narrow(opening.text.len()),
            content: 0,
            metadata: u32::try_from(metadata).unwrap_or(u32::MAX),
            pending: Some(Box::new(Pending { opening, buffer })),
            summary,
            farewell: OnceLock::new(),
            fields: OnceLock::new(),
        }
    }

    /// The watch frame that announces this version: `ADDED` when the write created the object.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Whether [`Record::frame`] says `ADDED`.
    pub fn was_added(&self) -> bool {
        self.frame.starts_with(br#"{"type":"ADDED""#)
    }

    /// The encoded object, with kind and apiVersion of the version it is stored in.
    pub fn object(&self) -> Bytes {
        self.frame.slice(usize::from(self.object)..self.end())
    }

    /// The object without its opening brace, kind and apiVersion: `"metadata":{...},...}`.
    pub fn members(&self) -> Bytes {
        self.frame.slice(usize::from(self.members)..self.end())
    }

    /// `"metadata":{...}`.
    pub fn metadata(&self) -> Bytes {
        let end = usize::from(self.content) + self.metadata as usize;
        self.frame.slice(usize::from(self.members)..end)
    }

    /// [`Record::metadata`] as if the object had been written at another revision.
    pub fn metadata_at(&self, revision: Revision) -> Bytes {
        let (content, digits) = (usize::from(self.content), revision.0.to_string());
        let parts = [
            &self.frame[usize::from(self.members)..usize::from(self.revision)],
            digits.as_bytes(),
            &self.frame[content..content + self.metadata as usize],
        ];
        Bytes::from(parts.concat())
    }

    /// The same object as if it had been written at another revision.
    #[must_use]
    pub fn at(&self, revision: Revision) -> Self {
        Self::decode(self.encode(), revision).expect("the durable form of a record is a record")
    }

    /// The frame `DELETED` with this content and the revision that ended it: a deletion, or a change by which the
    /// object left a selector. Each version ends only once, so all watchers share the bytes.
    pub fn farewell(&self, ended: Revision) -> Bytes {
        let make = || {
            let mut frame = frame_opening("DELETED").into_bytes();
            frame.reserve(self.frame.len() + REVISION_DIGITS);
            frame.extend_from_slice(&self.frame[usize::from(self.object)..usize::from(self.revision)]);
            frame.extend_from_slice(ended.0.to_string().as_bytes());
            frame.extend_from_slice(&self.frame[usize::from(self.content)..]);
            Box::new(Bytes::from(frame))
        };
        Bytes::clone(self.farewell.get_or_init(make))
    }

    /// What is known without parsing.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Values of selectable fields, read once by `read`.
    pub fn fields(&self, read: impl FnOnce(&Value) -> Vec<String>) -> &[Box<str>] {
        let make = || read(&self.value()).into_iter().map(String::into_boxed_str).collect();
        self.fields.get_or_init(make)
    }

    /// The object as a tree, with kind, apiVersion and resourceVersion.
    pub fn value(&self) -> Value {
        let object = &self.frame[usize::from(self.object)..self.end()];
        serde_json::from_slice(object).expect("a record holds what serde_json has written")
    }

    /// Whether both hold the same object, whatever their revisions.
    pub fn is_same(&self, other: &Self) -> bool {
        self.body() == other.body()
    }

    /// The content with the object's closing brace, without the frame's end.
    fn body(&self) -> &[u8] {
        let bytes = match &self.pending {
            Some(pending) => &pending.buffer[pending.room()..],
            None => &self.frame[usize::from(self.content)..],
        };
        &bytes[..bytes.len() - FRAME_END.len()]
    }

    /// Where the object ends in the frame.
    fn end(&self) -> usize {
        self.frame.len() - FRAME_END.len()
    }
}

impl Pending {
    fn room(&self) -> usize {
        self.opening.text.len() + REVISION_DIGITS
    }
}

impl Payload for Record {
    fn stamp(&mut self, revision: Revision) {
        let Some(pending) = self.pending.take() else { return };
        let digits = revision.0.to_string();
        let text = &pending.opening.text;
        let start = REVISION_DIGITS - digits.len();
        let middle = start + text.len();
        let content = pending.room();
        let mut buffer = pending.buffer;
        buffer[start..middle].copy_from_slice(text.as_bytes());
        buffer[middle..content].copy_from_slice(digits.as_bytes());
        self.content = narrow(content - start);
        self.frame = Bytes::from(buffer).slice(start..);
    }

    fn encode(&self) -> Bytes {
        let (opening, object, members) = match &self.pending {
            Some(pending) => {
                (pending.opening.text.as_bytes(), pending.opening.object, pending.opening.members)
            }
            None => (&self.frame[..], usize::from(self.object), usize::from(self.members)),
        };
        let body = self.body();
        let mut out = Vec::with_capacity(members - object + body.len() + METADATA_OPENING.len());
        out.extend_from_slice(&opening[object..members]);
        out.extend_from_slice(DURABLE_METADATA.as_bytes());
        // The content starts with the revision's closing quote and a comma.
        out.extend_from_slice(&body[2..]);
        Bytes::from(out)
    }

    fn weight(&self) -> usize {
        self.frame.len()
    }

    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError> {
        let header: Header = serde_json::from_slice(&bytes).map_err(PayloadError::new)?;
        let object = object_opening(&header.api_version, &header.kind);
        let members = bytes
            .strip_prefix(object.as_bytes())
            .and_then(|rest| rest.strip_prefix(DURABLE_METADATA.as_bytes()))
            .ok_or_else(|| {
                PayloadError::new("the object does not start with kind, apiVersion and metadata")
            })?;
        let opening = Arc::new(Opening::new(&header.api_version, &header.kind, Change::Modified));
        let room = opening.text.len() + REVISION_DIGITS;
        let mut buffer = Vec::with_capacity(room + members.len() + 4);
        buffer.resize(room, 0);
        buffer.extend_from_slice(b"\",");
        buffer.extend_from_slice(members);
        // The raw text counts `{`, the content counts the quote and the comma that stand for it.
        let metadata = header.metadata.get().len() + 1;
        let labels: Labels = serde_json::from_str(header.metadata.get()).map_err(PayloadError::new)?;
        let mut record = Self::pending(opening, buffer, metadata, labels.into());
        record.stamp(revision);
        Ok(record)
    }
}

/// How `metadata` opens in the durable form, which has no revision.
const DURABLE_METADATA: &str = r#""metadata":{"#;

/// The members that the durable form opens with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    kind: String,
    api_version: String,
    #[serde(borrow)]
    metadata: &'a serde_json::value::RawValue,
}

/// The part of `metadata` that becomes the summary.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Labels {
    #[serde(default)]
    uid: Box<str>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
}

impl From<Labels> for Summary {
    fn from(metadata: Labels) -> Self {
        let is_deleting = metadata.deletion_timestamp.is_some();
        Self { uid: metadata.uid, labels: metadata.labels, is_deleting }
    }
}

impl Summary {
    fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let labels = metadata["labels"].as_object().into_iter().flatten();
        Self {
            uid: metadata["uid"].as_str().unwrap_or_default().into(),
            labels: labels
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            is_deleting: metadata["deletionTimestamp"].is_string(),
        }
    }
}

/// `"metadata":{...},...}` of an object that is shown otherwise than it is stored.
pub fn encode_members(object: &Value) -> Bytes {
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let mut bytes = format!("{METADATA_OPENING}{version}").into_bytes();
    write_content(&mut bytes, object);
    Bytes::from(bytes)
}

/// Appends everything behind the revision, and says where `metadata` ends.
fn write_content(out: &mut Vec<u8>, object: &Value) -> usize {
    let empty = Map::new();
    let metadata = object["metadata"].as_object().unwrap_or(&empty);
    out.push(b'"');
    for (name, value) in metadata {
        if name != "resourceVersion" && name != "selfLink" {
            write_member(out, name, value);
        }
    }
    out.push(b'}');
    let metadata_end = out.len();
    for (name, value) in object.as_object().unwrap_or(&empty) {
        if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
            write_member(out, name, value);
        }
    }
    out.push(b'}');
    metadata_end
}

fn write_member(out: &mut Vec<u8>, name: &str, value: &Value) {
    const INFALLIBLE: &str = "a JSON tree always encodes into memory";
    out.push(b',');
    serde_json::to_writer(&mut *out, name).expect(INFALLIBLE);
    out.push(b':');
    serde_json::to_writer(out, value).expect(INFALLIBLE);
}

/// Openings are short: a kind has at most 63 characters and an apiVersion 253 and a few.
fn narrow(offset: usize) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}
