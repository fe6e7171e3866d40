//! [`Record`]: one stored version of an object, encoded once for the store, for reads and for watches.
//!
//! The bytes are the watch frame of the write that made this version. Watches send the frame, GET and LIST send slices
//! of it, so each version is encoded once. The revision is known only when the store commits; it is written into space
//! reserved in front of the content, and nothing is moved.
//!
//! ```text
//! {"type":"ADDED","object":{"kind":"K","apiVersion":"V","metadata":{"resourceVersion":"42","name":...},...}}\n
//! └───────── opening, one for each kind ────────────────────────────┘└rev┘└──────── content ──────────────────┘
//! ```
//!
//! A record is immutable once it is stamped. Beside the bytes it holds what selectors and deletion read often
//! ([`Summary`]); other fields are parsed from the bytes. The bytes of a record that is seldom read are kept compressed
//! (`record/text.rs`).

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use portolan_net::TraceContext;
use portolan_packing::Packer;
use portolan_store::{Payload, PayloadError, Revision};
use serde_json::{Map, Value};

use header::Header;
pub use summary::Summary;
use text::Text;

mod header;
mod summary;
mod text;

#[cfg(test)]
mod tests;

/// Digits of the largest revision.
const REVISION_DIGITS: usize = 20;

const METADATA_OPENING: &str = r#""metadata":{"resourceVersion":""#;

/// The event type of a write in watch frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The object was created.
    Added,
    /// The object existed before.
    Modified,
}

impl Change {
    fn as_str(self) -> &'static str {
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
    offsets: Offsets,
}

/// Offsets into an [`Opening`], in bytes. Records hold a copy, so they are small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offsets {
    /// Start of the object.
    object: u16,
    /// Start of `"metadata"`.
    fields: u16,
    /// Start of the revision: the length of the opening.
    revision: u16,
}

/// A kind and apiVersion that are too long for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kind and apiVersion have {bytes} bytes together, more than a record can hold")]
pub struct OpeningTooLong {
    bytes: usize,
}

