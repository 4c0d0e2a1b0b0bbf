//! Opening a connection: where the server is, how it is known to be that server, what is asked of it
//! at once, and how long that may take.

use std::{
    net::IpAddr,
    pin::{Pin, pin},
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use grantor::{file, jose::crypto::random_bytes};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode, TargetSessionAttrs},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use super::{
    OpenError, Target,
    error::{Failure, because, has_no_room},
    finding::{self, Level, Unfits},
    open_error::Misconfigured,
    session::{Failures, Session},
    start_check,
};

/// How long opening one may take.
const CONNECT: Duration = Duration::from_secs(2);
/// The same where no request waits for it: at a start, and at a command.
const PATIENT: Duration = Duration::from_secs(10);
/// How long a host may say nothing before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Longest password, in octets.
const LONGEST_PASSWORD: u64 = 4096;
/// Longest file of root certificates, in octets.
const LONGEST_ROOTS: u64 = 4 * 1024 * 1024;
/// What is set for each session: nothing of it is left to the server's configuration.
const SETTINGS: &str = "-c lock_timeout=500 -c idle_in_transaction_session_timeout=5000 \
    -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 \
    -c client_min_messages=warning -c default_transaction_isolation=read\\ committed";
/// From this version the server ends a transaction that takes too long.
const HAS_TRANSACTION_TIMEOUT: i32 = 170_000;
/// Longer than any transaction of ours.
const TRANSACTION_TIMEOUT: &str = "SET transaction_timeout = '120s'";
/// A statement that is not waited for any more ends soon. Where the server's system cannot tell that
/// a connection is closed, it refuses this.
const CHECK_CONNECTION: &str = "SET client_connection_check_interval = '2s'";

/// Opens connections to one server.
pub(super) struct Connector {
    /// One for each host that it may be at.
    hosts: Vec<Config>,
    /// Whether a server that is busy is waited for.
    is_patient: AtomicBool,
    /// `None` where the server is on this machine.
    tls: Option<MakeRustlsConnect>,
    target: Target,
    failed: AtomicU64,
    failed_statements: Arc<Failures>,
}

