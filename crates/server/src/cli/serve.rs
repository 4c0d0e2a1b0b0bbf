//! `grantor serve`

use std::{future::Future, net::SocketAddr};

use clap::Args;
use grantor_stores::sqlite::Create;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::{Failure, Global};
use crate::{
    app,
    config::Overrides,
    http::{self, Listener, Tls},
    metrics::{self, Exposition, Metrics},
    telemetry,
};

/// Run the server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor serve
  grantor serve --listen 127.0.0.1:9000 --issuer https://as.example --data /var/lib/grantor
A server reachable from outside needs TLS: a certificate under [tls] in grantor.toml, or a proxy that terminates TLS, of which
behind_proxy = true tells.")]
pub struct Serve {
    /// Address to listen on [default: the configuration's, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A proxy in front terminates TLS and alone reaches this server: its word about senders is taken
    #[arg(long)]
    behind_proxy: bool,
}

impl Serve {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.load_config(Overrides {
            listen: self.listen,
            behind_proxy: self.behind_proxy.then_some(true),
            ..Overrides::default()
        })?;
        #[cfg(feature = "otel")]
        let traces =
            telemetry::otel::start(config.log.format, &config.log.level, config.otel.as_ref()).map_err(Failure::usage)?;
        #[cfg(not(feature = "otel"))]
        telemetry::start(config.log.format, &config.log.level)
            .map_err(|error| Failure::usage(format!("configuration key 'log.level': {error}")))?;
        let store = global.open_store(&config, Create::IfMissing)?;
        store.load_claims().await?;
        let metrics = Metrics::default();
        let server = app::build_server(&config, store.clone(), metrics.clone()).map_err(Failure::usage)?;
        let stop = stop_signal().map_err(Failure::failed)?;
        let tls = config.tls.clone().map(Tls::load).transpose().map_err(Failure::usage)?;
        let scrapes = match config.metrics {
            Some(address) => Some(listen_for_scrapes(address, Exposition::new(&metrics, store.clone())).await?),
            None => None,
        };
        let listener = Listener::bind(config.listen, config.limits.room, tls, config.proxy).await;
        let listener = listener.map_err(|error| {
            Failure::failed(format!("cannot listen on {}: {error}; choose another address with --listen", config.listen))
        })?;
        let address = listener.local_addr().map_err(Failure::failed)?;
        tracing::info!(%address, issuer = %config.issuer, data = %global.data.display(), "listening");
        let ended = store.clone();
        let stop = async move {
            tokio::select! {
                () = stop => {}
                () = ended.ended() => {}
            }
        };
        http::serve(listener, server, store.clone(), metrics, stop).await.map_err(Failure::failed)?;
        if store.has_ended() {
            return Err(Failure::failed(
                "the thread that writes the database has ended; the log says why; start the server anew",
            ));
        }
        if let Some(scrapes) = scrapes {
            scrapes.abort();
        }
        #[cfg(feature = "otel")]
        traces.finish().await;
        // The decisions of the last moment are still on their way to the disk.
        Ok(store.flush().await?)
    }
}

/// Answers scrapes on a task of their own.
async fn listen_for_scrapes(address: SocketAddr, exposition: Exposition) -> Result<JoinHandle<()>, Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {address} for metrics: {error}; choose another address under [metrics]"))
    })?;
    tracing::info!(%address, "metrics");
    Ok(tokio::spawn(metrics::serve(listener, exposition)))
}

/// Ready on SIGINT or SIGTERM.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
