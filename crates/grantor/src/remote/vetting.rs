//! The guard of addresses: how a URL is fetched that a registration or a stranger's document names.
//! Such a URL must not lead into the network of the one that fetches (RFC 7591 §5).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use ipnet::IpNet;
use tokio::time::timeout;
use url::{Host, Url};

use super::{
    Fetch, FetchError,
    address::{Reach, plain, reach},
    checked_url,
};

/// How long a vetted fetch takes at most, resolution of the name included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Which URLs and addresses are fetched from. As it is made, that is global unicast by https.
#[derive(Clone, Debug, Default)]
pub struct Vetting {
    internal: Vec<IpNet>,
    ports: Ports,
}

/// Which ports a URL may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ports {
    /// Any.
    #[default]
    Any,
    /// That of https, 443: for what a client registers for itself.
    Https,
}

/// Why a URL is not fetched. It names addresses of the network, so it is for operators only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// A port that is not allowed.
    #[error("port {0} is not allowed, expected 443")]
    Port(u16),
    /// The host has an address that is not global unicast. That it may have others beside it
    /// changes nothing.
    #[error("{host:?} has the address {address}, which is not public and not allowed")]
    Address {
        /// The host in the URL.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// The host of an http URL has an address that is not a loopback address.
    #[error("{host:?} has the address {address}; expected https, or a loopback address")]
    Clear {
        /// The host in the URL.
        host: String,
        /// Its address.
        address: IpAddr,
    },
}

impl Vetting {
    /// Global unicast by https, at any port.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens exactly the addresses of `network`, http to loopback addresses in it included.
    /// Link-local addresses and the metadata services of clouds stay shut.
    #[must_use]
    pub fn allow_internal(mut self, network: IpNet) -> Self {
        self.internal.push(network);
        self
    }

    /// Sets which ports a URL may name.
    #[must_use]
    pub fn ports(self, ports: Ports) -> Self {
        Self { ports, ..self }
    }

    /// Accepts a URL by what it says, if and only if it is https (http on a loopback host), has no
    /// user, and names a port that is allowed. An address in it is not looked at.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Forbidden`]
    pub fn url(&self, text: &str) -> Result<Url, FetchError> {
        let url = checked_url(text)?;
        match (self.ports, url.port_or_known_default()) {
            (Ports::Https, Some(port)) if port != 443 => Err(Forbidden::Port(port).into()),
            _ => Ok(url),
        }
    }

    /// Accepts an address of the host in `url` if and only if it may be connected to.
    ///
    /// # Errors
    /// [`Forbidden`]
    pub fn address(&self, url: &Url, address: IpAddr) -> Result<(), Forbidden> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let is_allowed = match reach(address) {
            Reach::Global => true,
            Reach::Internal => self
                .internal
                .iter()
                .any(|network| network.contains(&address) || network.contains(&plain(address))),
            Reach::Shut => false,
        };
        if !is_allowed {
            return Err(Forbidden::Address {
                host: host(),
                address,
            });
        }
        if url.scheme() != "https" && !plain(address).is_loopback() {
            return Err(Forbidden::Clear {
                host: host(),
                address,
            });
        }
        Ok(())
    }
}

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, of both families (A and AAAA).
    ///
    /// # Errors
    /// There is no such host, or it cannot be told.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        let found = tokio::task::spawn_blocking(move || (host, 0).to_socket_addrs());
        let found = found.await.map_err(io::Error::other)??;
        Ok(found.map(|found| found.ip()).collect())
    }
}

/// Sends a request to addresses that were vetted.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// Connects to one of `addresses` and to no other, whatever the URL's name resolves to; sends
    /// `request`, with TLS and `Host` by the name in its URL; and reads an answer of at most `limit`
    /// octets. As [`Fetch::fetch`] else: no redirect is followed. Neither a proxy nor compression
    /// is used, and a connection is kept for 60 s at most.
    ///
    /// # Errors
    /// [`FetchError`]
    async fn send(
        &self,
        request: Request<Bytes>,
        addresses: &[SocketAddr],
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError>;
}

/// Fetches URLs that registrations or strangers' documents name, from addresses that were vetted and
/// no others.
///
/// The host's name is resolved once. If any of its addresses is forbidden, nothing is connected; else
/// the connection goes to these addresses, so that a name which is another address a moment later
/// (DNS rebinding) changes nothing. Proxies of the environment are not used.
pub struct VettedFetch {
    vetting: Vetting,
    way: Way,
}