impl Connector {
    /// To this server.
    ///
    /// # Errors
    /// [`OpenError::Url`], [`OpenError::Target`]
    pub(super) fn new(target: &Target) -> Result<Self, OpenError> {
        check_ssl_mode_text(&target.url)?;
        let mut config = Config::from_str(&target.url).map_err(OpenError::Url)?;
        check(&config)?;
        check_schema(&target.schema)?;
        let is_encrypted = !is_local(&config) || config.get_ssl_mode() == SslMode::Require;
        let tls = is_encrypted.then(|| tls(target)).transpose()?;
        config.ssl_mode(match is_encrypted {
            true => SslMode::Require,
            false => SslMode::Disable,
        });
        // Of one host the checks tell more exactly why it takes no writes.
        if hosts(&config) > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self {
            hosts: (0..hosts(&config)).map(|at| of_host(&config, at)).collect(),
            is_patient: AtomicBool::new(true),
            tls,
            target: target.clone(),
            failed: AtomicU64::new(0),
            failed_statements: Arc::default(),
        })
    }

    /// From now on requests wait for what is opened.
    pub(super) fn hurry(&self) {
        self.is_patient.store(false, Ordering::Relaxed);
    }

    fn within(&self) -> Duration {
        match self.is_patient.load(Ordering::Relaxed) {
            true => PATIENT,
            false => CONNECT,
        }
    }

    /// How many attempts have failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The statements that have failed.
    pub(super) fn failed_statements(&self) -> &Arc<Failures> {
        &self.failed_statements
    }

    /// Opens a session, each of whose statements may take so long, to a server that keeps what is
    /// promised.
    ///
    /// # Errors
    /// Unavailable; [`Unfits`] is its cause where the server does not keep it.
    pub(super) async fn connect(&self, limit: Duration) -> Result<Session, Failure> {
        let opened = async {
            let (session, mark) = self.open(limit).await?;
            let found = start_check::check_all(&session, self.target.durability, &mark).await?;
            let unfit = finding::at(Level::Refused, &found.findings);
            if !unfit.is_empty() {
                return Err(Failure::unavailable(Unfits(unfit)));
            }
            if found.version >= Some(HAS_TRANSACTION_TIMEOUT) {
                session.batch(TRANSACTION_TIMEOUT).await?;
            }
            match session.batch(CHECK_CONNECTION).await {
                Ok(()) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
            Ok(session)
        };
        let within = self.within();
        let opened = tokio::time::timeout(within, opened).await;
        let seconds = within.as_secs();
        let too_late = || format!("the server did not answer within {seconds} s");
        let opened = opened.unwrap_or_else(|_| Err(Failure::unavailable(too_late())));
        if opened.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    /// Opens a session to whatever server it is. The mark that comes with it was set for this session
    /// alone.
    pub(super) async fn open(&self, limit: Duration) -> Result<(Session, Mark), Failure> {
        let mark = Mark::new(&self.target.schema);
        let options = format!(
            "-c search_path={} {SETTINGS} -c {MARK}={}",
            self.target.schema, mark.value
        );
        let password = self.password()?;
        let ready = |host: &Config| {
            let mut host = host.clone();
            host.options(&options).connect_timeout(self.within());
            if let Some(password) = &password {
                host.password(password.trim_end_matches(['\r', '\n']));
            }
            host
        };
        let hosts: Vec<_> = self.hosts.iter().map(ready).collect();
        let within = self.within();
        let session = tokio::time::timeout(within, self.first_of(&hosts, limit)).await;
        let seconds = within.as_secs();
        let too_late = |_| Failure::unavailable(format!("no connection within {seconds} s"));
        Ok((session.map_err(too_late)?.map_err(not_connected)?, mark))
    }

    /// The password, read anew.
    fn password(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let Some(path) = &self.target.password_file else {
            return Ok(None);
        };
        let password = file::read_text(path, LONGEST_PASSWORD);
        let password = password.map_err(|error| {
            let path = path.display();
            Failure::unavailable(format!("[database] password_file: {path}: {error}"))
        })?;
        Ok(Some(password))
    }

    /// The session that opens first. The next host is tried when one has failed, and beside one that
    /// says nothing: a machine that is gone refuses no connection, and would take all the time.
    fn first_of<'a>(&'a self, hosts: &'a [Config], limit: Duration) -> Opening<'a> {
        Box::pin(async move {
            let (host, others) = hosts.split_first().expect("`check` wants a host");
            let mut first = pin!(self.open_at(host, limit));
            if others.is_empty() {
                return first.await;
            }
            let early = tokio::time::timeout(HEAD_START, &mut first).await;
            let mut others = self.first_of(others, limit);
            match early {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(_)) => return others.await,
                Err(_) => {}
            }
            tokio::select! {
                opened = &mut first => match opened {
                    Ok(session) => Ok(session),
                    Err(_) => others.await,
                },
                opened = &mut others => match opened {
                    Ok(session) => Ok(session),
                    Err(_) => first.await,
                },
            }
        })
    }

    async fn open_at(
        &self,
        host: &Config,
        limit: Duration,
    ) -> Result<Session, tokio_postgres::Error> {
        let failed = self.failed_statements.clone();
        match &self.tls {
            Some(tls) => {
                let (client, connection) = host.connect(tls.clone()).await?;
                Ok(Session::start(client, connection, limit, failed))
            }
            None => {
                let (client, connection) = host.connect(NoTls).await?;
                Ok(Session::start(client, connection, limit, failed))
            }
        }
    }
}

/// A session that is being opened.
type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<Session, tokio_postgres::Error>> + Send + 'a>>;

/// One of the hosts by itself: the library comes to the next one only when the one before has
/// answered. What it is told of the socket is ours.
fn of_host(all: &Config, at: usize) -> Config {
    let mut one = Config::new();
    match all.get_hosts().get(at) {
        Some(Host::Tcp(name)) => _ = one.host(name),
        Some(Host::Unix(path)) => _ = one.host_path(path),
        None => {}
    }
    if let Some(address) = all.get_hostaddrs().get(at) {
        one.hostaddr(*address);
    }
    if let Some(port) = all.get_ports().get(at).or(all.get_ports().first()) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(database) = all.get_dbname() {
        one.dbname(database);
    }
    one.ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .load_balance_hosts(all.get_load_balance_hosts())
        .target_session_attrs(all.get_target_session_attrs())
        .application_name(concat!("grantor ", env!("CARGO_PKG_VERSION")))
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(2))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(5));
    one
}

/// The setting of [`Mark`].
const MARK: &str = "grantor.session";

/// What was asked for when a session was opened, to be read back: a pooler that gives one session to
/// several clients cannot give back a value that only one has.
pub(super) struct Mark {
    pub(super) value: String,
    pub(super) schema: String,
}

impl Mark {
    fn new(schema: &str) -> Self {
        Self {
            value: format!("m{:032x}", u128::from_ne_bytes(random_bytes())),
            schema: schema.to_owned(),
        }
    }
}

