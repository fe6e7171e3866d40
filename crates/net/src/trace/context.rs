//! The W3C trace context, and the register of the contexts of recent writes.

use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use parking_lot::Mutex;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// W3C Trace Context, section 3.2.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Writes that are remembered until caches have seen them: a second of a busy API server.
const MAX_WRITES: usize = 16_384;

/// Stands for the revision of a deletion.
const DELETION: u64 = u64::MAX;

static ENABLED: AtomicBool = AtomicBool::new(false);
static WRITES: LazyLock<Mutex<Writes>> = LazyLock::new(Mutex::default);

/// Lets trace contexts be read and carried. Called once, when the exporter has started.
pub fn enable() {
    ENABLED.store(true, Ordering::Relaxed);
}

fn is_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Position in a trace: the trace, and the span that later spans are children of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl TraceContext {
    /// The context of the current span. `None` if no exporter has started, or outside of spans.
    pub fn current() -> Option<Self> {
        if !is_enabled() {
            return None;
        }
        let context = Span::current().context();
        let (span, is_valid) = (context.span(), context.span().span_context().is_valid());
        let found = span.span_context();
        is_valid.then(|| Self { trace: found.trace_id(), span: found.span_id(), flags: found.trace_flags() })
    }

    /// The context that a client sent as `traceparent`. `None` if no exporter has started, or if it is malformed.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        if !is_enabled() {
            return None;
        }
        Self::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
    }

    /// Parses `00-TRACE-SPAN-FLAGS`. Later versions may append fields (section 3.2.4).
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let mut next = |digits: usize| {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            fields.next().filter(|field| field.len() == digits && field.bytes().all(is_hex))
        };
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let trace = TraceId::from_hex(trace).ok().filter(|trace| *trace != TraceId::INVALID)?;
        let span = SpanId::from_hex(span).ok().filter(|span| *span != SpanId::INVALID)?;
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        Some(Self { trace, span, flags })
    }

    /// Sends the context to a server, as `traceparent`.
    pub fn insert_into(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.traceparent()) {
            headers.insert(TRACEPARENT, value);
        }
    }

    fn traceparent(self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }

    /// Makes `span` a child of this position. Must be called before the span is entered.
    pub fn set_parent_of(self, span: &Span) {
        let parent = SpanContext::new(self.trace, self.span, self.flags, true, TraceState::NONE);
        // Fails for a span that no exporter wants.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }

    /// Notes that the write of an object at `revision` belongs to this position.
    pub fn note_write(self, uid: &str, revision: u64) {
        WRITES.lock().insert((uid.into(), revision), self, MAX_WRITES);
    }

    /// Notes that the deletion of an object belongs to this position. Its revision need not be known: an object is
    /// deleted once.
    pub fn note_deletion(self, uid: &str) {
        self.note_write(uid, DELETION);
    }

    /// The position that the write of an object belongs to. `None` if no exporter has started, if the write was done by
    /// another process, or long ago.
    pub fn of_write(uid: &str, resource_version: &str) -> Option<Self> {
        if !is_enabled() {
            return None;
        }
        Self::noted(uid, resource_version.parse().ok()?)
    }

    /// The position that the end of an object in a watch belongs to: its deletion, or the write after which it no longer
    /// matches a selector. `None` in the cases of [`TraceContext::of_write`].
    pub fn of_deletion(uid: &str, resource_version: &str) -> Option<Self> {
        if !is_enabled() {
            return None;
        }
        Self::noted(uid, DELETION).or_else(|| Self::of_write(uid, resource_version))
    }

    fn noted(uid: &str, revision: u64) -> Option<Self> {
        WRITES.lock().contexts.get(&(uid.into(), revision)).copied()
    }
}

/// UID and revision of a write; [`DELETION`] for a deletion.
type WriteKey = (Box<str>, u64);

/// The contexts of recent writes.
#[derive(Debug, Default)]
struct Writes {
    contexts: HashMap<WriteKey, TraceContext>,
    /// Keys from the oldest to the newest.
    order: VecDeque<WriteKey>,
}

impl Writes {
    /// Adds a write, and drops the oldest above `limit`.
    fn insert(&mut self, key: WriteKey, context: TraceContext, limit: usize) {
        if self.contexts.insert(key.clone(), context).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > limit {
            if let Some(oldest) = self.order.pop_front() {
                self.contexts.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        let context = TraceContext::parse(SENT).expect("valid");
        assert_eq!(context.traceparent(), SENT);
        let later = SENT.replacen("00", "cc", 1) + "-what-comes-later";
        assert_eq!(TraceContext::parse(&later), Some(context));
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let cases = [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ];
        for case in cases {
            assert_eq!(TraceContext::parse(case), None, "{case}");
        }
    }

    #[test]
    fn the_oldest_writes_are_forgotten() {
        let context = TraceContext::parse(SENT).expect("valid");
        let mut writes = Writes::default();
        for revision in 1..=5 {
            writes.insert(("uid".into(), revision), context, 3);
        }
        let mut kept: Vec<u64> = writes.contexts.keys().map(|(_, revision)| *revision).collect();
        kept.sort_unstable();
        assert_eq!((kept, writes.order.len()), (vec![3, 4, 5], 3));
    }
}