enum Way {
    Direct {
        resolver: Arc<dyn Resolve>,
        connector: Arc<dyn Connect>,
    },
    /// It resolves names, and guards where they lead.
    Proxy(Arc<dyn Fetch>),
}

impl VettedFetch {
    /// Resolves and connects by these.
    pub fn new(vetting: Vetting, resolver: Arc<dyn Resolve>, connector: Arc<dyn Connect>) -> Self {
        Self {
            vetting,
            way: Way::Direct {
                resolver,
                connector,
            },
        }
    }

    /// Resolves by the operating system, and connects by reqwest.
    #[cfg(feature = "reqwest")]
    pub fn direct(vetting: Vetting) -> Self {
        Self::new(
            vetting,
            Arc::new(SystemResolver),
            Arc::new(super::pinned::PinnedHttp),
        )
    }

    /// Sends everything through a proxy, a [`Fetch`] that is known to use one. The proxy resolves
    /// names, so it has to guard where they lead; URLs and the addresses in them are vetted here.
    pub fn through(vetting: Vetting, proxy: Arc<dyn Fetch>) -> Self {
        Self {
            vetting,
            way: Way::Proxy(proxy),
        }
    }

    /// The addresses of the host in `url`, all of which may be connected to.
    async fn addresses(
        &self,
        url: &Url,
        resolver: &dyn Resolve,
    ) -> Result<Vec<SocketAddr>, FetchError> {
        let found = match url.host() {
            Some(Host::Domain(name)) => resolver.resolve(name).await,
            Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
            None => Ok(Vec::new()),
        };
        let found = found.map_err(|error| FetchError::transport(&error))?;
        let port = url.port_or_known_default().unwrap_or_default();
        for address in &found {
            self.vetting.address(url, *address)?;
        }
        if found.is_empty() {
            return Err(FetchError::transport(&io::Error::from(
                io::ErrorKind::HostUnreachable,
            )));
        }
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }

    async fn vetted(
        &self,
        mut request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let url = self.vetting.url(&request.uri().to_string())?;
        // As it was vetted, so that no other reader of URLs finds another host in it.
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| FetchError::Url(url.to_string()))?;
        match &self.way {
            Way::Direct {
                resolver,
                connector,
            } => {
                let addresses = self.addresses(&url, &**resolver).await?;
                connector.send(request, &addresses, limit).await
            }
            Way::Proxy(proxy) => {
                if let Some(address) = known_address(&url) {
                    self.vetting.address(&url, address)?;
                }
                proxy.fetch(request, limit).await
            }
        }
    }
}

/// The address of a host that is known without a resolver: one that stands in the URL; and that of
/// the loopback host, the only name that an http URL may have.
fn known_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => (url.scheme() == "http").then_some(Ipv4Addr::LOCALHOST.into()),
    }
}

#[async_trait]
impl Fetch for VettedFetch {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        timeout(TIMEOUT, self.vetted(request, limit))
            .await
            .unwrap_or(Err(FetchError::TimedOut))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Answers these, one after the other, and the last again and again.
    struct Answers(Mutex<Vec<Vec<IpAddr>>>);

