//! Export of traces: the spans of this process, as OTLP over HTTP to an OpenTelemetry collector.
//!
//! Spans are sent in batches by a thread of the SDK. Nothing waits for it: when the collector is slow or gone, spans are
//! dropped and a warning is logged.

mod http_client;

use anyhow::{Context, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::{Layer, Registry};

use crate::arguments::{Arguments, Command};
use crate::collector_endpoint::CollectorEndpoint;
use crate::output;

use http_client::HttpExchange;

/// The name by which backends group spans; set this variable for another one.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// The number of spans that may wait for the collector; set this variable for another one.
const QUEUE_SIZE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
/// The SDK's 2,048 spans are less than a start of the server makes between two batches.
const DEFAULT_QUEUE_SIZE: usize = 16_384;

/// The running export of spans.
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
}

/// Starts logging, and the export of spans if the command line names a collector.
pub(crate) fn start_with_log(arguments: &Arguments) -> Result<Option<Exporter>> {
    let (role, endpoint) = match &arguments.command {
        Command::Server(server) => ("server", server.otlp_endpoint.as_ref()),
        Command::Agent(agent) => ("agent", agent.otlp_endpoint.as_ref()),
        _ => ("", None),
    };
    let Some(endpoint) = endpoint else {
        output::log::start(&arguments.log, arguments.log_format);
        return Ok(None);
    };
    let exporter = Exporter::start(endpoint, role)?;
    output::log::start_beside(exporter.layer(), &arguments.log, arguments.log_format);
    tracing::info!(%endpoint, "traces are exported");
    Ok(Some(exporter))
}

impl Exporter {
    fn start(endpoint: &CollectorEndpoint, role: &str) -> Result<Self> {
        let http = HttpExchange::new().context("cannot start the runtime of the trace exporter")?;
        let exporter = SpanExporter::builder().with_http().with_http_client(http);
        let exporter = exporter.with_endpoint(endpoint.traces_url()).build();
        let exporter = exporter.context("cannot export traces: an OTEL_ variable is malformed")?;
        let mut batches = BatchConfigBuilder::default();
        if std::env::var_os(QUEUE_SIZE).is_none() {
            batches = batches.with_max_queue_size(DEFAULT_QUEUE_SIZE);
        }
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let provider =
            SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource(role));
        portolan_net::trace::enable();
        Ok(Self { provider: provider.build() })
    }

    /// The layer that receives the spans of this program.
    fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("portolan"));
        layer.with_threads(false).with_location(false).with_filter(own_spans())
    }

    /// Sends the remaining spans.
    pub(crate) fn stop(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last spans may not have been exported");
        }
    }
}

/// Spans of this program, without those of libraries.
fn own_spans() -> impl Filter<Registry> + Send + Sync {
    let is_own = |metadata: &Metadata<'_>| {
        metadata.is_span() && *metadata.level() <= Level::DEBUG && metadata.target().starts_with("portolan")
    };
    let filter: FilterFn = filter_fn(is_own as fn(&Metadata<'_>) -> bool);
    filter.with_max_level_hint(LevelFilter::DEBUG)
}

fn resource(role: &str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    match std::env::var_os(SERVICE_NAME) {
        Some(_) => resource.build(),
        None => resource.with_service_name(format!("portolan-{role}")).build(),
    }
}

#[cfg(all(test, feature = "playground"))]
mod tests;