/// Why there is no connection, and what helps.
fn not_connected(error: tokio_postgres::Error) -> Failure {
    let text = because(&error);
    if text.contains("does not allow writes") {
        // One may be promoted at any moment.
        return Failure::unavailable(format!(
            "{text}; none of the hosts in [database] url is a primary"
        ));
    }
    let remedy = match &text {
        text if text.contains("unsupported startup parameter") => {
            "a pooler is between, which takes our settings from us: connect to the server itself"
        }
        text if text.contains("does not support TLS") => {
            "set ssl = on at the server, with a certificate for the name in [database] url"
        }
        text if text.contains("invalid peer certificate") => {
            "name the roots of the server's certificate with [database] ca_file, and the server in [database] url as its certificate does"
        }
        text if text.contains("password missing") => {
            "name the file of the password with [database] password_file"
        }
        text if text.contains("password authentication failed") => {
            "write the password into the file that [database] password_file names"
        }
        _ if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {
            "make the database, or name another in [database] url"
        }
        _ if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "name a role in [database] url that may log in there (CREATE ROLE ... LOGIN, pg_hba.conf)"
        }
        // A reason to wait longer than after other failures.
        _ if has_no_room(error.code()) => return Failure::Refused(error),
        _ => return Failure::unavailable(text),
    };
    Failure::unavailable(Misconfigured(format!("{text}; {remedy}")))
}

fn wrong(option: &'static str, problem: impl Into<String>) -> OpenError {
    OpenError::Target {
        option,
        problem: problem.into(),
    }
}

/// The URL says nothing that is not done.
fn check(config: &Config) -> Result<(), OpenError> {
    if hosts(config) == 0 {
        return Err(wrong(
            "url",
            "names no host; write postgres://USER@HOST:PORT/DATABASE",
        ));
    }
    let [names, addresses] = [config.get_hosts().len(), config.get_hostaddrs().len()];
    let ports = config.get_ports().len();
    if (names.min(addresses) > 0 && names != addresses) || (ports > 1 && ports != hosts(config)) {
        return Err(wrong(
            "url",
            "has another number of ports or addresses than of hosts; write one for each",
        ));
    }
    if config.get_password().is_some() {
        return Err(wrong(
            "url",
            "a password is in it, where others may read it; write it into a file, and name that with [database] password_file",
        ));
    }
    if config.get_options().is_some() {
        return Err(wrong(
            "url",
            "`options` are set by Grantor itself; leave them out",
        ));
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        return Err(wrong(
            "url",
            "`target_session_attrs` is read-write, as all reads and writes go to the primary; leave it out",
        ));
    }
    if config.get_ssl_mode() == SslMode::Disable && !is_local(config) {
        return Err(wrong("url", NO_CHOICE));
    }
    Ok(())
}

/// What the URL may not choose about TLS.
const NO_CHOICE: &str = "beyond this machine the connection is always by TLS, with the server's name verified (as verify-full); leave `sslmode` out, \
    and name the roots with [database] ca_file, if they are not the system's";

/// `prefer` says that nothing has to be verified, and it is what the library reads where nothing is
/// said: only the text tells. What is written so that this does not find it is overruled.
fn check_ssl_mode_text(url: &str) -> Result<(), OpenError> {
    let Some((_, after)) = url.split_once("sslmode") else {
        return Ok(());
    };
    let value = after.trim_start_matches([' ', '=', '\'']);
    match ["require", "disable"]
        .iter()
        .any(|allowed| value.starts_with(allowed))
    {
        true => Ok(()),
        false => Err(wrong("url", NO_CHOICE)),
    }
}

/// It goes into statements as it is.
fn check_schema(schema: &str) -> Result<(), OpenError> {
    let is_plain = schema.len() <= 63
        && schema.starts_with(|first: char| first.is_ascii_lowercase())
        && !schema.starts_with("pg_")
        && schema
            .bytes()
            .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_');
    match is_plain {
        true => Ok(()),
        false => Err(wrong(
            "schema",
            "a name of a schema is a small letter, then small letters, digits and _, at most 63, and does not begin with pg_",
        )),
    }
}

fn hosts(config: &Config) -> usize {
    config.get_hosts().len().max(config.get_hostaddrs().len())
}

/// Whether what is sent stays on this machine, for each of the hosts. An address that is given is
/// where the connection goes, whatever the name.
fn is_local(config: &Config) -> bool {
    let is_loopback = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    };
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(is_loopback),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    }
}

/// With the roots that are named, else those of the system, as for everything else that is fetched.
fn tls(target: &Target) -> Result<MakeRustlsConnect, OpenError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for both versions");
    let config = match &target.ca_file {
        Some(path) => {
            let wrong =
                |problem: String| wrong("ca_file", format!("{}: {problem}", path.display()));
            let mut roots = RootCertStore::empty();
            let read = file::read(path, LONGEST_ROOTS);
            let read = read.map_err(|error| wrong(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&read) {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("no certificate in PEM is in it".to_owned()));
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => builder
            .with_platform_verifier()
            .map_err(|error| {
                wrong(
                    "ca_file",
                    format!("the system has no roots ({error}); name some"),
                )
            })?
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}