    #[async_trait]
    impl Resolve for Answers {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let mut answers = self.0.lock().expect("no panic");
            Ok(match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            })
        }
    }

    /// Remembers where it was to connect to, and what for.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<(String, Vec<SocketAddr>)>>);

    impl Recorder {
        fn take(&self) -> Vec<(String, Vec<SocketAddr>)> {
            std::mem::take(&mut self.0.lock().expect("no panic"))
        }
    }

    #[async_trait]
    impl Connect for Recorder {
        async fn send(
            &self,
            request: Request<Bytes>,
            addresses: &[SocketAddr],
            _: usize,
        ) -> Result<Response<Bytes>, FetchError> {
            let connected = (request.uri().to_string(), addresses.to_vec());
            self.0.lock().expect("no panic").push(connected);
            Ok(Response::default())
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn get(url: &str) -> Request<Bytes> {
        Request::get(url).body(Bytes::new()).expect("a request")
    }

    /// Fetches `url`, whose host has these addresses, one row at each resolution. Answers what came of
    /// it and what was connected to.
    async fn fetch(
        vetting: Vetting,
        url: &str,
        answers: &[&[&str]],
    ) -> (Result<(), FetchError>, Vec<(String, Vec<SocketAddr>)>) {
        let row = |row: &&[&str]| row.iter().map(|address| ip(address)).collect();
        let answers = answers.iter().map(row).collect();
        let recorder = Arc::new(Recorder::default());
        let resolver = Arc::new(Answers(Mutex::new(answers)));
        let fetch = VettedFetch::new(vetting, resolver, recorder.clone());
        let answer = fetch.fetch(get(url), 1024).await;
        (answer.map(drop), recorder.take())
    }

    fn allowing(networks: &[&str]) -> Vetting {
        networks.iter().fold(Vetting::new(), |vetting, network| {
            vetting.allow_internal(network.parse().expect("a network"))
        })
    }

    const GOOD: [&str; 2] = ["1.1.1.1", "2606:4700:4700::1111"];

    const FORBIDDEN: [&str; 16] = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "fd00::1",
        "fe80::1",
    ];

    #[tokio::test]
    async fn law_12_nothing_is_connected_if_any_address_is_forbidden() {
        let url = "https://keys.example/jwks";
        for bad in FORBIDDEN {
            for answer in [
                vec![bad],
                vec![GOOD[0], bad],
                vec![bad, GOOD[0]],
                vec![GOOD[1], bad, GOOD[0]],
            ] {
                let (fetched, connected) = fetch(Vetting::new(), url, &[&answer]).await;
                let error = fetched.expect_err(bad);
                let named = matches!(&error, FetchError::Forbidden(Forbidden::Address { address, .. })
                    if *address == ip(bad));
                assert!(
                    named && error.to_string().contains("keys.example"),
                    "{error}"
                );
                assert_eq!(connected, [], "{answer:?}");
            }
        }
        let (fetched, connected) = fetch(Vetting::new(), url, &[&GOOD]).await;
        fetched.expect("the control");
        let addresses = GOOD.map(|address| SocketAddr::new(ip(address), 443));
        assert_eq!(connected, [(url.to_owned(), addresses.to_vec())]);
    }

    #[tokio::test]
    async fn law_12_addresses_in_urls_are_vetted_in_each_of_their_forms() {
        let literals = FORBIDDEN.map(|address| match ip(address) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
        let others = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1."];
        for host in literals.iter().map(String::as_str).chain(others) {
            // A resolver is not asked, so a good answer of it does not help.
            let (fetched, connected) =
                fetch(Vetting::new(), &format!("https://{host}/jwks"), &[&GOOD]).await;
            assert!(matches!(fetched, Err(FetchError::Forbidden(_))), "{host}");
            assert_eq!(connected, [], "{host}");
        }
        let (fetched, connected) =
            fetch(Vetting::new(), "https://8.8.8.8/jwks", &[&["127.0.0.1"]]).await;
        fetched.expect("the control");
        assert_eq!(connected[0].1, [SocketAddr::new(ip("8.8.8.8"), 443)]);
    }

    #[tokio::test]
    async fn law_12_a_name_that_leads_elsewhere_a_moment_later_changes_nothing() {
        let answers: [&[&str]; 2] = [&["1.1.1.1"], &["127.0.0.1"]];
        let (fetched, connected) =
            fetch(Vetting::new(), "https://keys.example:8443/", &answers).await;
        fetched.expect("the first answer is good");
        assert_eq!(connected.len(), 1);
        assert_eq!(connected[0].1, [SocketAddr::new(ip("1.1.1.1"), 8443)]);
    }

    #[tokio::test]
    async fn what_is_allowed_is_opened_and_nothing_beside_it() {
        let url = "https://keys.internal/jwks";
        for (allowed, address, good) in [
            (&["10.1.0.0/16"][..], "10.1.2.3", true),
            (&["10.1.0.0/16"], "::ffff:10.1.2.3", true),
            (&["10.1.0.0/16"], "10.2.0.1", false),
            (&["10.1.0.0/16"], "127.0.0.1", false),
            (&["fd12::/16"], "fd12::1", true),
            (&["fd12::/16"], "fd13::1", false),
            (&["::1/128"], "::1", true),
            (&["0.0.0.0/0", "::/0"], "192.168.0.1", true),
            (&["0.0.0.0/0", "::/0"], "169.254.169.254", false),
            (&["0.0.0.0/0", "::/0"], "::ffff:169.254.169.254", false),
            (&["0.0.0.0/0", "::/0"], "64:ff9b:1::169.254.169.254", false),
            (&["169.254.169.254/32"], "169.254.169.254", false),
            (&["168.63.129.16/32"], "168.63.129.16", false),
            (&["fe80::/10"], "fe80::1", false),
            (&["fd00::/8"], "fd00:ec2::254", false),
        ] {
            let (fetched, connected) = fetch(allowing(allowed), url, &[&[address]]).await;
            assert_eq!(fetched.is_ok(), good, "{allowed:?} {address}");
            assert_eq!(connected.len(), usize::from(good), "{allowed:?} {address}");
        }
    }

    #[tokio::test]
    async fn http_reaches_loopback_addresses_that_are_allowed_and_no_others() {
        let local = &["127.0.0.0/8", "10.0.0.0/8"][..];
        for (allowed, url, address, good) in [
            (local, "http://localhost:8080/", "127.0.0.1", true),
            (local, "http://127.0.0.1:8080/", "1.1.1.1", true),
            (&[], "http://localhost:8080/", "127.0.0.1", false),
            (&[], "http://127.0.0.1:8080/", "1.1.1.1", false),
            (local, "http://localhost:8080/", "10.0.0.1", false),
            (local, "http://localhost:8080/", "1.1.1.1", false),
            (local, "http://keys.example/", "127.0.0.1", false),
            (local, "https://me@keys.example/", "1.1.1.1", false),
            (local, "https://keys.example/", "1.1.1.1", true),
        ] {
            let (fetched, connected) = fetch(allowing(allowed), url, &[&[address]]).await;
            assert_eq!(fetched.is_ok(), good, "{url} {address}: {fetched:?}");
            assert_eq!(connected.len(), usize::from(good), "{url} {address}");
        }
    }

    #[tokio::test]
    async fn a_registered_url_keeps_to_the_port_of_https() {
        for (ports, url, good) in [
            (Ports::Https, "https://keys.example/jwks", true),
            (Ports::Https, "https://keys.example:443/jwks", true),
            (Ports::Https, "https://keys.example:8443/jwks", false),
            (Ports::Any, "https://keys.example:8443/jwks", true),
        ] {
            let (fetched, connected) = fetch(Vetting::new().ports(ports), url, &[&GOOD]).await;
            assert_eq!(fetched.is_ok(), good, "{url}: {fetched:?}");
            assert_eq!(connected.len(), usize::from(good), "{url}");
        }
    }

    #[tokio::test]
    async fn a_host_without_an_address_is_not_connected_to() {
        let (fetched, connected) = fetch(Vetting::new(), "https://keys.example/", &[&[]]).await;
        assert!(
            matches!(fetched, Err(FetchError::Transport(_))),
            "{fetched:?}"
        );
        assert_eq!(connected, []);
    }

    struct Proxy(Mutex<Vec<String>>);

    #[async_trait]
    impl Fetch for Proxy {
        async fn fetch(
            &self,
            request: Request<Bytes>,
            _: usize,
        ) -> Result<Response<Bytes>, FetchError> {
            let url = request.uri().to_string();
            self.0.lock().expect("no panic").push(url);
            Ok(Response::default())
        }
    }

    #[tokio::test]
    async fn a_proxy_is_given_names_and_no_forbidden_address() {
        let proxy = Arc::new(Proxy(Mutex::default()));
        let fetch = VettedFetch::through(Vetting::new(), proxy.clone());
        for (url, good) in [
            ("https://keys.example/jwks", true),
            ("https://8.8.8.8/jwks", true),
            ("https://10.0.0.1/jwks", false),
            ("https://[::1]/jwks", false),
            ("http://localhost/jwks", false),
            ("http://127.0.0.1/jwks", false),
        ] {
            assert_eq!(fetch.fetch(get(url), 1024).await.is_ok(), good, "{url}");
        }
        let asked = proxy.0.lock().expect("no panic").len();
        assert_eq!(asked, 2);
    }
}
