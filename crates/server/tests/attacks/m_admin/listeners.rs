//! M002, MA35: where the API is served, and where it is not.

use grantor_testkit::binary::held_address;

use super::office::Office;
use crate::support::Server;

const PATHS: [&str; 5] = [
    "/admin/v1",
    "/admin/v1/clients",
    "/admin/v1/openapi.json",
    "/admin/v1/problems/invalid",
    "/console",
];

#[test]
fn ma35_on_a_listener_of_its_own_nothing_else_is_served_and_it_nowhere_else() {
    let own = held_address();
    let office = Office::open_with(&format!(
        "[admin]\nlisten = \"{own}\"\nurl = \"http://{own}\"\n[person]"
    ));
    let server = &office.server;
    for path in PATHS {
        let answer = server.send("GET", path, &[], b"");
        assert_eq!(
            answer.status, 404,
            "MA35 {path} at the main port: {answer:?}"
        );
        let bearer = format!("Bearer {}", office.token("owner"));
        let answer = server.send("GET", path, &[("Authorization", &bearer)], b"");
        assert_eq!(
            answer.status, 404,
            "MA35 {path} at the main port with a token: {answer:?}"
        );
    }
    for path in [
        "/token",
        "/authorize",
        "/jwks.json",
        "/jwks",
        "/introspect",
        "/revoke",
        "/signin",
        "/me",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/metrics",
    ] {
        for method in ["GET", "POST"] {
            let answer = server.at(own, method, path);
            assert_eq!(
                answer.status, 404,
                "MA35 {method} {path} at the admin port: {answer:?}"
            );
        }
    }
    // The control: each at its own.
    assert_eq!(server.at(own, "GET", "/admin/v1/openapi.json").status, 200);
    assert_eq!(server.at(own, "GET", "/admin/v1/clients").status, 401);
    assert_eq!(office.ask_for_token("reader", "grantor:read").status, 200);
    let document = server.at(own, "GET", "/admin/v1/openapi.json").json();
    assert_eq!(
        document["servers"][0]["url"],
        format!("http://{own}/admin/v1")
    );
}

#[test]
fn m002_the_api_is_off_unless_only_this_machine_reaches_it_or_it_is_on() {
    const ON: (&str, &str) = ("GRANTOR_ADMIN_ENABLED", "true");
    const OFF: (&str, &str) = ("GRANTOR_ADMIN_ENABLED", "false");
    const ELSEWHERE: &str = "https://as.example";
    // How it is started, the issuer where it is not the address, and whether the API is served.
    type Row<'r> = (
        &'r [&'r str],
        &'r [(&'r str, &'r str)],
        Option<&'r str>,
        bool,
    );
    let rows: [Row<'_>; 7] = [
        (&[], &[], None, true),
        (&[], &[OFF], None, false),
        (&["--behind-proxy"], &[], None, false),
        (&["--behind-proxy"], &[ON], None, true),
        (&["--behind-proxy"], &[], Some(ELSEWHERE), false),
        (&[], &[], Some(ELSEWHERE), false),
        (&[], &[ON], Some(ELSEWHERE), true),
    ];
    for (arguments, variables, issuer, is_served) in rows {
        let row = format!("M002 {arguments:?} {variables:?} {issuer:?}");
        let address = held_address();
        let (listen, own) = (address.to_string(), format!("http://{address}"));
        let common = ["--listen", &*listen, "--issuer", issuer.unwrap_or(&own)];
        let server = Server::start_as(address, &[&common, arguments].concat(), variables);
        for (path, status) in [("/admin/v1/openapi.json", 200), ("/admin/v1/clients", 401)] {
            let expected = if is_served { status } else { 404 };
            let answer = server.send("GET", path, &[], b"");
            assert_eq!(answer.status, expected, "{row} {path}: {answer:?}");
        }
        let control = server.send("GET", "/.well-known/oauth-authorization-server", &[], b"");
        assert_eq!(control.status, 200, "{row}: {control:?}");
    }
}
