//! K. Lifecycle: what is disabled, deleted or revoked is over, and nobody ends what belongs to
//! others.

use std::{
    process::{Child, Stdio},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use grantor::jose::Algorithm;
use grantor_testkit::wait;
use serde_json::json;

use crate::{
    forge::Key,
    oracle::{Because, Party, Use, register, world},
    support::{Answer, Server, grantor, held_address},
};

const FORMATS: [&str; 2] = ["jwt", "opaque"];
/// Law 4.
const A_SECOND: Duration = Duration::from_secs(1);

static KEY: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es256));

/// A client that gets tokens of this format.
fn owner(id: &'static str, format: &str) -> Party {
    register(
        &world().server,
        id,
        &[KEY.public_jwk(&[])],
        &["--token-format", format],
    );
    Party {
        id,
        key: KEY.clone(),
    }
}

fn token_of(party: &Party) -> String {
    let answer = world().passes_as(Use::Grant, "a token", party, |jwt| jwt.sign());
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

/// A form to an endpoint that takes a token, authenticated as this client.
fn ask(endpoint: &str, party: &Party, token: &str) -> Answer {
    let world = world();
    let assertion = world.jwt(party, Use::ClientAuth).sign();
    let form = [&Use::ClientAuth.form(&assertion)[1..], &[("token", token)]].concat();
    world.server.post(endpoint, &form, &[])
}

fn is_active(token: &str) -> bool {
    let answer = ask("/introspect", &world().other, token);
    assert_eq!(answer.status, 200, "{answer:?}");
    let active = answer.json()["active"].as_bool().expect("RFC 7662 §2.2");
    assert!(
        active || answer.json() == json!({"active": false}),
        "an inactive token is described: {answer:?}"
    );
    active
}

fn revoke(party: &Party, token: &str) {
    let answer = ask("/revoke", party, token);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, ""),
        "{answer:?}"
    );
}

/// Within a second of the command.
fn comes_true(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    world().server.wait_until(what, is_so);
    assert!(
        started.elapsed() <= A_SECOND,
        "{what}: after {:?}",
        started.elapsed()
    );
}

/// What was signed before the change is refused after it, through both uses; so is the token issued
/// before, by introspection.
fn ends_with(row: &str, party: &Party, command: &[&str], because: fn(Use) -> Because) {
    let world = world();
    let token = token_of(party);
    let bystander = token_of(&world.ec);
    let signed = Use::BOTH.map(|usage| (usage, world.jwt(party, usage).sign()));
    assert!(is_active(&token), "{row}, before");
    world.server.ok(command);
    comes_true(row, || !is_active(&token));
    for (usage, assertion) in &signed {
        let answer = world.attack(row, &usage.form(assertion), &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            usage.refusal(),
            "{row} as {usage:?}"
        );
        world.assert_cause(row, &answer, because(*usage));
    }
    let asking = ask("/introspect", party, &bystander);
    assert_eq!(
        (asking.status, asking.error().as_str()),
        (401, "invalid_client"),
        "{row}: it may ask nothing more"
    );
    assert!(is_active(&bystander), "control of {row}");
    world.passes(&format!("control of {row}"), &world.ec, |jwt| jwt.sign());
}

#[test]
fn k01_a_disabled_client_and_its_tokens_are_refused_within_a_second() {
    let world = world();
    for (id, format) in ["k01-disabled.jwt", "k01-disabled.opaque"]
        .into_iter()
        .zip(FORMATS)
    {
        let party = owner(id, format);
        let kept = token_of(&party);
        ends_with(
            &format!("K01 disable {format}"),
            &party,
            &["client", "disable", id],
            |usage| match usage {
                Use::Grant => ("issuer", "issuer is disabled"),
                Use::ClientAuth => ("issuer", "client is disabled"),
            },
        );
        world.server.ok(&["client", "enable", id]);
        comes_true("K01 enabled again", || is_active(&kept));
        world.passes("K01 enabled again", &party, |jwt| jwt.sign());
    }
}

#[test]
fn k01_a_deleted_client_and_its_tokens_are_refused_within_a_second() {
    for (id, format) in ["k01-deleted.jwt", "k01-deleted.opaque"]
        .into_iter()
        .zip(FORMATS)
    {
        let party = owner(id, format);
        ends_with(
            &format!("K01 delete {format}"),
            &party,
            &["client", "delete", id],
            |_| ("issuer", "is not registered"),
        );
    }
}

