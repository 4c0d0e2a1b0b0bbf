//! `grantor serve`

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use clap::Args;
use grantor::{server::AuthorizationServer, storage::Readiness};
use grantor_stores::{Create, Upkeep};
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::{Failure, Global};
use crate::{
    admin::Api,
    app,
    backend::Backend,
    config::{Config, LastStart, Overrides, Purpose},
    console::Console,
    http::{self, Front, Listener, Operations, Tls},
    metrics::{self, Exposition, Metrics},
    person::{Passwords, end_unused},
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
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// A proxy in front terminates TLS and alone reaches this server: its word about senders is
    /// taken
    #[arg(long)]
    behind_proxy: bool,
}

impl Serve {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut config = global.load_config(Overrides {
            listen: self.listen,
            behind_proxy: self.behind_proxy.then_some(true),
            purpose: Purpose::Serve,
            ..Overrides::default()
        })?;
        #[cfg(feature = "otel")]
        let traces =
            telemetry::otel::start(config.log.format, &config.log.level, config.otel.as_ref())
                .map_err(Failure::usage)?;
        #[cfg(not(feature = "otel"))]
        telemetry::start(config.log.format, &config.log.level)
            .map_err(|error| Failure::usage(format!("configuration key 'log.level': {error}")))?;
        let store = global
            .open_store(&config, Create::IfMissing, Upkeep::Here)
            .await?;
        store.readiness.prepare().await?;
        let metrics = Metrics::default();
        let stop = stop_signal().map_err(Failure::failed)?;
        let tls = load_tls(&config)?;
        let hangups = tokio::spawn(reload_on_hangup(tls.clone()).map_err(Failure::failed)?);
        let certificate = tls.as_ref().map(Tls::expires);
        let exposition = Exposition::new(&metrics, &store, certificate);
        let scrapes = listen_for_scrapes(config.metrics, exposition).await?;
        let listener = bind(&config, tls).await?;
        let address = listener.local_addr().map_err(Failure::failed)?;
        config.listens_on(address).map_err(Failure::usage)?;
        global.tell_commands(&config);
        let server = app::build_server(&config, &store, metrics.clone()).map_err(Failure::usage)?;
        let unused = config.person.as_ref().map(|person| {
            tokio::spawn(end_unused(
                store.permissions.clone(),
                person.permission_unused,
            ))
        });
        let operations = operations(&config, &store, &server);
        let apart = operations
            .clone()
            .map(|operations| Front::Admin(server.clone(), operations));
        let admin = listen_for_admin(&config, &store, apart, &metrics).await?;
        let database = config.database.as_ref().map(|named| named.url.as_str());
        tracing::info!(%address, issuer = %config.issuer, data = %global.data.display(), database, "listening");
        let person = config.person.as_ref();
        if let Some(missing) = person.and_then(|person| person.passkeys_missing(&config.issuer)) {
            tracing::info!("{missing}");
        }
        let stop = stop_or_end(stop, store.readiness.clone());
        tell_supervisor(NotifyState::Ready);
        let front = Front::Server(server, operations.filter(|_| admin.is_none()));
        http::serve(listener, front, store.readiness.clone(), metrics, stop)
            .await
            .map_err(Failure::failed)?;
        if let Some(admin) = admin {
            admin.abort();
        }
        if store.readiness.has_ended() {
            return Err(Failure::failed(
                "the thread that writes the database has ended; the log says why; start the server anew",
            ));
        }
        hangups.abort();
        if let Some(unused) = unused {
            unused.abort();
        }
        if let Some(scrapes) = scrapes {
            scrapes.abort();
        }
        #[cfg(feature = "otel")]
        traces.finish().await;
        // The decisions of the last moment are still on their way to the disk.
        let flushed = store.decisions.flush().await;
        store.leave().await;
        Ok(flushed?)
    }
}

/// An address, or `:9000` for that port on this machine.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
    let local = port.map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    local.or_else(|| text.parse().ok()).ok_or_else(|| {
        "expected an address such as 127.0.0.1:8080, or a port such as :8080".to_owned()
    })
}

