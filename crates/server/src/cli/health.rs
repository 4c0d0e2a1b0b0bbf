//! `grantor health`: whether a server is ready, for those who start containers and have no other
//! way to ask.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{self, CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};
use url::{Position, Url};

use super::{Failure, Global};
use crate::config::Overrides;

/// How long the answer may take: readiness itself takes two seconds at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of the answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;

/// Ask a running server whether it is ready
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor health                                       the configured server, or the one that was last started on the data directory
  grantor health --live --url http://127.0.0.1:9000
Exit code 0: ready; 1: not. For TLS the certificate is not looked at: nothing secret is sent.")]
pub struct Health {
    /// URL of the server [default: where it is configured to listen, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Ask only whether the process runs
    #[arg(long)]
    live: bool,
}

impl Health {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut url = match self.url {
            Some(url) => url,
            None => configured(global)?,
        };
        if url.path() == "/" {
            url.set_path(if self.live {
                "/health/live"
            } else {
                "/health/ready"
            });
        }
        let answer = timeout(PATIENCE, ask(&url)).await;
        let answer = answer.map_err(|_| {
            Failure::failed(format!(
                "{url} does not answer within {} s",
                PATIENCE.as_secs()
            ))
        })?;
        let (status, body) = answer.map_err(|error| Failure::failed(format!("{url}: {error}")))?;
        match status.as_str() {
            "200" if !says_health(&body) => {
                let problem = "answers 200, but not what a grantor server says of its health; name its URL with --url";
                Err(Failure::failed(format!("{url} {problem}")))
            }
            "200" => global.output().print(
                &json!({"url": url.as_str(), "status": 200}),
                format_args!("{url} answers 200"),
            ),
            _ => Err(Failure::failed(format!(
                "{url} answers {status}: {}",
                body.trim()
            ))),
        }
    }
}

/// Whether this is what a server says that is ready, or lives. A line of it is enough: a proxy may
/// send it in chunks.
fn says_health(body: &str) -> bool {
    body.lines().any(|line| {
        matches!(
            line.trim(),
            r#"{"status":"ready"}"# | r#"{"status":"live"}"#
        )
    })
}

/// The address that the server listens on, from this machine.
fn configured(global: &Global) -> Result<Url, Failure> {
    let config = global.load_config(Overrides::default())?;
    let address = match config.listen {
        SocketAddr::V4(address) if address.ip().is_unspecified() => {
            SocketAddr::from(([127, 0, 0, 1], address.port()))
        }
        SocketAddr::V6(address) if address.ip().is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port()))
        }
        address => address,
    };
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    Url::parse(&format!("{scheme}://{address}")).map_err(Failure::failed)
}

/// Status and body.
async fn ask(url: &Url) -> Result<(String, String), Box<dyn Error>> {
    let host = url
        .host_str()
        .ok_or("has no host")?
        .trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or("has no port")?;
    let stream = TcpStream::connect((host, port)).await?;
    match url.scheme() {
        "http" => exchange(stream, url).await,
        "https" => {
            let name = ServerName::try_from(host.to_owned())?;
            exchange(connector()?.connect(name, stream).await?, url).await
        }
        other => Err(format!("{other} is neither http nor https").into()),
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &Url,
) -> Result<(String, String), Box<dyn Error>> {
    let (authority, path) = (
        &url[Position::BeforeHost..Position::AfterPort],
        &url[Position::BeforePath..Position::AfterQuery],
    );
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let ended = stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    let Some(status) = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
    else {
        ended?;
        return Err("the answer is not HTTP/1.1".into());
    };
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status.to_owned(), body.to_owned()))
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes whatever certificate is shown: the name in it is not the loopback address that is asked,
/// and whether clients accept it is what `grantor doctor` finds out.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