/// The next client of the name gets nothing of the one before.
#[test]
fn k01_a_name_given_anew_does_not_bring_back_its_tokens_permissions_or_keys() {
    let world = world();
    let party = owner("k01-again.example", "opaque");
    world.server.ok(&[
        "permission",
        "create",
        party.id,
        "alice@example.com",
        "--scope",
        "read",
    ]);
    let for_alice = |party: &Party| {
        let token = world
            .jwt(party, Use::Grant)
            .text("sub", "alice@example.com")
            .sign();
        world.server.token(&Use::Grant.form(&token))
    };
    world.server.wait_until("the permission is known", || {
        for_alice(&party).status == 200
    });
    world.server.ok(&["client", "delete", party.id]);
    let other = Party {
        id: party.id,
        key: Key::generate(Algorithm::Es256),
    };
    register(&world.server, other.id, &[other.key.public_jwk(&[])], &[]);
    world.server.wait_until("the new key works", || {
        ask("/introspect", &other, "x").status == 200
    });
    let refused = for_alice(&other);
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (400, "invalid_grant")
    );
    world.assert_cause(
        "K01 permission",
        &refused,
        ("permission", "holds no permission"),
    );
    let old_key = world.jwt(&party, Use::ClientAuth).sign();
    let answer = world.attack("K01 old key", &Use::ClientAuth.form(&old_key), &[]);
    world.assert_cause(
        "K01 old key",
        &answer,
        ("key", "the issuer has no key with this kid"),
    );
    world.passes("K01 control", &other, |jwt| jwt.sign());
}

#[test]
fn k06_a_revoked_token_is_inactive_at_once() {
    for (id, format) in ["k06.jwt", "k06.opaque"].into_iter().zip(FORMATS) {
        let party = owner(id, format);
        let (token, other) = (token_of(&party), token_of(&party));
        assert!(is_active(&token), "K06 {format}, before");
        revoke(&party, &token);
        assert!(!is_active(&token), "K06 {format}: in the very next request");
        assert!(is_active(&other), "K06 {format} control");
        revoke(&party, &token);
    }
}

/// A second process on the same database.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn k06_a_token_revoked_at_one_process_is_inactive_at_another_within_a_second() {
    let server = Server::start();
    let address = held_address();
    let child = grantor(&server.data())
        .args([
            "serve",
            "--listen",
            &address.to_string(),
            "--issuer",
            &server.issuer,
        ])
        .stderr(Stdio::null())
        .spawn();
    let _node = Node(child.expect("a second process"));
    server.wait_until("the second process listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
    for format in FORMATS {
        let id = if format == "jwt" {
            "node.jwt"
        } else {
            "node.opaque"
        };
        register(
            &server,
            id,
            &[KEY.public_jwk(&[])],
            &["--token-format", format],
        );
        let party = Party {
            id,
            key: KEY.clone(),
        };
        let at = |address: std::net::SocketAddr, path: &str, form: &[(&str, &str)]| {
            let body: Vec<_> = form
                .iter()
                .map(|(name, value)| format!("{name}={}", crate::support::escape(value)))
                .collect();
            let body = body.join("&");
            let head = "HTTP/1.1\r\nHost: as\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded";
            let request = format!(
                "POST {path} {head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut stream = std::net::TcpStream::connect(address).expect("it listens");
            std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
            crate::support::read_answer(&mut stream)
        };
        let signed = |usage| {
            world()
                .jwt(&party, usage)
                .text("aud", &server.issuer)
                .sign()
        };
        let with_token = |path: &str, token: &str, address| {
            let assertion = signed(Use::ClientAuth);
            at(
                address,
                path,
                &[&Use::ClientAuth.form(&assertion)[1..], &[("token", token)]].concat(),
            )
        };
        let granted = || at(address, "/token", &Use::Grant.form(&signed(Use::Grant)));
        server.wait_until("the second process knows the client", || {
            granted().status == 200
        });
        let token = granted().json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        let active = |address| with_token("/introspect", &token, address).json()["active"] == true;
        assert!(
            active(address) && active(server.address),
            "K06 {format}, before"
        );
        assert_eq!(with_token("/revoke", &token, server.address).status, 200);
        assert!(
            !active(server.address),
            "K06 {format}: where it was revoked"
        );
        wait::blocking::within(
            A_SECOND,
            &format!("K06 {format}: inactive elsewhere"),
            || !active(address),
        );
    }
}

#[test]
fn k08_nobody_revokes_or_inspects_what_is_not_theirs() {
    let world = world();
    world
        .server
        .ok(&["client", "create", "k08-public", "--auth", "none"]);
    for (id, format) in ["k08.jwt", "k08.opaque"].into_iter().zip(FORMATS) {
        let party = owner(id, format);
        let token = token_of(&party);
        revoke(&world.other, &token);
        assert!(is_active(&token), "K08 {format}: another client revokes it");
        let form = [("client_id", "k08-public"), ("token", token.as_str())];
        let answer = world.server.post("/revoke", &form, &[]);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, ""),
            "K08 {format}: nothing is told: {answer:?}"
        );
        assert!(
            is_active(&token),
            "K08 {format}: a public client revokes it"
        );
        for (row, form, because) in [
            (
                "a public client",
                &form[..],
                ("method", "method: none is not accepted"),
            ),
            ("nobody", &form[1..], ("client", "no client authentication")),
            (
                "an owner who proves nothing",
                &[("client_id", id), form[1]],
                ("method", "method: client is registered with"),
            ),
        ] {
            let answer = world.server.post("/introspect", form, &[]);
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (401, "invalid_client"),
                "K08 {format} {row}: {answer:?}"
            );
            world.assert_cause(row, &answer, because);
        }
        revoke(&party, &token);
        assert!(
            !is_active(&token),
            "K08 {format} control: its owner revokes it"
        );
    }
}
