//! Where a registration, or what a stranger's server says, may have us connect to.

use std::net::{IpAddr, ToSocketAddrs as _};

use grantor::jose::Algorithm;
use grantor_testkit::double::{Canary, Publisher, Reply, publisher::OPENID};
use serde_json::json;

use super::idp::{Idp, LOCAL, command_refused};
use crate::{
    forge::Key,
    oracle::Use,
    support::{Server, held_address},
};

#[test]
fn ta49_nothing_is_fetched_from_internal_addresses_however_they_are_written() {
    let server = Server::start();
    let canary = Canary::at("127.0.0.1");
    let port = canary.address.port();
    for (number, host) in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "localhost",
        "localhost.",
        "[::1]",
        "0.0.0.0",
        "0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[::127.0.0.1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "255.255.255.255",
        "224.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
    ]
    .into_iter()
    .enumerate()
    {
        for scheme in ["http", "https"] {
            let row = format!("TA49 {scheme}://{host}");
            let url = format!("{scheme}://{host}:{port}/jwks");
            let (name, iss) = (
                format!("i{number}-{scheme}"),
                format!("https://ta49-{number}.{scheme}.example"),
            );
            let create = [
                "issuer",
                "create",
                &iss,
                "--name",
                &name,
                "--jwks-uri",
                &url,
            ];
            let made = server.run(&create);
            assert!(!made.status.success(), "{row}: {}", made.stdout);
            // Registered unseen, its first JWT finds nothing either.
            let made = server.run(&[&create[..], &["--no-check"]].concat());
            if !made.status.success() {
                continue;
            }
            let idp = Idp::of(&server, &iss, &name, &Key::generate(Algorithm::Es256));
            let answer = server.token(&Use::Grant.form(&idp.jwt().sign()));
            assert_eq!(answer.status, 503, "{row}: {answer:?}");
            // T075: the address is told to nobody but the operator.
            assert!(!answer.body.contains("127.0.0.1"), "{row}: {answer:?}");
        }
    }
    // As an issuer, too.
    let iss = format!("http://127.0.0.1:{port}");
    let made = server.run(&["issuer", "create", &iss, "--name", "itself", "--discover"]);
    command_refused("TA49 an issuer", &made, 2, "allow_internal");
    assert!(canary.saw_nothing(), "TA49: something was connected");
}

#[test]
fn ta49_what_is_opened_for_an_issuer_is_opened_for_it_alone_and_not_beyond() {
    let server = Server::start();
    let key = Key::generate(Algorithm::Es256);
    let publisher = Publisher::apart(&[&key]);
    let beside = Canary::at("127.0.0.2");
    let create = [
        "issuer",
        "create",
        &publisher.issuer,
        "--name",
        "idp",
        "--discover",
    ];
    command_refused("T073 not opened", &server.run(&create), 2, "allow_internal");
    let wrong = server.run(&[&create[..], &["--allow-internal", "10.0.0.0/8"]].concat());
    command_refused("T073 another network", &wrong, 2, "allow_internal");
    let one = ["--allow-internal", "127.0.0.1/32"];
    // Its own metadata lead to where it was not opened.
    for url in [
        beside.url("127.0.0.2"),
        "https://169.254.169.254/latest/".to_owned(),
    ] {
        let mut metadata = publisher.metadata();
        metadata["jwks_uri"] = json!(url);
        publisher.says(OPENID, Reply::json(&metadata));
        let made = server.run(&[&create[..], &one].concat());
        command_refused(
            &format!("T073 {url}"),
            &made,
            2,
            "not public and not allowed",
        );
    }
    publisher.says(OPENID, Reply::json(&publisher.metadata()));
    server.ok(&[&create[..], &one].concat());
    let idp = Idp::of(&server, &publisher.issuer, "idp", &key);
    idp.trust(&server, "ci", &["--pin", "tenant=42"]);
    assert_eq!(
        server.token(&Use::Grant.form(&idp.jwt().sign())).status,
        200,
        "T073 control"
    );
    // What is open to one is shut to the others; link-local addresses are shut to all.
    let other = format!("{}/jwks", publisher.issuer);
    let made = server.run(&[
        "issuer",
        "create",
        "https://other.example",
        "--name",
        "other",
        "--jwks-uri",
        &other,
    ]);
    command_refused("T073 another issuer", &made, 2, "allow_internal");
    let shut = [
        "--jwks-uri",
        "http://169.254.169.254/",
        "--allow-internal",
        "169.254.0.0/16",
    ];
    let made = server.run(
        &[
            &[
                "issuer",
                "create",
                "https://cloud.example",
                "--name",
                "cloud",
            ][..],
            &shut,
        ]
        .concat(),
    );
    assert!(!made.status.success(), "T073 link-local: {}", made.stdout);
    assert!(beside.saw_nothing(), "T073: something was connected");
}

