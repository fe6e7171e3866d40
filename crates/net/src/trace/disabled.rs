//! Without the feature `otel` there is no trace context.

use http::HeaderMap;
use tracing::Span;

/// Position in a trace. Has no values without the feature `otel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceContext {}

impl TraceContext {
    /// `None`.
    pub fn current() -> Option<Self> {
        None
    }

    /// `None`.
    pub fn from_headers(_headers: &HeaderMap) -> Option<Self> {
        None
    }

    /// `None`.
    pub fn of_write(_uid: &str, _resource_version: &str) -> Option<Self> {
        None
    }

    /// `None`.
    pub fn of_deletion(_uid: &str, _resource_version: &str) -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub fn insert_into(self, _headers: &mut HeaderMap) {
        match self {}
    }

    /// Cannot be called.
    pub fn set_parent_of(self, _span: &Span) {
        match self {}
    }

    /// Cannot be called.
    pub fn note_write(self, _uid: &str, _revision: u64) {
        match self {}
    }

    /// Cannot be called.
    pub fn note_deletion(self, _uid: &str) {
        match self {}
    }
}