impl Opening {
    /// The opening of the frames of one kind and one event type.
    ///
    /// # Errors
    /// When kind and apiVersion have about 64 KiB or more. Valid ones have less than 500 bytes.
    pub fn new(api_version: &str, kind: &str, change: Change) -> Result<Self, OpeningTooLong> {
        let frame = frame_opening(change.as_str());
        let object = object_opening(api_version, kind);
        let text = format!("{frame}{object}{METADATA_OPENING}");
        let offset = |bytes: usize| {
            // The revision follows, and its end must be a valid offset too.
            let checked = u16::try_from(bytes + REVISION_DIGITS).and(u16::try_from(bytes));
            checked.map_err(|_| OpeningTooLong { bytes: api_version.len() + kind.len() })
        };
        let offsets = Offsets {
            object: offset(frame.len())?,
            fields: offset(frame.len() + object.len())?,
            revision: offset(text.len())?,
        };
        Ok(Self { text: text.into(), offsets })
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

/// The end of a watch frame, after its object.
pub const FRAME_END: &str = "}\n";

/// What the frames of created objects begin with.
const ADDED_OPENING: &str = r#"{"type":"ADDED","object":"#;

/// One version of an object.
#[derive(Debug)]
pub struct Record {
    /// The whole watch frame; empty until stamped.
    text: Text,
    /// `None` once stamped.
    pending: Option<Box<Pending>>,
    offsets: Offsets,
    /// Digits of the revision; 0 until stamped.
    revision_digits: u16,
    /// Bytes of content up to the end of `metadata`.
    metadata: usize,
    summary: Summary,
    /// Values of the kind's selectable fields, in the order of its table.
    fields: OnceLock<Box<[Box<str>]>>,
}

/// A record without a revision.
#[derive(Debug)]
struct Pending {
    opening: Arc<Opening>,
    /// Reserved space for opening and revision, then the content and the end of the frame.
    buffer: Vec<u8>,
    /// The trace of the request that writes it.
    trace: Option<TraceContext>,
}

impl Record {
    /// Encodes an object. `kind`, `apiVersion` and the resourceVersion of `object` are ignored: the opening and the
    /// store provide them.
    pub fn new(opening: Arc<Opening>, object: &Value) -> Self {
        let room = opening.text.len() + REVISION_DIGITS;
        let mut buffer = vec![0; room];
        let metadata_end = write_content(&mut buffer, object);
        let summary = Summary::of(object);
        Self::pending(opening, buffer, metadata_end - room, summary, TraceContext::current())
    }

    fn pending(
        opening: Arc<Opening>,
        mut buffer: Vec<u8>,
        metadata: usize,
        summary: Summary,
        trace: Option<TraceContext>,
    ) -> Self {
        buffer.extend_from_slice(FRAME_END.as_bytes());
        // A copy of the right size, because allocators do not shrink a block by less than half.
        let buffer = buffer.as_slice().to_vec();
        Self {
            offsets: opening.offsets,
            revision_digits: 0,
            metadata,
            text: Text::new(Bytes::new()),
            pending: Some(Box::new(Pending { opening, buffer, trace })),
            summary,
            fields: OnceLock::new(),
        }
    }

    /// The watch frame that announces this version: `ADDED` when the write created the object. Empty until stamped.
    pub fn frame(&self) -> Bytes {
        self.text.frame()
    }

    /// Whether [`Record::frame`] says `ADDED`.
    pub fn was_added(&self) -> bool {
        usize::from(self.offsets.object) == ADDED_OPENING.len()
    }

    /// Bytes of the frame.
    pub fn frame_len(&self) -> usize {
        self.text.len()
    }

    /// Compresses the bytes if the record was not read since the last call; reading it stays possible.
    pub fn rest(&self, packer: &Packer) {
        self.text.rest(packer, self.offsets);
    }

    /// Compresses the bytes; reading the record stays possible.
    pub fn pack(&self, packer: &Packer) {
        self.text.pack(packer, self.offsets);
    }

    /// The encoded object, with kind and apiVersion of the version it is stored in.
    pub fn object(&self) -> Bytes {
        let frame = self.frame();
        frame.slice(usize::from(self.offsets.object)..end(&frame))
    }

    /// The object without its opening brace, kind and apiVersion: `"metadata":{...},...}`.
    pub fn object_fields(&self) -> Bytes {
        let frame = self.frame();
        frame.slice(usize::from(self.offsets.fields)..end(&frame))
    }

    /// `"metadata":{...}`.
    pub fn metadata(&self) -> Bytes {
        self.frame().slice(usize::from(self.offsets.fields)..self.content() + self.metadata)
    }

    /// [`Record::metadata`] as if the object had been written at another revision.
    pub fn metadata_at(&self, revision: Revision) -> Bytes {
        let (frame, content) = (self.frame(), self.content());
        let digits = revision.0.to_string();
        let slices = [
            &frame[usize::from(self.offsets.fields)..usize::from(self.offsets.revision)],
            digits.as_bytes(),
            &frame[content..content + self.metadata],
        ];
        Bytes::from(slices.concat())
    }

    /// This record as if it had been written at another revision. The record must be stamped.
    #[must_use]
    pub fn at(&self, revision: Revision) -> Self {
        let frame = self.frame();
        let digits = revision.0.to_string();
        let slices =
            [&frame[..usize::from(self.offsets.revision)], digits.as_bytes(), &frame[self.content()..]];
        Self {
            text: Text::new(Bytes::from(slices.concat())),
            pending: None,
            offsets: self.offsets,
            revision_digits: count_digits(&digits),
            metadata: self.metadata,
            summary: self.summary.clone(),
            fields: OnceLock::new(),
        }
    }

    /// The frame `DELETED` with this content and the revision that ended it: of a deletion, or of a change after which
    /// a selector no longer matches. A version ends only once, so all watchers share the bytes.
    pub fn deleted_frame(&self, ended: Revision) -> Bytes {
        self.text.deleted_frame(|stored| {
            let mut frame = frame_opening("DELETED").into_bytes();
            frame.reserve(stored.len() + REVISION_DIGITS);
            let (object, revision) = (self.offsets.object, self.offsets.revision);
            frame.extend_from_slice(&stored[usize::from(object)..usize::from(revision)]);
            frame.extend_from_slice(ended.0.to_string().as_bytes());
            frame.extend_from_slice(&stored[self.content()..]);
            Bytes::from(frame)
        })
    }

    /// Whether the bytes are compressed.
    #[cfg(test)]
    pub(crate) fn is_packed(&self) -> bool {
        self.text.is_packed()
    }

    /// Fields that are read without parsing.
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
        serde_json::from_slice(&self.object())
            .expect("serde_json wrote these bytes, or `decode` parsed all of them")
    }

    /// Whether both hold the same object, apart from the revision.
    pub fn is_same(&self, other: &Self) -> bool {
        self.with_body(|body| other.with_body(|other| body == other))
    }

    /// Calls `read` with the content up to the closing brace of the object, without the end of the frame.
    fn with_body<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match &self.pending {
            Some(pending) => read(&pending.buffer[pending.room()..end(&pending.buffer)]),
            None => {
                let frame = self.frame();
                read(&frame[self.content()..end(&frame)])
            }
        }
    }

