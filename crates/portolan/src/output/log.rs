//! Logs go to standard error, so that standard output has nothing but the output of the command.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::arguments::LogFormat;

/// Starts logging; a filter that cannot be parsed is reported and replaced by `warn`.
pub(crate) fn start(filter: &str, format: LogFormat) {
    let (filter, failure) = parse(filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(shows_colours());
    match format {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).init(),
    }
    report(failure);
}

/// As [`start`], beside a layer with a filter of its own.
#[cfg(feature = "otel")]
pub(crate) fn start_beside<L>(layer: L, filter: &str, format: LogFormat)
where
    L: tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync,
{
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;

    let (filter, failure) = parse(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(shows_colours());
    let log = match format {
        LogFormat::Text => log.with_target(false).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(log.with_filter(filter)).init();
    report(failure);
}

/// Whether standard error shows colours: a log in a file or a pipe has no escape codes, nor where `NO_COLOR` is set.
fn shows_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The filter, and why `warn` replaces it.
fn parse(filter: &str) -> (EnvFilter, Option<String>) {
    match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("warn"), Some(error.to_string())),
    }
}

fn report(failure: Option<String>) {
    if let Some(failure) = failure {
        tracing::warn!(%failure, "cannot parse the log filter, logging warnings");
    }
}
