//! The HTTP client of the exporter.

use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::{Builder, Runtime};

/// Timeout of one batch; the default of OTEL_EXPORTER_OTLP_TIMEOUT.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit of a collector's answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

type Answer = Result<Response<Bytes>, HttpError>;

/// Posts batches. Blocks the thread of the exporter, which has no other work, with a runtime that no other thread uses: a
/// busy process does not delay the export, and the last batch is sent when the other runtime has ended.
#[derive(Debug)]
pub(super) struct HttpExchange {
    runtime: Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl HttpExchange {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // The runtime does not run between batches, so it would not see a connection close.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Ok(Self { runtime, client })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Answer {
        let (head, body) = self.client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

impl HttpClient for HttpExchange {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let answer = self.runtime.block_on(async {
            let timely = tokio::time::timeout(EXCHANGE_TIMEOUT, self.exchange(request)).await;
            timely.unwrap_or_else(|_| Err(format!("no answer within {EXCHANGE_TIMEOUT:?}").into()))
        });
        Box::pin(ready(answer))
    }
}
