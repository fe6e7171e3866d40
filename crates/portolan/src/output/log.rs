//! Logs go to standard error, so that standard output stays what was asked for.

use tracing_subscriber::EnvFilter;

/// Starts logging; a filter that cannot be read is reported and replaced by `warn`.
pub(crate) fn start(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let failure = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    if let Some(failure) = failure {
        tracing::warn!(%failure, "cannot read the log filter, logging warnings");
    }
}
