use std::sync::Mutex;

use super::*;
use crate::remote::{Forbidden, Ports};

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
    let (fetched, connected) = fetch(Vetting::new(), "https://keys.example:8443/", &answers).await;
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
    assert_eq!(fetch.refused(), 4);
}

#[tokio::test]
async fn t075_what_is_refused_is_counted_and_what_fails_is_not() {
    struct Down;

    #[async_trait]
    impl Connect for Down {
        async fn send(
            &self,
            _: Request<Bytes>,
            _: &[SocketAddr],
            _: usize,
        ) -> Result<Response<Bytes>, FetchError> {
            Err(FetchError::TimedOut)
        }
    }

    let resolver = Arc::new(Answers(Mutex::new(vec![vec![ip("127.0.0.1")]])));
    let vetting = Vetting::new().ports(Ports::Https);
    let fetch = VettedFetch::new(vetting, resolver, Arc::new(Down));
    for (url, refused) in [
        ("https://8.8.8.8/jwks", 0),
        ("https://keys.example/jwks", 1),
        ("https://8.8.8.8:8443/jwks", 2),
        ("http://keys.example/jwks", 3),
        ("https://8.8.8.8/jwks", 3),
    ] {
        fetch.fetch(get(url), 1024).await.expect_err(url);
        assert_eq!(fetch.refused(), refused, "{url}");
    }
}
