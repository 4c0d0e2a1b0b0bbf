use std::{fs, io, net::SocketAddr};

use grantor::server::ClientCertificate;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, watch},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
        client::Resumption,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, ServerName},
        sign::{CertifiedKey, SingleCertAndKey},
        version::{TLS12, TLS13},
    },
};

use super::*;
use crate::http::{Listener, Proxy, Room, Tls, TlsFiles, admission, connection};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A listener, and what its requests carry.
struct Door {
    address: SocketAddr,
    root: CertificateDer<'static>,
    seen: mpsc::UnboundedReceiver<Option<ClientCertificate>>,
    _files: TempDir,
    _running: watch::Sender<()>,
}

impl Door {
    async fn open(clients: ClientCertificates) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let files = TlsFiles {
            certificate: directory.path().join("certificate.pem"),
            key: directory.path().join("key.pem"),
        };
        let server = Identity::new(0);
        fs::write(&files.certificate, &server.certificate_pem).expect("written");
        fs::write(&files.key, &server.key_pem).expect("written");
        let tls = Tls::load(files, clients).expect("files");
        let room = Room {
            connections: 64,
            per_address: 64,
            requests: 64,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(address, room, Some(tls.clone()), Proxy::Absent);
        let listener = listener.await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (sees, seen) = mpsc::unbounded_channel();
        let (running, stop) = watch::channel(());
        tokio::spawn(async move {
            loop {
                let (stream, _, seat) = listener.accept().await;
                let stream = TcpStream::from_std(stream).expect("a socket of this runtime");
                let sees = sees.clone();
                let answer = move |request: http::Request<_>| {
                    let certificate = request.extensions().get::<ClientCertificate>();
                    sees.send(certificate.cloned()).expect("the test waits");
                    Err(admission::Refusal::Busy)
                };
                let run = connection::run(stream, Some(tls.clone()), seat, answer, stop.clone());
                tokio::spawn(run);
            }
        });
        Self {
            address,
            root: server.certificate,
            seen,
            _files: directory,
            _running: running,
        }
    }

    /// A client of one version of TLS, which shows this chain.
    fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        chain: Vec<CertificateDer<'static>>,
        key: &Identity,
    ) -> ClientConfig {
        let mut config = self.client_without(version);
        let key = PrivateKeyDer::try_from(key.key_der.clone()).expect("a key");
        let key = aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        config.client_auth_cert_resolver = Arc::new(shown);
        config
    }

    fn client_without(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_protocol_versions(&[version]).expect("versions");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(1);
        config
    }

    /// Sends a request; answers how hands were shaken, and which certificate the request carried.
    async fn ask(
        &mut self,
        client: &Arc<ClientConfig>,
    ) -> io::Result<(Option<HandshakeKind>, Option<ClientCertificate>)> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = TlsConnector::from(client.clone())
            .connect(name, stream)
            .await?;
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert!(answer.starts_with(b"HTTP/1.1 503"), "{answer:?}");
        let seen = self.seen.recv().await.expect("the listener goes on");
        Ok((stream.get_ref().1.handshake_kind(), seen))
    }
}

/// A self-signed certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_der: Vec<u8>,
    key_pem: String,
}

impl Identity {
    /// With an extension of so many octets.
    fn new(octets: usize) -> Self {
        let mut parameters =
            rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 9], vec![0; octets]);
        parameters.custom_extensions = vec![extension];
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_der: key.serialize_der(),
            key_pem: key.serialize_pem(),
        }
    }
}

/// RFC 8705 §2.2: self-signed. A session keeps the certificate that it was opened with.
#[tokio::test]
async fn a_request_carries_the_certificate_of_its_connection_and_of_a_resumed_one() {
    for version in VERSIONS {
        let mut door = Door::open(ClientCertificates::Ask).await;
        let identity = Identity::new(0);
        let expected = Some(ClientCertificate::from_der(identity.certificate.to_vec()));
        let client = door.client(version, vec![identity.certificate.clone()], &identity);
        let client = Arc::new(client);
        let (kind, seen) = door.ask(&client).await.expect("an answer");
        assert_eq!((kind, &seen), (Some(HandshakeKind::Full), &expected));
        let (kind, seen) = door.ask(&client).await.expect("an answer");
        assert_eq!((kind, &seen), (Some(HandshakeKind::Resumed), &expected));

        let without = Arc::new(door.client_without(version));
        let (_, seen) = door.ask(&without).await.expect("none is demanded");
        assert_eq!(seen, None, "{version:?}");
    }
}

#[tokio::test]
async fn nobody_is_asked_for_a_certificate_unless_the_configuration_says_so() {
    for version in VERSIONS {
        let mut door = Door::open(ClientCertificates::Off).await;
        let identity = Identity::new(0);
        let client = door.client(version, vec![identity.certificate.clone()], &identity);
        let (_, seen) = door.ask(&Arc::new(client)).await.expect("an answer");
        assert_eq!(seen, None, "{version:?}");
    }
}

/// The control beside each row, on the same listener, says that it goes on after the handshake that
/// ended.
#[tokio::test]
async fn a_certificate_of_another_key_and_a_chain_too_large_end_the_handshake() {
    let (identity, other) = (Identity::new(0), Identity::new(0));
    let (large, too_large) = (Identity::new(15 * 1024), Identity::new(16 * 1024));
    let chain = |identity: &Identity, length| vec![identity.certificate.clone(); length];
    for version in VERSIONS {
        let mut door = Door::open(ClientCertificates::Ask).await;
        for (name, refused, taken) in [
            ("key", (&other, 1, &identity), (&identity, 1, &identity)),
            ("octets", (&too_large, 1, &too_large), (&large, 1, &large)),
            ("octets in all", (&large, 2, &large), (&large, 1, &large)),
            (
                "length",
                (&identity, 7, &identity),
                (&identity, 6, &identity),
            ),
        ] {
            let client = |door: &Door, (shown, length, key): (&Identity, usize, &Identity)| {
                Arc::new(door.client(version, chain(shown, length), key))
            };
            let attack = client(&door, refused);
            assert!(door.ask(&attack).await.is_err(), "{version:?}: {name}");
            let control = client(&door, taken);
            let (_, seen) = door.ask(&control).await.expect(name);
            let expected = ClientCertificate::from_der(taken.0.certificate.to_vec());
            assert_eq!(seen, Some(expected), "{version:?}: {name}");
        }
    }
}
