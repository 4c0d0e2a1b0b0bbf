use std::{io, net::IpAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};

use super::*;

/// Every name is this machine.
struct Local;

#[async_trait]
impl Resolve for Local {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

fn local() -> Outgoing {
    let connector = Arc::new(crate::remote::pinned::PinnedHttp::default());
    let network = "127.0.0.0/8".parse().expect("a network");
    Outgoing::new(Arc::new(Local), connector).allow_internal(network)
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).expect("a request")
}

/// An authority, as PEM, and a certificate by it for `keys.example`.
fn authority() -> (String, rustls::ServerConfig) {
    let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let leaf = rcgen::CertificateParams::new(vec!["keys.example".to_owned()]).expect("a name");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().expect("a key"),
        );
    (pem, config.expect("a server"))
}

#[tokio::test]
async fn t007_a_private_authority_is_trusted_by_the_party_that_names_it() {
    let (pem, config) = authority();
    let (other, _) = authority();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let read = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            if read.is_ok_and(|read| read > 0) {
                // The client closes the connection when it has read this.
                let _ = stream.write_all(answer).await;
            }
        }
    });
    let outgoing = local();
    let fetch = |authorities: Option<&str>, host: &str| {
        let terms = FetchTerms {
            authorities: authorities.map(str::to_owned),
            ..FetchTerms::default()
        };
        let (fetch, url) = (outgoing.fetch_by(terms), format!("https://{host}:{port}/"));
        async move { fetch.expect("terms").fetch(get(&url), 1024).await }
    };
    let answer = fetch(Some(&pem), "keys.example").await.expect("trusted");
    assert_eq!(&answer.body()[..], b"{}");
    for (authorities, host) in [
        (None, "keys.example"),
        (Some(&*other), "keys.example"),
        (Some(&*pem), "other.example"),
    ] {
        let refused = fetch(authorities, host).await;
        assert!(
            matches!(refused, Err(FetchError::Transport(_))),
            "{host}: {refused:?}"
        );
    }
    assert_eq!(
        outgoing.counts(),
        FetchCounts {
            fetches: 4,
            failures: 3,
            refused: 0
        }
    );
    for no_pem in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    ] {
        let terms = FetchTerms {
            authorities: Some(no_pem.to_owned()),
            ..FetchTerms::default()
        };
        let refused = match outgoing.fetch_by(terms) {
            Ok(fetch) => fetch
                .fetch(get("https://keys.example/"), 1024)
                .await
                .map(drop),
            Err(error) => Err(error),
        };
        assert!(refused.is_err(), "{no_pem:?}");
    }
}

#[tokio::test]
async fn t074_a_configured_proxy_is_asked_by_name_and_for_no_forbidden_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let outgoing = Outgoing::through(Url::parse(&proxy).expect("a URL"));
    let fetch = outgoing.fetch_by(FetchTerms::default()).expect("terms");
    for forbidden in [
        "https://10.0.0.1/jwks",
        "https://[::1]/jwks",
        "http://localhost/jwks",
    ] {
        let refused = fetch.fetch(get(forbidden), 1024).await;
        assert!(
            matches!(refused, Err(FetchError::Forbidden(_))),
            "{forbidden}"
        );
    }
    let asking = fetch.fetch(get("https://keys.example/jwks"), 1024);
    let asked = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.expect("a request");
        String::from_utf8_lossy(&head[..read]).into_owned()
    };
    let (answer, head) = tokio::join!(asking, asked);
    assert!(head.starts_with("CONNECT keys.example:443 "), "{head}");
    assert!(answer.is_err(), "the proxy has closed the connection");
    assert_eq!(outgoing.counts().refused, 3);
}
