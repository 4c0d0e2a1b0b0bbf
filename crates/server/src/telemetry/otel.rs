//! Traces to an OpenTelemetry collector: one span for each request, with how it ended; never with a
//! token, nor with who asked.

use std::{future::Future, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    remote::{Fetch as _, FetchError, HttpFetch},
    server::{Decision, Outcome},
};
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::{runtime::Handle, time::timeout};
use tracing::{Instrument as _, Span, field::Empty};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, ParseError, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{LogFormat, is_json, lines::ToStandardError};

/// What the spans are told from log lines by.
const TARGET: &str = "grantor::request";
/// Longest wait for the collector.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer of the collector that is read, in octets.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why nothing is logged or traced.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The filter of the log.
    #[error("configuration key 'log.level': {0}")]
    Level(#[from] ParseError),
    /// The collector.
    #[error("configuration key 'otel.endpoint': {0}")]
    Exporter(#[from] ExporterBuildError),
    /// TLS on the way to it.
    #[error("configuration key 'otel.endpoint': {0}")]
    Tls(#[from] FetchError),
}

/// Spans on their way to the collector.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left.
    pub async fn finish(self) {
        let Some(provider) = self.0 else { return };
        let sent =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(TIMEOUT)).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the last traces were not sent");
        }
    }
}

/// Starts logging, and tracing if there is a collector.
pub fn start(
    format: LogFormat,
    level: &str,
    collector: Option<&Uri>,
) -> Result<Traces, StartError> {
    let provider = collector.map(provider).transpose()?;
    let is_request = filter_fn(|metadata| metadata.target() == TARGET);
    // Only the spans of requests: log lines name clients.
    let traces = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("grantor"));
        layer
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(is_request.clone())
    });
    let filter = EnvFilter::builder().parse(level)?.and(is_request.not());
    let log = tracing_subscriber::fmt::layer()
        .with_writer(|| ToStandardError)
        .log_internal_errors(false);
    let log = match is_json(format) {
        true => log.json().flatten_event(true).with_filter(filter).boxed(),
        false => log
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_filter(filter)
            .boxed(),
    };
    if tracing_subscriber::registry()
        .with(log)
        .with(traces)
        .try_init()
        .is_err()
    {
        tracing::debug!("logging had been started before");
    }
    Ok(Traces(provider))
}

fn provider(endpoint: &Uri) -> Result<SdkTracerProvider, StartError> {
    let way = if endpoint.scheme() == Some(&Scheme::HTTPS) {
        Way::Encrypted(Arc::new(HttpFetch::new()?))
    } else {
        Way::Plain(Arc::new(Client::builder(TokioExecutor::new()).build_http()))
    };
    let client = Collector {
        way,
        runtime: Handle::current(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!(
            "{}/v1/traces",
            endpoint.to_string().trim_end_matches('/')
        ))
        .build()?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder_empty()
        .with_service_name("grantor")
        .with_attribute(version)
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// Answers within a span of its own.
pub async fn traced<B>(
    endpoint: &'static str,
    answer: impl Future<Output = Response<B>>,
) -> Response<B> {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = endpoint,
        otel.kind = "server",
        endpoint,
        http.response.status_code = Empty,
        outcome = Empty,
        error_code = Empty,
        rule = Empty,
        decision = Empty,
    );
    let response = answer.instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// Tells the span of this request what was decided, and under which id to look for the rest.
pub fn record(decision: &Decision) {
    let span = Span::current();
    span.record("decision", decision.id.as_str());
    match &decision.outcome {
        Outcome::Granted => span.record("outcome", "granted"),
        Outcome::Undecided => span.record("outcome", "undecided"),
        Outcome::Refused { error, rule, .. } => span
            .record("outcome", "refused")
            .record("error_code", error.as_str())
            .record("rule", rule.name()),
    };
}

/// The way to the collector. The exporter calls from a thread of its own, so the exchange runs
/// where the sockets are served.
#[derive(Debug)]
struct Collector {
    way: Way,
    runtime: Handle,
}

/// How it is reached.
#[derive(Clone, Debug)]
enum Way {
    /// As every other server: the same roots, the same proxies.
    Encrypted(Arc<HttpFetch>),
    /// In a network of the operator's own.
    Plain(Arc<Client<HttpConnector, Full<Bytes>>>),
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = self.way.clone().exchange(request);
        let answer = self
            .runtime
            .spawn(async { timeout(TIMEOUT, exchange).await? })
            .await?;
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(
                status = answer.status().as_u16(),
                "the collector refuses traces"
            ),
            Err(error) => tracing::warn!(%error, "traces could not be sent"),
        }
        answer
    }
}

impl Way {
    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = match self {
            Self::Encrypted(fetch) => return Ok(fetch.fetch(request, MAX_ANSWER_BYTES).await?),
            Self::Plain(http) => http,
        };
        let (parts, body) = http.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}
