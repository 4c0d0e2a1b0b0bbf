//! Sending a request by reqwest to addresses that were vetted, and to no others.

use std::{future::ready, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use reqwest::{
    Certificate,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::{
    Connect, FetchError,
    http_fetch::{bare, certificates, send, trusting},
};

/// Makes a client for each request, and closes its connection after the answer: documents are read
/// minutes apart, and a client that is kept would have to be told which addresses are meant this
/// time.
#[derive(Clone, Debug, Default)]
pub(super) struct PinnedHttp {
    /// What is trusted beside the roots of the operating system.
    authorities: Vec<Certificate>,
}

/// Answers these addresses, whatever is asked for.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(ready(Ok(addresses)))
    }
}

#[async_trait]
impl Connect for PinnedHttp {
    async fn send(
        &self,
        request: Request<Bytes>,
        addresses: &[SocketAddr],
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let (addresses, authorities) = (addresses.to_vec(), self.authorities.clone());
        let settings = move || {
            bare()
                .pool_max_idle_per_host(0)
                .dns_resolver(Pinned(addresses.clone()))
                .tls_certs_merge(authorities.clone())
        };
        // The roots of the operating system are read from files.
        let client = tokio::task::spawn_blocking(move || trusting(settings)).await;
        let client = client.map_err(|error| FetchError::transport(&error))??;
        send(&client, request, limit).await
    }

    fn trusting(&self, authorities: &str) -> Result<Arc<dyn Connect>, FetchError> {
        let authorities = certificates(authorities)?;
        Ok(Arc::new(Self { authorities }))
    }
}

#[cfg(test)]
mod tests {
    use std::{io, net::IpAddr, process::Command};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::remote::{Fetch, VettedFetch, Vetting};

    /// Answers this address to each name.
    struct Always(IpAddr);

    #[async_trait]
    impl crate::remote::Resolve for Always {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(vec![self.0])
        }
    }

    fn fetch(vetting: Vetting) -> VettedFetch {
        let local = Always([127, 0, 0, 1].into());
        VettedFetch::new(vetting, Arc::new(local), Arc::new(PinnedHttp::default()))
    }

    fn local() -> Vetting {
        Vetting::new().allow_internal("127.0.0.0/8".parse().expect("a network"))
    }

    fn get(url: String) -> Request<Bytes> {
        Request::get(url).body(Bytes::new()).expect("a request")
    }

    /// A listener, and its port.
    async fn canary() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[tokio::test]
    async fn law_12_a_canary_is_not_connected_to() {
        let (listener, port) = canary().await;
        for url in [
            format!("https://keys.example:{port}/jwks"),
            format!("https://127.0.0.1:{port}/jwks"),
            format!("http://127.0.0.1:{port}/jwks"),
            format!("http://localhost:{port}/jwks"),
        ] {
            let refused = fetch(Vetting::new()).fetch(get(url.clone()), 1024).await;
            assert!(
                matches!(refused, Err(FetchError::Forbidden(_))),
                "{url}: {refused:?}"
            );
        }
        let listener = listener.into_std().expect("a listener");
        let untouched = listener.accept().expect_err("no connection");
        assert_eq!(untouched.kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn tls_is_by_the_name_in_the_url() {
        let (listener, port) = canary().await;
        let url = format!("https://keys.example:{port}/jwks");
        let mut asking = tokio::spawn(async move { fetch(local()).fetch(get(url), 1024).await });
        let (mut stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection"),
            ended = &mut asking => unreachable!("{ended:?}"),
        };
        let mut hello = vec![0; 4096];
        let read = stream.read(&mut hello).await.expect("a hello");
        drop(stream);
        let name = b"keys.example";
        assert!(hello[..read].windows(name.len()).any(|part| part == name));
        assert!(asking.await.expect("no panic").is_err());
    }

    /// The test above, in a process of its own whose environment names a proxy where nothing
    /// listens.
    #[test]
    fn a_proxy_of_the_environment_is_not_used() {
        let test = "remote::pinned::tests::tls_is_by_the_name_in_the_url";
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", test]);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 passed"), "{said}");
    }

    /// What comes of a server that answers this, and closes the connection.
    async fn answered(answer: Vec<u8>) -> Result<Response<Bytes>, FetchError> {
        let (listener, port) = canary().await;
        let url = format!("http://localhost:{port}/jwks");
        let asking = tokio::spawn(async move { fetch(local()).fetch(get(url), 1024).await });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let read = stream.read(&mut [0; 4096]).await.expect("a request");
        assert_ne!(read, 0);
        // A client that has read enough closes the connection.
        let _ = stream.write_all(&answer).await;
        drop(stream);
        asking.await.expect("no panic")
    }

    #[tokio::test]
    async fn ta47_answers_are_kept_up_to_the_limit_and_as_they_were_sent() {
        let plain = |headers: &str, body: &[u8]| {
            let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
            [head.as_bytes(), body].concat()
        };
        let long = vec![b' '; 1_000_000];
        for endless in [
            plain("content-length: 50000000\r\n", &long),
            plain("", &long),
            plain("content-length: 1025\r\n", &long[..1025]),
        ] {
            let error = answered(endless).await.expect_err("too long");
            assert!(matches!(error, FetchError::TooLong(1024)), "{error}");
        }
        let short = answered(plain("content-length: 1000\r\n", b"{}")).await;
        let error = short.expect_err("cut off");
        assert!(matches!(error, FetchError::Transport(_)), "{error}");
        // Whatever it would become, it is read as it is.
        let bomb = plain(
            "content-encoding: gzip\r\ncontent-length: 4\r\n",
            b"\x1f\x8b\x08\x00",
        );
        let answer = answered(bomb).await.expect("an answer");
        assert_eq!(&answer.body()[..], b"\x1f\x8b\x08\x00");
        let control = answered(plain("content-length: 1024\r\n", &long[..1024])).await;
        assert_eq!(control.expect("as long as it may be").body().len(), 1024);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_no_compression_is_asked_for() {
        let (listener, port) = canary().await;
        let url = format!("http://localhost:{port}/jwks");
        let asking = tokio::spawn(async move { fetch(local()).fetch(get(url), 1024).await });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.expect("a request");
        let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://localhost:{port}/\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.expect("written");
        let answer = asking.await.expect("no panic").expect("an answer");
        assert_eq!(answer.status(), 302);
        assert!(head.contains(&format!("host: localhost:{port}")), "{head}");
        assert!(!head.contains("accept-encoding"), "{head}");
        let rest = stream.read(&mut [0; 16]).await;
        assert!(
            matches!(rest, Ok(0) | Err(_)),
            "the connection is closed: {rest:?}"
        );
    }
}