    /// Start of the content in the frame: the quote behind the revision.
    fn content(&self) -> usize {
        usize::from(self.offsets.revision) + usize::from(self.revision_digits)
    }
}

/// End of the object in a frame.
fn end(frame: &[u8]) -> usize {
    frame.len() - FRAME_END.len()
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
        self.revision_digits = count_digits(&digits);
        self.text = Text::new(Bytes::from(buffer).slice(start..));
        if let Some(trace) = pending.trace {
            // Before watches send the frame, so that caches in this process find it.
            trace.note_write(self.summary.uid(), revision.0);
        }
    }

    fn encode(&self) -> Bytes {
        let (object, fields) = (usize::from(self.offsets.object), usize::from(self.offsets.fields));
        let write = |opening: &[u8], body: &[u8]| {
            let mut out = Vec::with_capacity(fields - object + body.len() + METADATA_OPENING.len());
            out.extend_from_slice(&opening[object..fields]);
            out.extend_from_slice(DURABLE_METADATA.as_bytes());
            // The content starts with the closing quote of the revision and a comma.
            out.extend_from_slice(&body[2..]);
            Bytes::from(out)
        };
        match &self.pending {
            Some(pending) => self.with_body(|body| write(pending.opening.text.as_bytes(), body)),
            None => {
                let frame = self.frame();
                write(&frame, &frame[self.content()..end(&frame)])
            }
        }
    }

    fn weight(&self) -> usize {
        self.frame_len()
    }

    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError> {
        let header: Header<'_> = serde_json::from_slice(&bytes).map_err(PayloadError::new)?;
        let object = object_opening(&header.api_version, &header.kind);
        let fields = bytes
            .strip_prefix(object.as_bytes())
            .and_then(|rest| rest.strip_prefix(DURABLE_METADATA.as_bytes()))
            .ok_or_else(|| {
                PayloadError::new("the object does not start with kind, apiVersion and metadata")
            })?;
        let opening = Opening::new(&header.api_version, &header.kind, Change::Modified);
        let opening = Arc::new(opening.map_err(PayloadError::new)?);
        let room = opening.text.len() + REVISION_DIGITS;
        let mut buffer = Vec::with_capacity(room + fields.len() + 4);
        buffer.resize(room, 0);
        buffer.extend_from_slice(b"\",");
        buffer.extend_from_slice(fields);
        // The raw text starts with `{`, the content has a quote and a comma instead.
        let metadata = header.metadata.get().len() + 1;
        let summary = Summary::parse(header.metadata.get()).map_err(PayloadError::new)?;
        let mut record = Self::pending(opening, buffer, metadata, summary, None);
        record.stamp(revision);
        Ok(record)
    }
}

/// The opening of `metadata` in the durable form, which has no revision.
const DURABLE_METADATA: &str = r#""metadata":{"#;

/// `"metadata":{...},...}` of an object that is sent in another version than it is stored in.
pub fn encode_object_fields(object: &Value) -> Bytes {
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let mut bytes = format!("{METADATA_OPENING}{version}").into_bytes();
    write_content(&mut bytes, object);
    Bytes::from(bytes)
}

/// Appends everything behind the revision; returns the end of `metadata`.
fn write_content(out: &mut Vec<u8>, object: &Value) -> usize {
    let empty = Map::new();
    let metadata = object["metadata"].as_object().unwrap_or(&empty);
    out.push(b'"');
    for (name, value) in metadata {
        if name != "resourceVersion" && name != "selfLink" {
            write_field(out, name, value);
        }
    }
    out.push(b'}');
    let metadata_end = out.len();
    for (name, value) in object.as_object().unwrap_or(&empty) {
        if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
            write_field(out, name, value);
        }
    }
    out.push(b'}');
    metadata_end
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &Value) {
    const INFALLIBLE: &str = "a JSON tree always encodes into memory";
    out.push(b',');
    serde_json::to_writer(&mut *out, name).expect(INFALLIBLE);
    out.push(b':');
    serde_json::to_writer(out, value).expect(INFALLIBLE);
}

/// The number of digits of a revision, at most [`REVISION_DIGITS`].
fn count_digits(digits: &str) -> u16 {
    u16::try_from(digits.len()).expect("a u64 has at most 20 digits")
}
