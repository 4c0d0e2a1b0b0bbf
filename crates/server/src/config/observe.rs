//! Where numbers and traces go. Neither holds a secret, but neither is for everybody.

use std::net::SocketAddr;

use super::{ConfigError, raw, value, value_of};

/// Where metrics are served, if anywhere. Who can read them learns how busy the server is and how
/// it is attacked.
pub fn metrics(raw: Option<raw::Metrics>) -> Result<Option<SocketAddr>, ConfigError> {
    match raw {
        Some(raw) if !raw.listen.ip().is_loopback() && !raw.allow_remote => {
            let problem = format!(
                "{} is reachable from outside, and metrics are served to whoever asks; listen on a loopback address, or set \
                 allow_remote = true under [metrics] if the network admits only who may read them",
                raw.listen
            );
            Err(value("metrics.listen", problem))
        }
        Some(raw) => Ok(Some(raw.listen)),
        None => Ok(None),
    }
}

/// The base URL of the collector that traces are sent to, if there is one.
#[cfg(feature = "otel")]
pub fn otel(raw: Option<raw::Otel>) -> Result<Option<http::Uri>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let refused = || {
        value_of(
            "otel.endpoint",
            &raw.endpoint,
            "is not an http or https URL",
        )
    };
    let endpoint: http::Uri = raw.endpoint.parse().map_err(|_| refused())?;
    match endpoint.scheme_str() {
        Some("http" | "https") if endpoint.query().is_none() => Ok(Some(endpoint)),
        _ => Err(refused()),
    }
}

/// Without the cargo feature there is nothing that could send traces, and a section that does
/// nothing must not be.
#[cfg(not(feature = "otel"))]
pub fn otel(raw: Option<raw::Otel>) -> Result<(), ConfigError> {
    match raw {
        Some(raw) => {
            let problem = "would be sent no traces: this program was built without the cargo feature otel; remove the section, or \
                           build with --features otel";
            Err(value_of("otel.endpoint", raw.endpoint, problem))
        }
        None => Ok(()),
    }
}