/// The name of this machine with all its addresses: one that is shut shuts it.
#[test]
fn ta50_a_name_is_asked_only_if_all_its_addresses_are_open() {
    let addresses: Vec<_> = ("localhost", 0)
        .to_socket_addrs()
        .expect("localhost")
        .map(|one| one.ip())
        .collect();
    let server = Server::start();
    let key = Key::generate(Algorithm::Es256);
    let publisher = Publisher::apart(&[&key]);
    let port = publisher.issuer.rsplit(':').next().expect("a port");
    let url = format!("http://localhost:{port}/jwks");
    let create = [
        "issuer",
        "create",
        "https://ta50.example",
        "--name",
        "ta50",
        "--jwks-uri",
        &url,
    ];
    let before = publisher.count();
    let shut = server.run(&create);
    command_refused("TA50 none", &shut, 2, "allow_internal");
    let only_v4 = server.run(&[&create[..], &LOCAL].concat());
    match addresses.iter().any(IpAddr::is_ipv6) {
        true => {
            command_refused("TA50 one of two", &only_v4, 2, "::1");
            assert_eq!(publisher.count(), before, "TA50: something was connected");
            server.ok(&[&create[..], &LOCAL, &["--allow-internal", "::1/128"]].concat());
        }
        false => assert!(only_v4.status.success(), "TA50: {}", only_v4.stderr),
    }
    assert!(publisher.count() > before, "TA50 control");
}

#[test]
fn ta52_proxies_of_the_environment_are_not_used() {
    let canary = Canary::at("127.0.0.1");
    let proxy = canary.url("127.0.0.1").replace("/jwks", "");
    let names = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let proxies = names.map(|name| (name, &*proxy));
    let address = held_address();
    let (listen, issuer) = (address.to_string(), format!("http://{address}"));
    let server = Server::start_as(
        address,
        &["--listen", &listen, "--issuer", &issuer],
        &proxies,
    );
    let key = Key::generate(Algorithm::Es256);
    let publisher = Publisher::apart(&[&key]);
    let idp = Idp::published(&server, &publisher, "idp", &key, &[]);
    idp.trust(&server, "ci", &["--pin", "tenant=42"]);
    let asked = publisher.count();
    let answer = server.token(&Use::Grant.form(&idp.jwt().sign()));
    assert_eq!(answer.status, 200, "TA52: {answer:?}");
    assert!(publisher.count() > asked, "TA52: it was fetched directly");
    // One that is not here is not asked for through it either.
    server.ok(&[
        "issuer",
        "create",
        "https://203.0.113.7",
        "--name",
        "far",
        "--discover",
        "--no-check",
    ]);
    let far = Idp::of(&server, "https://203.0.113.7", "far", &key);
    assert_eq!(
        server.token(&Use::Grant.form(&far.jwt().sign())).status,
        503,
        "TA52"
    );
    assert!(canary.saw_nothing(), "TA52: the proxy was used");
}
