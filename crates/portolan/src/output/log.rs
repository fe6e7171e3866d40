//! Logs go to standard error, so that standard output has nothing but the output of the command.

use tracing_subscriber::EnvFilter;

use crate::arguments::LogFormat;

/// Starts logging; a filter that cannot be parsed is reported and replaced by `warn`.
pub(crate) fn start(filter: &str, format: LogFormat) {
    let parsed = EnvFilter::try_new(filter);
    let failure = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).init(),
    }
    if let Some(failure) = failure {
        tracing::warn!(%failure, "cannot parse the log filter, logging warnings");
    }
}
