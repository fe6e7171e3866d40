//! The trace that a request belongs to, so that it can follow a change through the process.
//!
//! ```text
//! traceparent ─► request span ─► record of the write ─► watch event ─► queue ─► span of the pass ─► traceparent
//!               (apiserver)      (apiserver)            (runtime: cache, queue, driver)             (runtime: client)
//! ```
//!
//! Spans are those of the crate `tracing`; the binary exports them. JSON of a watch has no place for a trace context, so
//! an API server notes the context of each write under the object's UID and version, and a cache in the same process
//! finds it there.
//!
//! Without the feature `otel`, [`TraceContext`] has no values, and `Option<TraceContext>` has no size: the code that
//! carries one compiles to nothing. With the feature, it costs one branch until [`enable`] is called.

#[cfg(feature = "otel")]
mod context;
#[cfg(not(feature = "otel"))]
mod disabled;

#[cfg(feature = "otel")]
pub use context::{TraceContext, enable};
#[cfg(not(feature = "otel"))]
pub use disabled::TraceContext;
