//! A server with much to show: clients that begin alike, names that are long, from right to left, or
//! hold markup, and what strangers sent.

use std::{fs, path::PathBuf, time::Duration};

use grantor::jose::SigningKey;
use grantor_testkit::{Jwt, quote};
use serde_json::{Value, json};

use crate::{
    browser::{ALICE, SCRIPTS, run},
    support::{self, JWT_BEARER, Server},
};

/// An owner, an editor, a reader.
pub(super) const OPERATORS: [&str; 3] =
    ["olga@example.com", "edgar@example.com", "rita@example.com"];
const ROLES: [&str; 3] = ["owner", "editor", "reader"];

/// People take as long as they take, and strangers send what they send.
const CONFIGURATION: &str = "
[person]
[limits]
client_failures_per_minute = 0
address_failures_per_minute = 0
";

/// What strangers write where a name is asked for.
const STRANGE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "</title></textarea></script><img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "\u{202e}txt.exe\u{2066}\u{0}\u{1b}[31m",
    "=HYPERLINK(\"https://evil.example\")",
];

/// A server with its operators.
pub(super) struct Office {
    pub(super) server: Server,
    /// The key file of the client `billing`.
    billing: PathBuf,
}

impl Office {
    pub(super) fn new() -> Self {
        let server = Server::start_with(CONFIGURATION);
        let registry = format!("{SCRIPTS}/registry.toml");
        server.ok(&["apply", &registry, "--secrets-out", "secrets"]);
        let partners = server.directory().join("partners.json");
        fs::write(&partners, partners_and_people().to_string()).expect("a file");
        let partners = partners.to_str().expect("a path in UTF-8");
        let of_git = ["--owner", "platform-git", "--reason", "partners of 2026"];
        server.ok(&[&["apply", partners], &of_git[..]].concat());
        for (operator, role) in OPERATORS.iter().zip(ROLES) {
            server.ok(&["operator", "create", operator, "--role", role]);
        }
        let ends = ["--generate-key", "--key-lifetime", "9d"];
        let named = ["--display-name", "Billing"];
        let may = ["--scope", "invoices:read invoices:write"];
        let billing = server.client("billing", &[&ends[..], &named, &may].concat());
        server.ok(&[
            "permission",
            "create",
            "billing",
            ALICE,
            "--scope",
            "invoices:read",
        ]);
        server.ok(&["subject", "invite", "person-01@example.com"]);
        let reason = format!("{} شركة", STRANGE[0]);
        let quietly = ["--override", "--reason", reason.as_str()];
        server.ok(&[&["client", "disable", "partner-40"], &quietly[..]].concat());
        let office = Self { server, billing };
        office.billing_asks();
        office
    }

    /// The link by which this operator comes in.
    fn link(&self, operator: &str) -> String {
        let printed = self
            .server
            .ok(&["console", "--json", "--operator", operator]);
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        printed["link"].as_str().expect("a link").to_owned()
    }

    /// Does a walk as the operator that `more` names, else as the owner. Answers what it prints.
    pub(super) fn walk(&self, script: &str, name: &str, more: Value) -> String {
        let operator = more["operator"].as_str().unwrap_or(OPERATORS[0]);
        let here = json!({
            "issuer": self.server.issuer,
            "operator": operator,
            "link": self.link(operator),
        });
        run(script, name, &[here, more])
    }

    /// A few tokens, and what is refused for one rule or another.
    fn billing_asks(&self) {
        let key = support::signing_key(&self.billing);
        let issuer = &self.server.issuer;
        let audiences = [issuer, issuer, issuer, "https://other.example"];
        for (audience, subject) in audiences.iter().zip(["billing", ALICE, "nobody", ALICE]) {
            for _ in 0..3 {
                let assertion = assertion(audience, subject, &key);
                self.server
                    .token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
            }
        }
    }

    /// A JWT of the client that another server is to take.
    pub(super) fn jwt_for_another(&self) -> String {
        let key = support::signing_key(&self.billing);
        assertion("https://other.example", "billing", &key)
    }

    /// So many requests of strangers, each with something in every place that is theirs to fill.
    pub(super) fn strangers_send(&self, requests: usize) {
        let long = "x".repeat(3000);
        let strange = STRANGE.iter().copied().chain([long.as_str()]);
        for strange in strange.cycle().take(requests) {
            let jwt = Jwt::default()
                .header("alg", r#""ES256""#)
                .header("kid", quote(strange))
                .text("iss", strange)
                .text("sub", strange)
                .text("aud", strange)
                .text("jti", strange)
                .claim("exp", "4102444800");
            let jwt = format!("{}.AAAA", jwt.signing_input());
            let form = [
                ("grant_type", JWT_BEARER),
                ("assertion", &jwt),
                ("client_id", strange),
                ("scope", strange),
            ];
            let answer = self.server.post("/token", &form, &[("User-Agent", "x")]);
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
}

fn assertion(audience: &str, subject: &str, key: &SigningKey) -> String {
    support::assertion(audience, "billing", subject, key, Duration::from_secs(1800))
}

/// Forty clients that begin alike, and those for whom programs act.
fn partners_and_people() -> Value {
    let key = |kid: &str| {
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid,
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
    };
    let partner = |number: usize| {
        let id = format!("partner-{number:02}");
        json!({
            "client_id": id,
            "client_name": format!("Partner interface {number:02}"),
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": "invoices:read",
            "jwks": {"keys": [key(&id)]},
        })
    };
    let person = |number: usize| format!("person-{number:02}@example.com");
    let permission = |number| json!({"client": "partner-01", "subject": person(number), "scope": "invoices:read"});
    json!({
        "client": (1..=40).map(partner).collect::<Vec<_>>(),
        "subject": (1..=60).map(|number| json!({"id": person(number)})).collect::<Vec<_>>(),
        "permission": (1..=12).map(permission).collect::<Vec<_>>(),
    })
}
