//! TLS: a certificate and its key from two files, taken up again when the files change. What is
//! served out of its time is reported.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use grantor::{
    clock::{Clock as _, SystemClock},
    file,
};
use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{net::TcpStream, sync::Notify};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject as _},
        },
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
    server::TlsStream,
};

use super::client_certificate::{AnyCertificate, ClientCertificates};
use crate::key_access;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the certificate chain and its key are, both PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Files that make no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain cannot be read.
    #[error(
        "configuration key 'tls.certificate': {path}: {problem}; name a PEM file with the server's certificate, then those between \
         it and the root"
    )]
    Certificate { path: String, problem: String },
    /// The key cannot be read.
    #[error(
        "configuration key 'tls.key': {path}: {problem}; name a PEM file with the private key of the certificate"
    )]
    Key { path: String, problem: String },
    /// The key and the certificate cannot be used together.
    #[error(
        "configuration key 'tls.key': {path} does not belong to the certificate of 'tls.certificate': {problem}"
    )]
    Pair {
        path: String,
        problem: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("configuration key 'tls': {0}")]
    Protocol(rustls::Error),
}

/// Accepts TLS 1.2 and 1.3 with the certificate of the moment. Cloning shares it.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: TlsFiles,
    loaded: Stamp,
    validity: Validity,
    expires: Gauge,
    look: Arc<Notify>,
}

/// The certificate of the moment, for new connections.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles, clients: ClientCertificates) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let loaded = stamp(&files);
        let key = certified_key(&files, &provider)?;
        let validity = Validity::of(&key);
        let current = Arc::new(Current(ArcSwap::from_pointee(key)));
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Protocol)?;
        let config = match clients {
            ClientCertificates::Off => config.with_no_client_auth(),
            ClientCertificates::Ask => {
                config.with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
            }
        };
        let mut config = config.with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let expires = Gauge::default();
        expires.set(validity.until);
        validity.report(&files);
        Ok(Self {
            acceptor,
            current,
            files,
            loaded,
            validity,
            expires,
            look: Arc::default(),
        })
    }

    /// When what is served ends, in seconds since 1970.
    pub fn expires(&self) -> Gauge {
        self.expires.clone()
    }

    /// Has the files read again at once.
    pub fn reload(&self) {
        self.look.notify_one();
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Takes up new files for ever. Files that make no certificate are reported, once for each
    /// change, and the one before stays.
    #[expect(
        clippy::disallowed_methods,
        reason = "files tell nobody that they change"
    )]
    pub(super) async fn follow(mut self) {
        let mut standing = self.validity.standing();
        loop {
            let is_wanted = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                () = self.look.notified() => true,
            };
            let found = stamp(&self.files);
            if found != self.loaded || is_wanted {
                self.loaded = found;
                self.take_up();
                standing = self.validity.standing();
            } else if self.validity.standing() != standing {
                standing = self.validity.standing();
                self.validity.report(&self.files);
            }
        }
    }

    fn take_up(&mut self) {
        match certified_key(&self.files, self.acceptor.config().crypto_provider()) {
            Ok(key) => {
                self.validity = Validity::of(&key);
                self.expires.set(self.validity.until);
                self.current.0.store(Arc::new(key));
                tracing::info!(certificate = %self.files.certificate.display(), "took up a new certificate");
                self.validity.report(&self.files);
            }
            Err(error) => {
                tracing::error!(%error, "the certificate files changed and cannot be used; the one before stays");
            }
        }
    }
}

/// From when and until when clients accept a chain, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Validity {
    from: i64,
    until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    NotYet,
    Good,
    Expired,
}

impl Validity {
    /// Of all certificates together. One whose times cannot be read counts as always good: that is
    /// for clients to judge.
    fn of(key: &CertifiedKey) -> Self {
        let times = key.cert.iter().filter_map(|der| {
            let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
            let validity = certificate.validity();
            Some((
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ))
        });
        times.fold(
            Self {
                from: i64::MIN,
                until: i64::MAX,
            },
            |all, (from, until)| Self {
                from: all.from.max(from),
                until: all.until.min(until),
            },
        )
    }

    fn standing(self) -> Standing {
        match SystemClock.now().seconds() {
            now if now < self.from => Standing::NotYet,
            now if now > self.until => Standing::Expired,
            _ => Standing::Good,
        }
    }

    fn report(self, files: &TlsFiles) {
        let date = |seconds| {
            Timestamp::from_second(seconds)
                .map_or_else(|_| "unknown".to_owned(), |date| date.to_string())
        };
        let problem = match self.standing() {
            Standing::Good => return,
            Standing::NotYet => "the certificate is not valid yet",
            Standing::Expired => "the certificate has expired",
        };
        let (certificate, from, until) = (
            files.certificate.display(),
            date(self.from),
            date(self.until),
        );
        tracing::warn!(%certificate, from, until, "{problem}: clients refuse the connection; renew it, or set the clock right");
    }
}

/// What changes when a file is written or replaced: which file it is, and its last change (seconds,
/// nanoseconds).
type Stamp = [Option<(u64, i64, i64)>; 2];

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
    })
}

fn certified_key(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let path = |path: &Path| path.display().to_string();
    let unreadable = |problem: String| TlsError::Certificate {
        path: path(&files.certificate),
        problem,
    };
    let read = |path: &Path| file::read(path, file::DOCUMENT_BYTES).map_err(pem::Error::Io);
    let chain =
        read(&files.certificate).and_then(|text| CertificateDer::pem_slice_iter(&text).collect());
    let chain: Vec<_> = chain.map_err(|error| unreadable(problem(&error)))?;
    if chain.is_empty() {
        return Err(unreadable("holds no certificate".to_owned()));
    }
    let key = read(&files.key).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
    let key = key.map_err(|error| TlsError::Key {
        path: path(&files.key),
        problem: problem(&error),
    })?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    let certified = certified.map_err(|problem| TlsError::Pair {
        path: path(&files.key),
        problem,
    })?;
    key_access::warn_if_exposed(&files.key);
    Ok(certified)
}

fn problem(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds nothing of the kind".to_owned(),
        _ => "is not PEM".to_owned(),
    }
}