impl Global {
    /// Leaves word of which server this is, for commands that nothing else tells. Where they take it
    /// for another one, says so: what they write into key files would be of no use.
    fn tell_commands(&self, config: &Config) {
        let start = LastStart {
            issuer: config.issuer.to_string(),
            listen: config.listen,
        };
        let told = start.write(&self.data);
        let theirs = Self {
            issuer: None,
            ..self.clone()
        }
        .load_config(Overrides::default());
        match (told, theirs) {
            (Ok(()), Ok(theirs)) if theirs.issuer != config.issuer => tracing::warn!(
                issuer = %config.issuer,
                configured = %theirs.issuer,
                "this server's issuer comes from a flag and is not the configured one, which `client create` writes into key files; set \
                 issuer in grantor.toml or GRANTOR_ISSUER"
            ),
            (Err(_), Ok(theirs))
                if (&theirs.issuer, theirs.listen) == (&config.issuer, config.listen) => {}
            (Err(error), _) => tracing::warn!(
                %error,
                "commands cannot be told which issuer this server is; set issuer and listen in grantor.toml"
            ),
            (Ok(()), _) => {}
        }
    }
}

fn load_tls(config: &Config) -> Result<Option<Tls>, Failure> {
    let tls = config.tls.clone();
    tls.map(|tls| Tls::load(tls.files, tls.client_certificates))
        .transpose()
        .map_err(Failure::usage)
}

async fn bind(config: &Config, tls: Option<Tls>) -> Result<Listener, Failure> {
    let (room, proxy) = (config.limits.room, config.proxy.clone());
    let bound = Listener::bind(config.listen, room, tls, proxy).await;
    let bound = bound.map(|listener| listener.drained_for(config.drain));
    bound.map_err(|error| {
        Failure::failed(format!(
            "cannot listen on {}: {error}; choose another address with --listen",
            config.listen
        ))
    })
}

/// Ready when the server is to stop, or when its store has ended.
async fn stop_or_end(stop: impl Future<Output = ()>, store: Arc<dyn Readiness>) {
    tokio::select! {
        () = stop => {}
        () = store.ended() => {}
    }
    tell_supervisor(NotifyState::Stopping);
}

/// What is for operators, where it is served.
fn operations(
    config: &Config,
    store: &Backend,
    server: &AuthorizationServer,
) -> Option<Operations> {
    let api = Api::new(config, store, server)?;
    let desk = app::console_desk(config, store, Passwords::shared());
    let console = Console::new(config, store, server, desk)?;
    Some(Operations {
        api: Arc::new(api),
        console: Arc::new(console),
    })
}

/// Serves what is for operators at a listener of its own, if there is an address for it.
async fn listen_for_admin(
    config: &Config,
    store: &Backend,
    front: Option<Front>,
    metrics: &Metrics,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let address = config.admin.as_ref().and_then(|admin| admin.listen);
    let (Some(listen), Some(front)) = (address, front) else {
        return Ok(None);
    };
    let own = Config {
        listen,
        ..config.clone()
    };
    let tls = load_tls(&own)?;
    let listener = bind(&own, tls).await?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    tracing::info!(%address, "admin API and console");
    let (readiness, metrics) = (store.readiness.clone(), metrics.clone());
    Ok(Some(tokio::spawn(async move {
        let never = std::future::pending();
        let served = http::serve(listener, front, readiness, metrics, never).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin API has ended");
        }
    })))
}

/// Answers scrapes on a task of their own, if there is an address for them.
async fn listen_for_scrapes(
    address: Option<SocketAddr>,
    exposition: Exposition,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {address} for metrics: {error}; choose another address under [metrics]"))
    })?;
    tracing::info!(%address, "metrics");
    Ok(Some(tokio::spawn(metrics::serve(listener, exposition))))
}

/// Tells systemd, where it started this process and waits for word (sd_notify(3)).
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

/// Reads the TLS files again on each SIGHUP: supervisors send it for that, and a terminal that is
/// closed sends it too.
fn reload_on_hangup(tls: Option<Tls>) -> std::io::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match &tls {
                Some(tls) => tls.reload(),
                None => tracing::info!(
                    "SIGHUP: there are no TLS files to read again; all else is read at the start"
                ),
            }
        }
    })
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
